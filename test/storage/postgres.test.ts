import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import pg from "pg";
import { openStorage, SecretBox } from "../../src/storage/index.ts";
import { storageContract } from "./contract.ts";
import { findPostgres, INSTALL_HINT, type PostgresServer, runSql, startPostgres } from "./postgres-server.ts";
import { box, device, devices, endpointOf, KEY, NOW, progress } from "./samples.ts";

const binaries = findPostgres();

describe("PostgreSQL", { skip: binaries === undefined ? INSTALL_HINT : false }, () => {
  let server: PostgresServer | undefined;
  const started = async (): Promise<PostgresServer> => {
    server ??= await startPostgres(binaries ?? "");
    return server;
  };
  after(() => server?.stop());

  storageContract(async () => {
    const url = await (await started()).newDatabase();
    return { options: { kind: "postgres", url }, sql: (statement) => runSql(url, statement) };
  });

  test("two that start at once share one new database", async () => {
    const url = await (await started()).newDatabase();
    const both = await Promise.all([1, 2].map(() => openStorage({ kind: "postgres", url }, box)));
    await both[0]?.devices.import(devices(3), NOW);
    assert.equal((await both[1]?.devices.countByState())?.pending, 3);
    await Promise.all(both.map((storage) => storage.close()));
  });

  test("what was under way when another took the lease is not stored, be it ever so late (R6)", async () => {
    const url = await (await started()).newDatabase();
    const [one, two] = await Promise.all([1, 2].map(() => openStorage({ kind: "postgres", url }, box)));
    const other = new pg.Client({ connectionString: url });
    await other.connect();
    assert.ok(one !== undefined && two !== undefined);
    await one.leases.take("a", "o'ne", 0);
    const held = one.heldBy({ name: "a", holder: "o'ne", term: 1 });
    await held.devices.import(devices(3), NOW);
    await other.query("begin; lock table device, profile, instance, setting, audit in exclusive mode");
    const writes = {
      saveProgress: held.devices.saveProgress([progress(1)], [{ instance: "bs-1", bootId: "x", sequence: 1, updatedAt: NOW }]),
      import: held.devices.import([device(9)], NOW),
      remove: held.devices.remove([endpointOf(2)]),
      profile: held.profiles.put("p", {}, NOW),
      instance: held.instances.put({ id: "i", ipv4: null, ipv6: null, state: "up", registeredAt: NOW, lastSeen: NOW }),
      setting: held.settings.put("s", 1),
      audit: held.audit.add([{ at: NOW, kind: "rotation", subject: null, trigger: "operator", reason: "r", counts: {} }]),
    };
    const outcomes = Promise.allSettled(Object.values(writes));
    assert.deepEqual(await two.leases.take("a", "two", 60_000), { taken: true, term: 2, from: "o'ne" });
    await other.query("commit");
    await other.end();
    for (const [number, outcome] of (await outcomes).entries()) {
      const code = outcome.status === "rejected" ? (outcome.reason as { code: string }).code : outcome.status;
      assert.equal(code, "fenced", Object.keys(writes)[number]);
    }
    assert.deepEqual(await held.devices.countByState(), { pending: 3, commenced: 0, completed: 0 }, "reading is no harm");
    assert.deepEqual([await two.devices.marks(), await two.profiles.all(), await two.instances.all()], [[], [], []]);
    assert.deepEqual([await two.settings.get("s"), await two.audit.page({ limit: 9 })], [undefined, []]);
    await Promise.all([one, two].map((storage) => storage.close()));
  });

  test("who has the lease stores while it is renewed, though it has run out, and not in a later term of its own (R6)", async () => {
    const url = await (await started()).newDatabase();
    const storage = await openStorage({ kind: "postgres", url }, box);
    await storage.leases.take("a", "one", 0);
    const held = storage.heldBy({ name: "a", holder: "one", term: 1 });
    const all = await Promise.all([
      ...Array.from({ length: 20 }, (_, number) => held.settings.put("s", number)),
      ...Array.from({ length: 20 }, () => storage.leases.renew("a", "one", 0)),
    ]);
    assert.ok(all.slice(20).every((renewed) => renewed === true));
    await storage.leases.release("a", "one");
    await storage.leases.take("a", "one", 60_000);
    await assert.rejects(held.settings.put("s", 0), { code: "fenced" });
    await held.close();
    await assert.rejects(storage.settings.get("s"), { code: "storage-closed" });
  });

  test("who stands still within a transaction does not keep its locks: the server ends it (R6)", async () => {
    const url = await (await started()).newDatabase();
    const sleepy = new SecretBox(KEY);
    const seal = sleepy.seal.bind(sleepy);
    const storage = await openStorage({ kind: "postgres", url }, sleepy);
    sleepy.seal = (...given) => {
      sleepy.seal = seal;
      // The whole process, as one that is paused.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 8500);
      return seal(...given);
    };
    await assert.rejects(storage.devices.import(devices(3), NOW), { code: "storage-unavailable" });
    assert.deepEqual(await storage.devices.import(devices(3), NOW), { inserted: 3, updated: 0, rejected: [] });
    await storage.close();
  });

  test("a connection cut by the server fails one call and is then replaced", async () => {
    const url = await (await started()).newDatabase();
    const storage = await openStorage({ kind: "postgres", url }, box);
    await storage.devices.import(devices(3), NOW);
    await runSql(
      url,
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    await storage.devices
      .countByState()
      .catch((error: unknown) => assert.equal((error as { code: string }).code, "storage-unavailable"));
    assert.equal((await storage.devices.countByState()).pending, 3);
    await storage.close();
  });
});

test("a server that is not there is named as such, without the password", async () => {
  const opened = openStorage({ kind: "postgres", url: "postgres://berth:hunter2@127.0.0.1:1/berth" }, box);
  await assert.rejects(opened, (error: Error & { code: string }) => {
    assert.equal(error.code, "storage-unavailable");
    assert.doesNotMatch(error.message, /hunter2/);
    return true;
  });
});
