import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openStorage, type Storage } from "../../src/storage/index.ts";
import { box, collect, endpointOf, temporaryFolder } from "./samples.ts";

const WRITER = [process.execPath, "--import", "tsx", fileURLToPath(new URL("./writer.ts", import.meta.url))] as const;

function startWriter(folder: string, task = "write"): { readonly process: ChildProcess; readonly lines: AsyncIterator<string> } {
  const child = spawn(WRITER[0], [...WRITER.slice(1), folder, task], { stdio: ["ignore", "pipe", "inherit"] });
  return { process: child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

describe("a folder through crashes", () => {
  const folder = temporaryFolder();
  after(folder.remove);
  const open = (): Promise<Storage> => openStorage({ kind: "pglite", folder: folder.path }, box);

  test("files that were half made when the process died are made anew", async () => {
    mkdirSync(join(folder.path, "pg"));
    writeFileSync(join(folder.path, "pg", "PG_VERSION"), "18\n");
    writeFileSync(join(folder.path, "creating"), "");
    await (await open()).close();
    assert.equal(existsSync(join(folder.path, "creating")), false);
    assert.equal(statSync(join(folder.path, "pg")).mode & 0o077, 0, "only the owner may read the files");
  });

  test("killed with -9 in mid-write, no committed row is lost, and the lock of the dead is taken over", async () => {
    let reported = 0;
    for (const commits of [3, 25]) {
      const writer = startWriter(folder.path);
      assert.equal((await writer.lines.next()).value, "open");
      for (let count = 0; count < commits; count++) reported = Number((await writer.lines.next()).value);
      writer.process.kill("SIGKILL");
      // What it reported before the signal reached it counts as well.
      for (let line = await writer.lines.next(); line.done !== true; line = await writer.lines.next())
        reported = Number(line.value);
      const storage = await open();
      const rows = (await collect(storage.devices.all())).flat();
      const commenced = rows.filter(({ state }) => state === "commenced");
      const [mark] = await storage.devices.marks();
      await storage.close();
      assert.ok(commenced.length >= reported, `${reported} reported, ${commenced.length} there`);
      assert.equal(commenced.length % 40, 0, "a batch is there as a whole or not at all");
      assert.equal(mark?.sequence, commenced.length, "marks are as far as the devices");
      for (let number = 0; number < reported; number++) assert.equal(commenced[number]?.endpoint, endpointOf(number));
    }
    assert.ok(reported >= 28 * 40);
  });

  test("a folder in use is refused, also to the same process, and names the holder", async () => {
    const holder = startWriter(folder.path, "hold");
    assert.equal((await holder.lines.next()).value, "open");
    await assert.rejects(open(), { code: "storage-locked", message: new RegExp(`process ${holder.process.pid}`) });
    holder.process.kill("SIGKILL");
    await once(holder.process, "exit");
    const storage = await open();
    await assert.rejects(open(), { code: "storage-locked", message: new RegExp(`process ${process.pid}`) });
    await storage.close();
    await (await open()).close();
  });

  test("a storage that was not closed does not keep the process from ending", () => {
    const script = `
      import { openStorage } from ${JSON.stringify(join(import.meta.dirname, "../../src/storage/index.ts"))};
      import { box } from ${JSON.stringify(join(import.meta.dirname, "samples.ts"))};
      const storage = await openStorage({ kind: "pglite", folder: ${JSON.stringify(folder.path)} }, box);
      console.log((await storage.devices.countByState()).pending);`;
    const ended = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
      encoding: "utf8",
      timeout: 120_000,
    });
    assert.deepEqual([ended.status, ended.stdout.trim(), ended.stderr], [0, "0", ""]);
  });
});

test("a write the disk refuses rejects with a code, and what was committed is there afterwards", async (context) => {
  if (process.platform === "win32") return context.skip("needs ulimit");
  const folder = temporaryFolder();
  context.after(folder.remove);
  // No file may grow beyond 20 MiB: the log's segments of 16 MiB can be made, a large table cannot.
  const limit = 20 * 1024 * 2;
  await (await openStorage({ kind: "pglite", folder: folder.path }, box)).close();
  const command = `trap '' XFSZ; ulimit -f ${limit}; exec "$@"`;
  const filled = spawnSync("sh", ["-c", command, "sh", ...WRITER, folder.path, "fill"], { encoding: "utf8", timeout: 120_000 });
  const lines = filled.stdout.trim().split("\n");
  const reported = Number(lines.findLast((line) => /^\d+$/.test(line)));
  assert.match(filled.stdout, /^refused storage-(full|failed)$/m, filled.stderr);
  assert.ok(reported > 0, filled.stdout);
  const storage = await openStorage({ kind: "pglite", folder: folder.path }, box);
  assert.equal((await storage.devices.countByState()).commenced, reported);
  await storage.close();
});

test("a folder that cannot be made is an error with a code", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder.path, "file"), "");
  await assert.rejects(openStorage({ kind: "pglite", folder: join(folder.path, "file") }, box), { code: "storage-unavailable" });
  assert.equal(readFileSync(join(folder.path, "file"), "utf8"), "");
  folder.remove();
});
