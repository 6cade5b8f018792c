import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type Assignment, type AssignmentEvent, type Notification, ROUTES } from "../src/control/index.ts";
import { toHex } from "../src/lib/bytes.ts";
import { silentLogger } from "../src/lib/log.ts";
import { seededRandom } from "../src/lib/random.ts";
import { builtInRecipe, liveSteps, prepareNaming } from "../src/naming/index.ts";
import { type ControlHandlers, NotFound, pause, serveControl } from "../src/net/index.ts";
import type { FromInstance, FromLoad, LoadDevice, ToInstance, ToLoad } from "./bootstrap/messages.ts";

const TOKEN = "bench-token";
const URI = "coaps://bs.example.com:5684";
const SKEW = 300_000;
/** What is played before, so that code is compiled, and as many associations linger as may: each new one then closes one. */
const WARM_UP = 3000;
/** The devices are played in so many parts. */
const ROUNDS = 4;

/** DELETE /, PUT /0/10, PUT /1/10, Finish: a profile with one server and a key per device. */
const PROFILE = {
  discover: false,
  delete: ["/"],
  servers: [
    {
      uri: "coaps://lwm2m.example.com:5684",
      shortServerId: 101,
      security: { mode: "psk", identity: "{endpoint}", key: "{attributes.key}" },
    },
  ],
};

/** The same behind Bootstrap-Discover: five requests, and a place found for the account. */
const DISCOVERING = { ...PROFILE, discover: true };

/**
 * Whole bootstraps per CPU-second of an instance, over real sockets with everything on: cookie exchange, PSK
 * handshake, name check, admission, four requests, notifications over HTTP; and the same with Bootstrap-Discover.
 * `--devices N` (8000), `--assigned N` more devices the instance knows (0), `--concurrency N` (100), `--node-flags "..."`
 * for the instance's process.
 */
export async function run(args: readonly string[]): Promise<Record<string, unknown>> {
  execFileSync(process.execPath, [join(import.meta.dirname, "..", "scripts", "build.mjs")], { stdio: "inherit" });
  const figures = await measure("four requests", PROFILE, args);
  return { ...figures, withDiscover: await measure("with Discover five", DISCOVERING, args) };
}

async function measure(title: string, profile: unknown, args: readonly string[]): Promise<Record<string, unknown>> {
  const devices = option(args, "--devices", 8000);
  const concurrency = option(args, "--concurrency", 100);
  const random = seededRandom(7);
  const assignments = Array.from({ length: WARM_UP + devices + option(args, "--assigned", 0) }, (_, index): Assignment => {
    const endpoint = `urn:dev:mac:0024befffe${index.toString(16).padStart(6, "0")}`;
    const psk = toHex(random.bytes(16));
    return { endpoint, mode: "psk", identity: endpoint, psk, profile: "default", attributes: { key: toHex(random.bytes(16)) } };
  });
  const applied: Notification[] = [];
  const control = await serveControl({
    address: "127.0.0.1",
    port: 0,
    tokens: { instance: TOKEN, operator: "unused" },
    handlers: handlers(assignments, profile, applied),
    log: silentLogger,
  });
  const instance = child("instance.js", flags(args));
  const load = child("load.ts", ["--import", "tsx"]);
  try {
    const { port } = await ask(instance, { type: "start", url: `http://127.0.0.1:${control.port}`, token: TOKEN }, "listening");
    while ((await ask(instance, { type: "measure" }, "measured")).devices < assignments.length) await pause(50);
    const names = liveNames(assignments.slice(0, WARM_UP + devices));
    await playAll(load, { port, concurrency, devices: names.slice(0, WARM_UP) });
    let before = await ask(instance, { type: "measure" }, "measured");
    const rounds: Round[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const [from, to] = [round, round + 1].map((part) => WARM_UP + Math.floor((devices * part) / ROUNDS));
      const result = await playAll(load, { port, concurrency, devices: names.slice(from, to) });
      assert.equal(result.failed, 0, `${result.failed} devices failed`);
      const after = await ask(instance, { type: "measure" }, "measured");
      const each = (after.cpu - before.cpu) / result.finished;
      rounds.push({ each, inKernel: (after.system - before.system) / result.finished, rss: after.rss, times: result.times });
      console.error(`  round ${round + 1}: ${result.finished} bootstraps, ${Math.round(each * 1000)} us each`);
      before = after;
    }
    while (applied.length < 2 * (WARM_UP + devices)) await pause(50);
    // What else runs on the machine can only make a round dearer, so the cheapest comes nearest to the truth.
    const best = rounds.reduce((a, b) => (b.each < a.each ? b : a));
    const times = rounds.flatMap((round) => round.times).sort((a, b) => a - b);
    const figures = {
      devices,
      perCpuSecond: Math.round(1000 / best.each),
      microsecondsEach: Math.round(best.each * 1000),
      microsecondsInKernel: Math.round(best.inKernel * 1000),
      microsecondsEachRound: rounds.map(({ each }) => Math.round(each * 1000)),
      p50: Math.round(times[Math.floor(times.length / 2)] ?? 0),
      p99: Math.round(times[Math.floor(times.length * 0.99)] ?? 0),
      rss: megabytes(Math.max(...rounds.map((round) => round.rss))),
    };
    console.error(
      `${title}: ${figures.perCpuSecond} bootstraps per CPU-second of the instance (${figures.microsecondsEach} us each, ` +
        `${figures.microsecondsInKernel} of them in the kernel); with ${concurrency} at a time p50 ${figures.p50} ms, ` +
        `p99 ${figures.p99} ms; RSS ${figures.rss} MB`,
    );
    return figures;
  } finally {
    const ended = [instance, load].map((process) => once(process, "exit"));
    instance.send({ type: "stop" } satisfies ToInstance);
    load.disconnect();
    await Promise.all(ended);
    await control.close();
  }
}

/** What one round has shown; per bootstrap in ms. */
interface Round {
  readonly each: number;
  readonly inKernel: number;
  readonly rss: number;
  readonly times: readonly number[];
}

function option(args: readonly string[], name: string, otherwise: number): number {
  const at = args.indexOf(name);
  return at === -1 ? otherwise : Number(args[at + 1]);
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}

/** `--node-flags "--cpu-prof"` are given to the instance's process. */
function flags(args: readonly string[]): string[] {
  const at = args.indexOf("--node-flags");
  return at === -1 ? [] : (args[at + 1] ?? "").split(" ");
}

function child(file: string, nodeFlags: readonly string[]): ChildProcess {
  return fork(join(import.meta.dirname, "bootstrap", file), { execArgv: [...nodeFlags] });
}

async function ask<Type extends FromInstance["type"]>(
  process: ChildProcess,
  message: ToInstance,
  type: Type,
): Promise<Extract<FromInstance, { type: Type }>> {
  const answered = once(process, "message") as Promise<[FromInstance]>;
  process.send(message);
  const [answer] = await answered;
  assert.equal(answer.type, type);
  return answer as Extract<FromInstance, { type: Type }>;
}

async function playAll(process: ChildProcess, work: ToLoad): Promise<FromLoad> {
  const answered = once(process, "message") as Promise<[FromLoad]>;
  process.send(work);
  const [result] = await answered;
  return result;
}

function liveNames(assignments: readonly Assignment[]): LoadDevice[] {
  const recipe = builtInRecipe("berth-1");
  const namer = prepareNaming(recipe, URI);
  const [step] = liveSteps(recipe, Date.now(), { lead: 0, grace: 0 });
  assert.ok(step !== undefined);
  return assignments.map(({ endpoint, psk = "" }) => {
    return { endpoint, psk, name: namer.host(namer.nameKey(Buffer.from(psk, "hex")), endpoint, step) };
  });
}

/** As much of a balancer as an instance needs. */
function handlers(assignments: readonly Assignment[], profile: unknown, applied: Notification[]): ControlHandlers {
  const unused = (): never => {
    throw new NotFound("not part of this bench");
  };
  const all = Object.fromEntries(Object.keys(ROUTES).map((name) => [name, unused])) as unknown as ControlHandlers;
  return {
    ...all,
    registerInstance: () => ({ heartbeat: 1000 }),
    heartbeat: () => ({}),
    leave: () => ({}),
    lookup: () => ({ refused: "unknown" }),
    notify: ({ body }) => {
      applied.push(...body.notifications);
      return {};
    },
    assignments: () => (write) => {
      void (async () => {
        await write(
          { type: "fleet", uri: URI, recipe: builtInRecipe("berth-1"), skew: SKEW },
          { type: "profile", name: "default", profile },
        );
        for (let from = 0; from < assignments.length; from += 500) {
          await write({ type: "assign", assignments: assignments.slice(from, from + 500) } satisfies AssignmentEvent);
        }
        await write({ type: "synced" });
      })();
    },
  };
}
