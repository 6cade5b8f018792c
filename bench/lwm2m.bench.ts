import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { compileProfile, decodeContent, parsePath, parseProfile, WRITE_FORMATS } from "../src/lwm2m/index.ts";

const RUNS = 50_000;

/** Microseconds of CPU time of one call, the least of five rounds: other work on the machine only adds. */
function cpuMicroseconds(work: (run: number) => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round += 1) {
    const start = process.cpuUsage();
    for (let run = 0; run < RUNS; run += 1) work(run);
    const { user, system } = process.cpuUsage(start);
    least = Math.min(least, (user + system) / RUNS);
  }
  return Math.round(least * 100) / 100;
}

/** What bootstrapping one device costs here: the steps of the example profile, with a PSK of its own, in each format. */
export function run(): Promise<Record<string, unknown>> {
  const profile = parseProfile(parse(readFileSync("examples/profile.yaml", "utf8")));
  const compiled = compileProfile(profile);
  const devices = Array.from({ length: 1000 }, (_, index) => ({
    endpoint: `urn:dev:demo-${index}`,
    attributes: { server_key: index.toString(16).padStart(32, "0") },
  }));
  const device = (index: number): (typeof devices)[number] =>
    devices[index % devices.length] ?? { endpoint: "", attributes: { server_key: "" } };
  const figures: Record<string, unknown> = {};
  for (const [name, format] of Object.entries(WRITE_FORMATS)) {
    const steps = cpuMicroseconds((index) => compiled.steps(device(index), format));
    const writes = compiled.steps(device(0), format).flatMap((step) => (step.kind === "write" ? [step] : []));
    const read = cpuMicroseconds(() => {
      for (const write of writes) decodeContent(write.contentFormat, parsePath(write.path), write.payload);
    });
    console.error(`${name.padEnd(10)}  steps of a device ${steps} us   reading its ${writes.length} writes ${read} us`);
    figures[name] = { stepsMicroseconds: steps, readMicroseconds: read };
  }
  return Promise.resolve(figures);
}
