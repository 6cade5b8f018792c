import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type ImportProblem,
  type ImportProgress,
  importDevices,
  openStorage,
  readDevices,
  type Storage,
} from "../../src/storage/index.ts";
import { box, chunks, collect, NOW } from "./samples.ts";

const PSK = "00112233445566778899aabbccddeeff";
let storage: Storage;
before(async () => {
  storage = await openStorage({ kind: "memory" }, box);
});
after(() => storage.close());

async function run(text: string): Promise<{ result: ImportProgress; problems: ImportProblem[]; steps: ImportProgress[] }> {
  const problems: ImportProblem[] = [];
  const steps: ImportProgress[] = [];
  const result = await importDevices(readDevices(chunks(text, 1000), "csv"), {
    store: (batch) => storage.devices.import(batch, NOW),
    onProblem: (problem) => problems.push(problem),
    onProgress: (step) => steps.push(step),
  });
  return { result, problems, steps };
}

test("a file goes in batch by batch; what the file or the database refuses is told by line", async () => {
  const rows = Array.from({ length: 2500 }, (_, index) => `urn:${String(index).padStart(4, "0")},${PSK},`);
  rows[3] = "bad,xx,";
  rows[7] = `thief,${PSK},urn:0001`;
  rows[1200] = `late thief,${PSK},urn:0002`;
  rows[1300] = "urn:weak,0011223344556677,";
  const text = `endpoint,psk,identity\n${rows.join("\n")}\n`;
  const { result, problems, steps } = await run(text);
  assert.deepEqual(result, { bytes: text.length, inserted: 2497, updated: 0, rejected: 3, weak: 1 });
  assert.deepEqual(problems, [
    { line: 5, reason: "psk: only the hex digits 0-9 and a-f are allowed" },
    { line: 9, reason: "its identity belongs to urn:0001" },
    { line: 1202, reason: "its identity belongs to urn:0002" },
  ]);
  assert.deepEqual(steps.at(-1), result);
  assert.ok(steps.length >= 3 && steps.every((step, index) => step.bytes >= (steps[index - 1]?.bytes ?? 0)));
  assert.equal((await collect(storage.devices.all())).flat().length, 2497);
  assert.deepEqual(await run(text).then((again) => again.result), { ...result, inserted: 0, updated: 2497 });
});

test("a file that breaks in the middle leaves what came before stored", async () => {
  const text = `endpoint,psk\nbefore,${PSK}\nafter,"${PSK}`;
  await assert.rejects(run(text), { message: "line 3: a quote is not closed before the end of the file" });
  assert.notEqual(await storage.devices.get("before"), undefined);
});

test("a batch that cannot be stored ends the import, and is tried once", async () => {
  const text = `endpoint,psk\n${Array.from({ length: 1500 }, (_, index) => `urn:x${index},${PSK}\n`).join("")}`;
  let calls = 0;
  const store = (): Promise<never> => {
    calls++;
    return Promise.reject(new Error("no"));
  };
  await assert.rejects(importDevices(readDevices(chunks(text, 1000), "csv"), { store, onProblem: () => {} }), { message: "no" });
  assert.equal(calls, 1);
});
