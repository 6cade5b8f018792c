import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import type { AuditEntry, PastBootstrap } from "../../src/control/index.ts";
import {
  type DeviceRecord,
  type DeviceRow,
  type DeviceState,
  openStorage,
  SecretBox,
  type Storage,
  type StorageOptions,
} from "../../src/storage/index.ts";
import { box, collect, device, devices, endpointOf, KEY, NOW, progress } from "./samples.ts";

/** One kind of database under test. */
export interface Subject {
  readonly options: StorageOptions;
  /** Runs a statement behind Berth's back, while no storage is open, and gives the rows it returns. */
  sql(statement: string): Promise<unknown[]>;
}

function named(number: number): Pick<DeviceRecord, "endpoint" | "identity"> {
  return { endpoint: endpointOf(number), identity: endpointOf(number) };
}

/** What every database must do. `subject` makes an empty one. */
export function storageContract(makeSubject: () => Promise<Subject>): void {
  let subject: Subject;
  let storage: Storage;
  const reopen = async (): Promise<void> => {
    await storage.close();
    storage = await openStorage(subject.options, box);
  };
  const whileClosed = async (work: () => Promise<void>): Promise<void> => {
    await storage.close();
    try {
      await work();
    } finally {
      storage = await openStorage(subject.options, box);
    }
  };
  before(async () => {
    subject = await makeSubject();
    storage = await openStorage(subject.options, box);
  });
  beforeEach(async () => {
    await storage.devices.remove((await collect(storage.devices.all())).flat().map(({ endpoint }) => endpoint));
  });
  after(() => storage.close());

  test("a device comes back as it went in, and is pending", async () => {
    const given = device(1, {
      group: "north",
      profile: "meter",
      secret: new Uint8Array(32).fill(9),
      attributes: { site: 'Köln, "A"', __proto__x: "1" },
    });
    assert.deepEqual(await storage.devices.import([given], NOW), { inserted: 1, updated: 0, rejected: [] });
    const {
      state,
      failure,
      instance,
      session,
      commencedAt,
      completedAt,
      attempts,
      failures,
      counter,
      skipped,
      updatedAt,
      ...record
    } = (await storage.devices.get(given.endpoint)) as DeviceRow;
    assert.deepEqual(record, given);
    assert.deepEqual([state, failure, instance, session, commencedAt, completedAt], ["pending", null, null, null, null, null]);
    assert.deepEqual([attempts, failures, counter, skipped, updatedAt], [0, 0, 0, 0, NOW]);
    assert.equal(await storage.devices.get("urn:dev:nobody"), undefined);
  });

  test("a device of each mode comes back as it went in, after a restart too", async () => {
    const { psk: _, ...plain } = device(0);
    const publicKey = Uint8Array.from({ length: 91 }, (_, index) => index);
    const given: DeviceRecord[] = [
      device(1),
      { ...plain, ...named(2), mode: "x509", secret: new Uint8Array(20).fill(2) },
      { ...plain, ...named(3), mode: "rpk", identity: "a3".repeat(32), publicKey },
      { ...plain, ...named(4), mode: "nosec", secret: new Uint8Array(20).fill(4) },
    ];
    assert.equal((await storage.devices.import(given, NOW)).inserted, 4);
    await reopen();
    const rows = (await collect(storage.devices.all())).flat();
    const keys = rows.map(({ endpoint, mode, identity, psk, publicKey: key, secret }) => [
      endpoint,
      mode,
      identity,
      psk,
      key,
      secret,
    ]);
    assert.deepEqual(
      keys,
      given.map(({ endpoint, mode, identity, psk, publicKey: key, secret }) => [endpoint, mode, identity, psk, key, secret]),
    );
    // A device may change its mode; what belonged to the one before is gone.
    await storage.devices.import([{ ...plain, ...named(3), mode: "psk", psk: new Uint8Array(16) }], NOW);
    const changed = await storage.devices.get(endpointOf(3));
    assert.deepEqual([changed?.mode, changed?.identity, changed?.publicKey], ["psk", endpointOf(3), undefined]);
  });

  test("no key or secret stands in the database in clear", async () => {
    const secrets = ["pre-shared key 0", "public key 01234", "name secret 0123"];
    const [psk, publicKey, secret] = secrets.map((text) => new Uint8Array(Buffer.from(text)));
    const { psk: _, ...plain } = device(0);
    assert.ok(psk !== undefined && publicKey !== undefined && secret !== undefined);
    const rpk: DeviceRecord = { ...plain, ...named(2), mode: "rpk", identity: "00".repeat(32), publicKey, secret };
    assert.equal((await storage.devices.import([device(1, { psk, attributes: { pin: "4711" } }), rpk], NOW)).inserted, 2);
    let stored = "";
    await whileClosed(async () => {
      stored = JSON.stringify(await subject.sql("select endpoint, encode(sealed, 'escape') as sealed, device::text from device"));
    });
    assert.ok(stored.includes(endpointOf(2)));
    for (const text of [...secrets, "4711"]) {
      for (const encoding of ["utf8", "hex", "base64"] as const)
        assert.ok(!stored.includes(Buffer.from(text).toString(encoding)));
    }
  });

  test("devices stored before there were modes prove themselves by a PSK", async () => {
    await storage.devices.import(devices(3), NOW);
    await whileClosed(async () => {
      await subject.sql("alter table device drop column mode, drop column history, drop column counter, drop column skipped");
      await subject.sql("drop table audit, lease");
      await subject.sql("delete from berth_schema where version > 1");
    });
    const rows = (await collect(storage.devices.all())).flat();
    assert.deepEqual(
      rows.map(({ endpoint, mode, psk }) => [endpoint, mode, psk]),
      devices(3).map(({ endpoint, psk }) => [endpoint, "psk", psk]),
    );
  });

  test("what was stored is there after reopening", async () => {
    await storage.devices.import(devices(3), NOW);
    await storage.devices.saveProgress([progress(1)]);
    await storage.settings.put("answer", 7);
    await reopen();
    assert.deepEqual(await storage.devices.countByState(), { pending: 2, commenced: 1, completed: 0 });
    assert.equal(await storage.settings.get("answer"), 7);
  });

  test("how far a device has counted is kept with its progress, and by an import, up to 2^53-1 (N3)", async () => {
    await storage.devices.import([device(1), device(2)], NOW);
    await storage.devices.saveProgress([progress(1, { counter: 2 ** 53 - 1, skipped: 1000 })]);
    await storage.devices.import([device(1)], NOW);
    const rows = (await collect(storage.devices.all())).flat();
    assert.deepEqual(
      rows.map(({ counter, skipped }) => [counter, skipped]),
      [
        [2 ** 53 - 1, 1000],
        [0, 0],
      ],
    );
  });

  test("importing a device again changes its record and keeps its state", async () => {
    await storage.devices.import([device(1)], NOW);
    await storage.devices.saveProgress([progress(1)]);
    const changed = device(1, { psk: new Uint8Array(20).fill(1), profile: "other", identity: "id-1" });
    assert.deepEqual(await storage.devices.import([changed, device(2)], NOW + 5), { inserted: 1, updated: 1, rejected: [] });
    const row = await storage.devices.get(endpointOf(1));
    assert.deepEqual(
      [row?.psk, row?.profile, row?.identity, row?.state, row?.session],
      [changed.psk, "other", "id-1", "commenced", "s-1"],
    );
  });

  test("of several rows with one endpoint the last counts", async () => {
    const rows = [device(1, { profile: "a" }), device(2), device(1, { profile: "b" })];
    assert.deepEqual(await storage.devices.import(rows, NOW), { inserted: 2, updated: 1, rejected: [] });
    assert.equal((await storage.devices.get(endpointOf(1)))?.profile, "b");
  });

  test("an identity belongs to one endpoint", async () => {
    await storage.devices.import([device(1)], NOW);
    const thief = device(2, { identity: endpointOf(1) });
    const twins = [device(3, { identity: "twin" }), device(4, { identity: "twin" })];
    assert.deepEqual(await storage.devices.import([thief, ...twins], NOW), {
      inserted: 1,
      updated: 0,
      rejected: [
        { endpoint: endpointOf(4), reason: `its identity belongs to ${endpointOf(3)}` },
        { endpoint: endpointOf(2), reason: `its identity belongs to ${endpointOf(1)}` },
      ],
    });
    // What looks like the fingerprint of a raw public key may be a PSK identity, and an endpoint name too; but not both.
    const { psk: _, ...plain } = device(0);
    const fingerprint = "ab".repeat(32);
    const publicKey = new Uint8Array(91);
    const claims: DeviceRecord[] = [
      device(5, { identity: fingerprint }),
      { ...plain, ...named(6), mode: "rpk", identity: fingerprint, publicKey },
      device(7, { identity: endpointOf(8) }),
      { ...plain, ...named(8), mode: "x509", secret: new Uint8Array(16) },
    ];
    const refused = [
      { endpoint: endpointOf(6), reason: `its public key's SHA-256 is the identity of ${endpointOf(5)}` },
      { endpoint: endpointOf(8), reason: `its endpoint is the identity of ${endpointOf(7)}` },
    ];
    assert.deepEqual((await storage.devices.import(claims, NOW)).rejected, refused);
    const latecomers = claims.filter(({ mode }) => mode !== "psk");
    assert.deepEqual((await storage.devices.import(latecomers, NOW)).rejected, refused);
    // Once the owner has another identity, the old one is free.
    await storage.devices.import([device(1, { identity: "new" })], NOW);
    assert.equal((await storage.devices.import([thief], NOW)).inserted, 1);
  });

  test("a record that breaks a limit is rejected, and the rest goes in", async () => {
    const { inserted, rejected } = await storage.devices.import([device(1, { psk: new Uint8Array(3) }), device(2)], NOW);
    assert.equal(inserted, 1);
    assert.deepEqual(rejected, [{ endpoint: endpointOf(1), reason: "psk has 3 bytes, at least 16 are needed" }]);
  });

  test("all devices come in batches, in order, with their keys", async () => {
    await storage.devices.import(devices(25).reverse(), NOW);
    for (const size of [1, 10, 25, 26]) {
      const batches = await collect(storage.devices.all(size));
      assert.ok(batches.every((batch) => batch.length > 0 && batch.length <= size));
      assert.deepEqual(
        batches.flat().map(({ endpoint, psk }) => [endpoint, psk]),
        devices(25).map(({ endpoint, psk }) => [endpoint, psk]),
      );
    }
  });

  test("batches larger than one statement go in and come out", async () => {
    assert.deepEqual(await storage.devices.import(devices(2500), NOW), { inserted: 2500, updated: 0, rejected: [] });
    assert.equal(await storage.devices.saveProgress(devices(2500).map((_, number) => progress(number))), 2500);
    assert.equal((await collect(storage.devices.all(1000))).flat().filter(({ state }) => state === "commenced").length, 2500);
  });

  test("a page shows devices without their keys, by state, from a place on", async () => {
    await storage.devices.import(devices(6), NOW);
    await storage.devices.saveProgress([progress(1), progress(3), progress(5)]);
    const page = await storage.devices.page({ state: "commenced", after: endpointOf(1), limit: 1 });
    assert.deepEqual(page, [{ ...progress(3), mode: "psk", identity: endpointOf(3), profile: "default", group: null }]);
    assert.deepEqual(
      (await storage.devices.page({ limit: 2 })).map(({ endpoint }) => endpoint),
      [endpointOf(0), endpointOf(1)],
    );
    await assert.rejects(storage.devices.page({ limit: 0 }), { code: "invalid-input" });
  });

  test("endpoints are ordered by their bytes, whatever the locale", async () => {
    const endpoints = ["b", "B", "a", "Z", "ä", "_"];
    await storage.devices.import(
      endpoints.map((endpoint, number) => device(number, { endpoint, identity: endpoint })),
      NOW,
    );
    const sorted = endpoints.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    assert.deepEqual(
      (await storage.devices.page({ limit: 10 })).map(({ endpoint }) => endpoint),
      sorted,
    );
  });

  test("removed devices are gone; unknown ones are not counted", async () => {
    await storage.devices.import(devices(3), NOW);
    assert.equal(await storage.devices.remove([endpointOf(0), endpointOf(2), "urn:dev:nobody"]), 2);
    assert.deepEqual(
      (await storage.devices.page({ limit: 9 })).map(({ endpoint }) => endpoint),
      [endpointOf(1)],
    );
  });

  test("progress replaces all of the old progress, and passes over unknown devices", async () => {
    await storage.devices.import(devices(2), NOW);
    const done = progress(1, {
      state: "completed",
      session: null,
      completedAt: 2 ** 53 - 1,
      failures: 2,
      failure: "timeout",
    });
    assert.equal(await storage.devices.saveProgress([progress(1), progress(77), done]), 1);
    const [row] = await storage.devices.page({ after: endpointOf(0), limit: 1 });
    assert.deepEqual(row, { ...done, mode: "psk", identity: endpointOf(1), profile: "default", group: null });
  });

  test("a device's last bootstraps are kept, the latest first; progress without any leaves them, and so does an import", async () => {
    const past = (n: number): PastBootstrap => ({
      at: NOW + n,
      instance: n % 2 === 0 ? null : "bs-1",
      name: n % 3 === 0 ? null : "0123456789ab",
      duration: n,
      outcome: n % 2 === 0 ? "deadline" : "completed",
    });
    await storage.devices.import(devices(2), NOW);
    assert.deepEqual(await storage.devices.history(endpointOf(1)), []);
    for (const n of [1, 2, 3]) await storage.devices.saveProgress([progress(0), progress(1, { ended: [past(n)] })]);
    await storage.devices.saveProgress([progress(1)]);
    await storage.devices.saveProgress([progress(1, { ended: [] })]);
    await storage.devices.import(devices(2), NOW);
    assert.deepEqual(await storage.devices.history(endpointOf(1)), [past(3), past(2), past(1)]);
    assert.deepEqual(await storage.devices.history(endpointOf(0)), []);
    await storage.devices.saveProgress([progress(1, { ended: [9, 8, 7, 6, 5, 4].map(past) })]);
    await reopen();
    assert.deepEqual(await storage.devices.history(endpointOf(1)), [9, 8, 7, 6, 5, 4, 3, 2].map(past));
    assert.deepEqual(await storage.devices.history("urn:dev:nobody"), []);
  });

  test("the audit log comes back newest first, page by page, and keeps the last ten thousand entries", async () => {
    const entry = (n: number): Omit<AuditEntry, "id"> => ({
      at: NOW + n,
      kind: "rotation",
      subject: n % 2 === 0 ? null : "bs-1",
      trigger: "timer",
      reason: `reason ${n}`,
      counts: { moved: n },
    });
    await storage.audit.add([]);
    await storage.audit.add([0, 1, 2].map(entry));
    await storage.audit.add([entry(3)]);
    await reopen();
    const first = await storage.audit.page({ limit: 3 });
    const second = await storage.audit.page({ limit: 3, before: first.at(-1)?.id });
    assert.deepEqual(
      [...first, ...second].map(({ id: _, ...rest }) => rest),
      [3, 2, 1, 0].map(entry),
    );
    for (let n = 0; n < 12; n++) await storage.audit.add(Array.from({ length: 1000 }, (_, k) => entry(n * 1000 + k)));
    const all = await storage.audit.page({ limit: 20_000 });
    assert.ok(all.length >= 10_000 && all.length <= 10_500, `${all.length} entries`);
    assert.deepEqual(all[0]?.reason, "reason 11999");
  });

  test("marks never go down and are kept per run", async () => {
    const mark = { instance: "bs-1", bootId: "x", sequence: 5, updatedAt: NOW };
    await storage.devices.saveProgress([], [mark, { ...mark, sequence: 4 }, { ...mark, bootId: "y", sequence: 1 }]);
    await storage.devices.saveProgress([], [{ ...mark, sequence: 3 }]);
    assert.deepEqual(await storage.devices.marks(), [mark, { ...mark, bootId: "y", sequence: 1 }]);
    // The run "y" is a day old by then.
    const later = { ...mark, sequence: 6, updatedAt: NOW + 2 * 86_400_000 };
    await storage.devices.saveProgress([], [later]);
    assert.deepEqual(await storage.devices.marks(), [later]);
  });

  test("progress and marks are written together or not at all", async () => {
    await storage.devices.import(devices(2), NOW);
    const badMark = { instance: "bs-1", bootId: "x", sequence: 0.5, updatedAt: NOW };
    await assert.rejects(storage.devices.saveProgress([progress(1)], [badMark]), {
      name: "StorageError",
      code: "storage-failed",
    });
    await assert.rejects(storage.devices.saveProgress([progress(0), progress(1, { state: "lost" as DeviceState })]), {
      code: "storage-failed",
    });
    assert.deepEqual(await storage.devices.countByState(), { pending: 2, commenced: 0, completed: 0 });
    assert.equal(await storage.devices.saveProgress([progress(1)]), 1);
  });

  test("calls at once do not disturb each other", async () => {
    const [first, second] = [devices(60).slice(0, 40), devices(60).slice(20)];
    const results = await Promise.all([
      storage.devices.import(first, NOW),
      storage.devices.import(second, NOW),
      storage.settings.put("a", 1),
      storage.devices.saveProgress([progress(99)]).then(() => ({ inserted: 0, updated: 0 })),
    ]);
    assert.deepEqual([results[0].inserted + results[1].inserted, results[0].updated + results[1].updated], [60, 20]);
  });

  test("a profile's version rises with its body", async () => {
    assert.deepEqual(await storage.profiles.put("p", { servers: [1] }, NOW), {
      name: "p",
      version: 1,
      body: { servers: [1] },
      updatedAt: NOW,
    });
    assert.equal((await storage.profiles.put("p", { servers: [1] }, NOW + 1)).version, 1);
    assert.equal((await storage.profiles.put("p", { servers: [2] }, NOW + 2)).version, 2);
    assert.deepEqual(await storage.profiles.get("p"), { name: "p", version: 2, body: { servers: [2] }, updatedAt: NOW + 2 });
    assert.equal(await storage.profiles.get("q"), undefined);
    assert.deepEqual(
      (await storage.profiles.all()).map(({ name }) => name),
      ["p"],
    );
  });

  test("instances are put, replaced, listed and removed", async () => {
    const one = {
      id: "bs-1",
      ipv4: "127.0.0.11",
      ipv6: null,
      state: "serving",
      registeredAt: NOW,
      lastSeen: NOW,
    };
    const two = { ...one, id: "bs-2", ipv6: "::1" };
    await storage.instances.put(two);
    await storage.instances.put({ ...one, state: "lost" });
    await storage.instances.put(one);
    assert.deepEqual(await storage.instances.all(), [one, two]);
  });

  test("settings hold any JSON value", async () => {
    for (const value of [{ version: 1, name: "berth-1" }, 0, "text", [1, null], null, false]) {
      await storage.settings.put("value", value);
      assert.deepEqual(await storage.settings.get("value"), value);
    }
    assert.equal(await storage.settings.get("nothing"), undefined);
  });

  test("another key is refused, and the right one still opens", async () => {
    await whileClosed(async () => {
      await assert.rejects(openStorage(subject.options, new SecretBox(KEY.map((byte) => byte + 1))), {
        code: "storage-key-wrong",
      });
    });
  });

  test("sealed credentials that were moved to another row do not open", async () => {
    await storage.devices.import(devices(2), NOW);
    await whileClosed(async () => {
      await subject.sql(
        `update device set sealed = (select sealed from device where endpoint = '${endpointOf(0)}') where endpoint = '${endpointOf(1)}'`,
      );
    });
    assert.equal((await storage.devices.get(endpointOf(0)))?.endpoint, endpointOf(0));
    await assert.rejects(storage.devices.get(endpointOf(1)), { code: "storage-sealed-damaged" });
    await storage.devices.remove([endpointOf(1)]);
  });

  test("a lease has one holder at a time, by the database's clock; each new one has a higher term (R6)", async () => {
    const { leases } = storage;
    assert.deepEqual(await leases.take("a", "one", 60_000), { taken: true, term: 1, from: null });
    const refused = await leases.take("a", "two", 60_000);
    assert.equal(refused.taken, false);
    if (refused.taken) return;
    assert.equal(refused.holder, "one");
    assert.ok(refused.left > 50_000 && refused.left <= 60_000, String(refused.left));
    assert.deepEqual(await leases.take("a", "one", 60_000), { taken: true, term: 1, from: null }, "it is its own already");
    assert.deepEqual(await leases.take("b", "two", 60_000), { taken: true, term: 1, from: null }, "another lease");
    assert.equal(await leases.renew("a", "two", 60_000), false);
    await leases.release("a", "two");
    assert.equal(await leases.renew("a", "one", 60_000), true);
    await leases.release("a", "one");
    assert.equal(await leases.renew("a", "one", 60_000), false);
    await reopen();
    assert.deepEqual(await storage.leases.take("a", "two", 60_000), { taken: true, term: 2, from: null });
  });

  test("a lease that has run out is its holder's until another takes it; that one is told whose it was (R6)", async () => {
    const { leases } = storage;
    await leases.take("c", "one", 0);
    assert.equal(await leases.renew("c", "one", 0), true);
    assert.deepEqual(await leases.take("c", "two", 60_000), { taken: true, term: 2, from: "one" });
    assert.equal(await leases.renew("c", "one", 60_000), false);
    assert.deepEqual(
      await leases.take("c", "three", 60_000, true),
      { taken: true, term: 3, from: "two" },
      "it is known to be gone",
    );
  });

  test("of many that ask for a lease at once one has it (R6)", async () => {
    for (const [name, span] of [
      ["d", 60_000],
      ["d", 60_000],
      ["e", 0],
    ] as const) {
      const all = await Promise.all(Array.from({ length: 8 }, (_, number) => storage.leases.take(name, `${number}`, span)));
      const terms = all.flatMap((each) => (each.taken ? [each.term] : []));
      // One that has run out at once goes from hand to hand, each time with a term of its own.
      assert.equal(new Set(terms).size, terms.length);
      if (span > 0) assert.ok(terms.length <= 1, String(terms));
    }
  });

  test("a schema from the future is refused", async () => {
    await whileClosed(async () => {
      await subject.sql("insert into berth_schema (version) values (999)");
      await assert.rejects(openStorage(subject.options, box), {
        code: "storage-newer",
        message: /schema 999, this Berth knows up to \d+/,
      });
      await subject.sql("delete from berth_schema where version = 999");
    });
  });

  test("after closing, every call says so", async () => {
    await storage.close();
    await storage.close();
    await assert.rejects(storage.devices.get("x"), { code: "storage-closed" });
    await assert.rejects(storage.devices.saveProgress([progress(1)]), { code: "storage-closed" });
    storage = await openStorage(subject.options, box);
  });
}
