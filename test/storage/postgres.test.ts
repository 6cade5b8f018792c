import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { openStorage } from "../../src/storage/index.ts";
import { storageContract } from "./contract.ts";
import { findPostgres, INSTALL_HINT, type PostgresServer, runSql, startPostgres } from "./postgres-server.ts";
import { box, devices, NOW } from "./samples.ts";

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
