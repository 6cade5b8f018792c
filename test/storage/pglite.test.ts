import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { PGlite } from "@electric-sql/pglite";
import { openStorage } from "../../src/storage/index.ts";
import { storageContract } from "./contract.ts";
import { box, devices, NOW, temporaryFolder } from "./samples.ts";

describe("PGlite in a folder", () => {
  const folder = temporaryFolder();
  after(folder.remove);

  storageContract(async () => ({
    options: { kind: "pglite", folder: folder.path },
    async sql(statement) {
      const raw = await PGlite.create(join(folder.path, "pg"));
      const { rows } = await raw.query(statement);
      await raw.close();
      return rows;
    },
  }));
});

test("in memory, all is forgotten when it is closed", async () => {
  const storage = await openStorage({ kind: "memory" }, box);
  await storage.devices.import(devices(3), NOW);
  assert.deepEqual(await storage.devices.countByState(), { pending: 3, commenced: 0, completed: 0 });
  await storage.close();
});
