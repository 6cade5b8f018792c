import { parentPort, workerData } from "node:worker_threads";
import { SharedNames, type SharedZone } from "../../src/dns/index.ts";

// Looks up names that stay live, while the main thread takes out and puts in others; tells how often one was not found.

const { zone, live, rounds } = workerData as { zone: SharedZone; live: readonly Uint8Array[]; rounds: number };
const names = new SharedNames(zone);
parentPort?.on("message", (now: SharedZone) => names.follow(now));
let [looked, missed] = [0, 0];
function look(): void {
  for (let count = 0; count < 1000; count++, looked++) {
    const name = live[looked % live.length] as Uint8Array;
    if (names.lookup(name, name.length) !== 7) missed++;
  }
  if (looked < rounds) setImmediate(look);
  else parentPort?.postMessage({ looked, missed });
}
look();
