import { parseArgs } from "node:util";
import { fuzz } from "./campaign.ts";

// `npm run fuzz -- [--datagrams N] [--seed N]`: hostile input at length, against a running system built from src/.

const { values } = parseArgs({ options: { datagrams: { type: "string", default: "100000" }, seed: { type: "string" } } });
const datagrams = Number(values.datagrams);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
if (!Number.isInteger(datagrams) || datagrams < 1000 || !Number.isInteger(seed)) {
  console.error("fuzz: --datagrams is a whole number from 1000 on, --seed a whole number");
  process.exit(2);
}
console.error(`seed ${seed}`);
const started = performance.now();
const { memory, ...figures } = await fuzz({ datagrams, seed, say: (line) => console.error(line) });
for (const [name, { start, warm, end }] of Object.entries(memory)) {
  console.error(`${name}: ${start} MB at the start, ${warm} MB warm, ${end} MB in the end`);
}
const grown = Object.entries(memory).filter(([, { warm, end }]) => end > warm * 1.5 + 50);
const seconds = Math.round((performance.now() - started) / 1000);
console.log(JSON.stringify({ datagrams, seed, seconds, memory, ...figures }));
if (grown.length > 0) {
  console.error(`fuzz: ${grown.map(([name]) => name).join(", ")} grew`);
  process.exitCode = 1;
}
process.exit();
