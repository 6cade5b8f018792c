import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { toHex } from "../src/lib/bytes.ts";
import { seededRandom } from "../src/lib/random.ts";
import { pause } from "../src/net/index.ts";
import type { FromDevices, ToDevices } from "./storm/messages.ts";
import { Site, type StormDevice } from "./storm/site.ts";

/** One process plays so many devices: each has a socket, and processes may have some 20,000 files open. */
const DEVICES_A_PROCESS = 10_000;
/** Codes by which an instance says no, as devices tell them. */
const ERROR_ANSWERS = ["refused", "busy"];

/**
 * Devices that come all at once: `--devices N` (4000) arrive evenly at random within `--burst SECONDS` (2) at `--instances N`
 * (1), each with a look-up in DNS, a socket and a DTLS handshake of its own. Balancer, instances and devices are processes
 * of their own, compiled and just started. `--seed N`, `--loss SHARE` of the datagrams each way, `--deadline SECONDS`
 * (300). Ends with exit code 1 when a device did not complete or got an error answer.
 */
export async function run(args: readonly string[]): Promise<Record<string, unknown>> {
  const options = readOptions(args);
  const { instances, burst, seed, loss, deadline } = options;
  const devices = makeDevices(options.devices, seed);
  const site = await Site.start(instances, devices);
  const players = split(devices).map((share) => ({
    share,
    process: fork(join(import.meta.dirname, "storm", "devices.js"), { execArgv: [] }),
  }));
  try {
    await Promise.all(
      players.map(({ share, process }, index) => {
        const own = { seed: seed + index, loss, burst: burst * 1000, deadline: deadline * 1000 };
        return ask(process, { type: "prepare", devices: share, uri: site.uri, resolver: site.resolver, ...own });
      }),
    );
    const dropped = droppedDatagrams();
    const before = site.cpu();
    const results = await Promise.all(players.map(({ process }) => ask(process, { type: "go" })));
    const after = site.cpu();
    const figures = summarise(
      results.filter((result) => result.type === "done"),
      {
        devices: devices.length,
        burst,
        instances,
        turnedAway: await turnedAway(site),
        dropped: droppedDatagrams() - dropped,
        cpu: (name) => (after.get(name) ?? 0) - (before.get(name) ?? 0),
      },
    );
    await heardOf(site, figures.completed);
    say(figures);
    if (figures.failed > 0 || figures.errorAnswers > 0) process.exitCode = 1;
    return { ...figures };
  } finally {
    const ended = players.map(({ process }) => once(process, "exit"));
    for (const { process } of players) process.disconnect();
    await Promise.all(ended);
    await site.stop();
  }
}

interface Figures {
  readonly devices: number;
  readonly burst: number;
  readonly instances: number;
  readonly completed: number;
  readonly failed: number;
  /** 4.xx and 5.xx that devices got. */
  readonly errorAnswers: number;
  /** From the first arrival to the last completion. */
  readonly seconds: number;
  /** Per device, from its arrival to Finish. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** More of them than devices: some tried again. */
  readonly attempts: number;
  readonly failedAttempts: Readonly<Record<string, number>>;
  /** ClientHellos the instances left unanswered. */
  readonly turnedAway: number;
  /** Datagrams the kernel dropped because a receive buffer was full, on the whole host. */
  readonly droppedDatagrams: number;
  /** Seconds of CPU time, from the first arrival on. */
  readonly cpuSeconds: { readonly instances: number; readonly balancer: number; readonly devices: number };
  /** CPU time of the instances per completed device. */
  readonly microsecondsEach: number;
  /** CPU time per time of the busiest process that plays devices: near 1 it is they who are slow. */
  readonly devicesBusy: number;
}

type Done = Extract<FromDevices, { type: "done" }>;

function summarise(
  results: readonly Done[],
  site: {
    readonly devices: number;
    readonly burst: number;
    readonly instances: number;
    readonly turnedAway: number;
    readonly dropped: number;
    cpu(name: string): number;
  },
): Figures {
  const times = results.flatMap((result) => result.times).sort((a, b) => a - b);
  const failedAttempts: Record<string, number> = {};
  for (const { causes } of results) {
    for (const [cause, count] of Object.entries(causes)) failedAttempts[cause] = (failedAttempts[cause] ?? 0) + count;
  }
  const sum = (of: (result: Done) => number): number => results.reduce((total, result) => total + of(result), 0);
  const names = Array.from({ length: site.instances }, (_, index) => `bs-${index + 1}`);
  const instanceCpu = names.reduce((total, name) => total + site.cpu(name), 0);
  const seconds = (milliseconds: number): number => Number((milliseconds / 1000).toFixed(2));
  const at = (share: number): number => Math.round(times[Math.max(0, Math.ceil(times.length * share) - 1)] ?? 0);
  return {
    devices: site.devices,
    burst: site.burst,
    instances: site.instances,
    completed: times.length,
    failed: sum(({ failed }) => failed),
    errorAnswers: ERROR_ANSWERS.reduce((total, cause) => total + (failedAttempts[cause] ?? 0), 0),
    seconds: seconds(Math.max(...results.map(({ last }) => last)) - Math.min(...results.map(({ first }) => first))),
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
    attempts: sum(({ attempts }) => attempts),
    failedAttempts,
    turnedAway: site.turnedAway,
    droppedDatagrams: site.dropped,
    cpuSeconds: {
      instances: seconds(instanceCpu),
      balancer: seconds(site.cpu("balancer")),
      devices: seconds(sum(({ cpu }) => cpu)),
    },
    microsecondsEach: Math.round((instanceCpu * 1000) / Math.max(1, times.length)),
    devicesBusy: Number(Math.max(...results.map(({ cpu, first, last }) => cpu / Math.max(1, last - first))).toFixed(2)),
  };
}

function say(figures: Figures): void {
  const { cpuSeconds, failedAttempts, ...rest } = figures;
  const rows = Object.entries({
    ...rest,
    "failed attempts":
      Object.entries(failedAttempts)
        .map(([cause, count]) => `${count} ${cause}`)
        .join(", ") || "none",
    "CPU s": Object.entries(cpuSeconds)
      .map(([who, spent]) => `${who} ${spent}`)
      .join(", "),
  });
  for (const [name, value] of rows) console.error(`  ${name.padEnd(18)} ${value}`);
}

function readOptions(args: readonly string[]): Record<"devices" | "burst" | "instances" | "seed" | "loss" | "deadline", number> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      devices: { ...text, default: "4000" },
      burst: { ...text, default: "2" },
      instances: { ...text, default: "1" },
      seed: { ...text, default: "1" },
      loss: { ...text, default: "0" },
      deadline: { ...text, default: "300" },
    },
  });
  const number = (name: keyof typeof values): number => {
    const value = Number(values[name]);
    if (!Number.isFinite(value) || value < 0) throw new Error(`--${name}: "${values[name]}" is no number`);
    return value;
  };
  return {
    devices: number("devices"),
    burst: number("burst"),
    instances: number("instances"),
    seed: number("seed"),
    loss: number("loss"),
    deadline: number("deadline"),
  };
}

function makeDevices(count: number, seed: number): StormDevice[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, index) => ({
    endpoint: `urn:dev:os:storm-${String(index + 1).padStart(6, "0")}`,
    psk: toHex(random.bytes(16)),
    server_key: toHex(random.bytes(16)),
  }));
}

function split(devices: readonly StormDevice[]): StormDevice[][] {
  const processes = Math.max(1, Math.ceil(devices.length / DEVICES_A_PROCESS));
  const each = Math.ceil(devices.length / processes);
  return Array.from({ length: processes }, (_, index) => devices.slice(index * each, (index + 1) * each));
}

async function ask(process: ChildProcess, message: ToDevices): Promise<FromDevices> {
  const answered = once(process, "message") as Promise<[FromDevices]>;
  process.send(message);
  const [answer] = await answered;
  return answer;
}

/** Instances say in their heartbeats what they turned away, each second. */
async function turnedAway(site: Site): Promise<number> {
  await pause(1500);
  return (await site.instances()).reduce((sum, { load }) => sum + load.admission.turnedAway, 0);
}

/** The balancer hears of each completion a moment after the device knows. */
async function heardOf(site: Site, completed: number): Promise<void> {
  for (const deadline = Date.now() + 10_000; (await site.completed()) < completed; await pause(100)) {
    if (Date.now() > deadline) throw new Error(`the balancer heard of ${await site.completed()} of ${completed} completions`);
  }
}

/** Counted by Linux since its start; 0 where it is not. */
function droppedDatagrams(): number {
  try {
    const [names, values] = readFileSync("/proc/net/snmp", "utf8")
      .split("\n")
      .filter((line) => line.startsWith("Udp:"));
    const at = names?.split(" ").indexOf("RcvbufErrors") ?? -1;
    return Number(values?.split(" ")[at] ?? 0);
  } catch {
    return 0;
  }
}
