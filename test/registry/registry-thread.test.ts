import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import type { Worker } from "node:worker_threads";
import { builtInRecipe } from "../../src/naming/index.ts";
import { type PrimaryMemory, type RegistryTask, RegistryThread } from "../../src/registry/index.ts";
import { newKey, ZONE } from "../support/dns-servers.ts";
import { parts, states, ZONE_OPTIONS } from "./primary-fixture.ts";

/** A thread, what it logged, and what ends it as a fault would. */
async function started(task: RegistryTask): Promise<{ thread: RegistryThread; log: string[]; kill: () => Promise<number> }> {
  const workers: Worker[] = [];
  const note = (worker: Worker): void => void workers.push(worker);
  process.on("worker", note);
  const log: string[] = [];
  const keep = (_: unknown, message: string): void => void log.push(message);
  let memory: PrimaryMemory | undefined;
  const thread = await RegistryThread.start({
    task,
    store: {
      load: async () => memory,
      save: async (saved) => {
        memory = saved;
      },
    },
    log: { debug: keep, info: keep, warn: keep, error: keep },
  });
  process.off("worker", note);
  return { thread, log, kill: async () => (await workers[0]?.terminate()) ?? -1 };
}

test("a registry's thread that ends by a fault is begun again with a comparison", async () => {
  const { thread, log, kill } = await started({ kind: "primary", zone: ZONE_OPTIONS, key: newKey(), secondaries: [] });
  await thread.replace(parts(states(0, 3, 1)), 1);
  const under = thread.replace(parts(states(0, 1, 2)), 1).catch((error: unknown) => error);
  await kill();
  await under;
  await assert.rejects(thread.write(states(0, 1, 2)), { name: "RegistryUnavailable", code: "zone" });
  assert.deepEqual(log.filter((message) => message.includes("has ended")).length, 1);
  assert.equal((await thread.replace(parts(states(0, 4, 1)), 1)).names, 4);
  assert.equal((await thread.write(states(4, 5, 1))).names, 5);
  await kill();
  await thread.close();
  await assert.rejects(thread.replace(parts(states(0, 4, 1)), 1), { code: "zone" }, "none is begun after the end");
});

test("closing does not wait for a server that takes requests and does not answer", async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const place = silent.address();
  assert.ok(place !== null && typeof place === "object");
  const { thread } = await started({
    kind: "rfc2136",
    server: { address: "127.0.0.1", port: place.port },
    key: newKey(),
    zone: ZONE,
    ttl: 30,
    owner: { fleet: "demo", term: 1 },
    recipe: builtInRecipe("berth-1"),
    uri: `coaps://bs.${ZONE}`,
  });
  const begun = Date.now();
  const replacing = assert.rejects(thread.replace(parts(states(0, 3, 1)), 1), { name: "RegistryUnavailable" });
  while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await thread.close();
  await replacing;
  assert.ok(Date.now() - begun < 5000);
  for (const socket of sockets) socket.destroy();
  silent.close();
});
