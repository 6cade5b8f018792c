import { readFileSync } from "node:fs";
import { parse } from "yaml";
import {
  type BootstrapStep,
  type CompiledProfile,
  compileProfile,
  type DeviceFacts,
  decodeContent,
  decodeDiscover,
  parsePath,
  parseProfile,
  WRITE_FORMATS,
} from "../src/lwm2m/index.ts";

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

/** What Wakaama answers to Discover before its first bootstrap. */
const DISCOVER = Buffer.from("</>;lwm2m=1.1,</0/0>,</1>;ver=1.1,</2>,</3/0>,</4/0>,</5/0>,</6/0>,</7/0>");

function payloads(profile: CompiledProfile, device: DeviceFacts, format: number): [BootstrapStep, Uint8Array][] {
  const { steps } = profile.plan(device, { found: decodeDiscover(DISCOVER) });
  return steps.flatMap((step) => (step.kind === "write" ? [[step, step.payload(format)]] : []));
}

/**
 * What bootstrapping one device costs here: reading its answer to Discover, the plan of the example profile, with a
 * PSK of its own, and the payloads in each format.
 */
export function run(): Promise<Record<string, unknown>> {
  const profile = parseProfile(parse(readFileSync("examples/profile.yaml", "utf8")));
  const compiled = compileProfile(profile);
  const devices = Array.from({ length: 1000 }, (_, index) => ({
    endpoint: `urn:dev:demo-${index}`,
    attributes: { server_key: index.toString(16).padStart(32, "0") },
  }));
  const device = (index: number): (typeof devices)[number] =>
    devices[index % devices.length] ?? { endpoint: "", attributes: { server_key: "" } };
  const found = decodeDiscover(DISCOVER);
  const figures: Record<string, unknown> = {
    discoverMicroseconds: cpuMicroseconds(() => decodeDiscover(DISCOVER)),
    plainPlanMicroseconds: cpuMicroseconds((index) => compiled.plan(device(index), {})),
    placedPlanMicroseconds: cpuMicroseconds((index) => compiled.plan(device(index), { found })),
  };
  console.error(JSON.stringify(figures));
  for (const [name, format] of Object.entries(WRITE_FORMATS)) {
    const plan = cpuMicroseconds((index) => payloads(compiled, device(index), format));
    const writes = payloads(compiled, device(0), format);
    const read = cpuMicroseconds(() => {
      for (const [step, payload] of writes) if ("path" in step) decodeContent(format, parsePath(step.path), payload);
    });
    console.error(
      `${name.padEnd(10)}  plan and payloads of a device ${plan} us   reading its ${writes.length} writes ${read} us`,
    );
    figures[name] = { planMicroseconds: plan, readMicroseconds: read };
  }
  return Promise.resolve(figures);
}
