import { runFleet } from "../../dist/device/index.js";
import { seededRandom } from "../../dist/lib/random.js";
import { builtInRecipe } from "../../dist/naming/index.js";

/* Plays devices as `berth fleet` does, in a process of its own and compiled. Messages: see messages.ts. */
let work;

process.on("message", async (message) => {
  if (message.type === "prepare") {
    work = message;
    process.send({ type: "ready" });
    return;
  }
  const { devices, uri, resolver, burst, deadline, seed, loss } = work;
  const before = process.cpuUsage();
  const times = [];
  let [first, last] = [Number.POSITIVE_INFINITY, 0];
  const run = runFleet(
    {
      devices: devices.map(({ endpoint, psk }) => ({ endpoint, identity: endpoint, psk: Buffer.from(psk, "hex") })),
      uri,
      recipe: builtInRecipe("berth-1"),
      resolvers: [resolver],
      burst,
      deadline,
      random: seededRandom(seed),
      // No instance is killed here, and devices of the field wait for longer than those of `berth fleet`.
      limits: { silence: 60_000 },
      ...(loss === 0 ? {} : { impairment: { loss, duplicate: 0, reorder: 0 } }),
    },
    ({ ok, elapsed }) => {
      const now = Date.now();
      first = Math.min(first, now - elapsed);
      if (!ok) return;
      last = now;
      times.push(elapsed);
    },
  );
  const { failed, attempts, causes } = await run.done;
  const { user, system } = process.cpuUsage(before);
  process.send({ type: "done", first, last, times, failed, attempts, causes, cpu: (user + system) / 1000 });
  // Devices still answer what the instance repeats, until it is stopped.
  process.once("disconnect", () => run.stop());
});
