import type { Generation } from "../src/dns/index.ts";
import { breathe, pause } from "../src/net/index.ts";
import { needsBind, startBind, startBindSecondary } from "../test/support/bind.ts";
import { needsKnot, startKnot, startKnotSecondary } from "../test/support/knot.ts";
import { needsNsd, startNsdSecondary } from "../test/support/nsd.ts";
import { hostOf, PublishedZone, type StartServer, type Way } from "../test/support/published-zone.ts";

interface Case {
  readonly server: string;
  readonly way: Way;
  readonly missing: string | false;
  readonly start: StartServer;
}

const CASES: readonly Case[] = [
  { server: "BIND", way: "update", missing: needsBind(), start: (key) => startBind(key) },
  { server: "Knot", way: "update", missing: needsKnot(), start: (key) => startKnot(key) },
  { server: "BIND", way: "transfer", missing: needsBind(), start: (key, primary) => startBindSecondary(key, primary) },
  { server: "Knot", way: "transfer", missing: needsKnot(), start: (key, primary) => startKnotSecondary(key, primary) },
  { server: "NSD", way: "transfer", missing: needsNsd(), start: (key, primary) => startNsdSecondary(key, primary) },
];
const SIZES = [10_000, 100_000, 1_000_000];
/** Names that move when an instance is lost: a small change in a large zone. */
const MOVED = 1000;
/**
 * How fast names get from the balancer's table to a real server, by the parts that the balancer has: from the change to the
 * last name that the server answers. For each server and size: the zone filled, an epoch changed (all names come anew, the old
 * ones go), and 1000 names moved. `--names N` for one size, `--server NAME`, `--way update` or
 * `--way transfer`.
 */
export async function run(args: readonly string[]): Promise<Record<string, unknown>> {
  const flag = (name: string): string | undefined => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
  const [names, server, way] = [flag("--names"), flag("--server"), flag("--way")];
  const figures: Figures[] = [];
  for (const size of names === undefined ? SIZES : [Number(names)]) {
    for (const each of CASES) {
      if (server !== undefined && each.server !== server) continue;
      if (way !== undefined && each.way !== way) continue;
      if (each.missing !== false) console.error(`skipped: ${each.missing}`);
      else figures.push(await measure(each, size));
    }
  }
  return { figures };
}

interface Figures {
  readonly server: string;
  readonly way: Way;
  readonly names: number;
  readonly fillSeconds: number;
  readonly epochSeconds: number;
  readonly movedSeconds: number;
  /** Changes of names a second: an epoch's change is one for each name that comes, and one for each that goes. */
  readonly fillPerSecond: number;
  readonly epochPerSecond: number;
  /** CPU of this process, all threads, in the epoch's change. */
  readonly epochCpuSeconds: number;
}

async function measure({ server, way, start }: Case, names: number): Promise<Figures> {
  const zone = await PublishedZone.start(way, start);
  try {
    for (let instance = 0; instance < 4; instance++) zone.table.setInstance(instance, { ipv4: addressOf(instance) });
    const first = await derived(zone, 1, names);
    const fill = await timed(zone, () => zone.table.publish(first), hostOf(1, names - 1));
    const second = await derived(zone, 2, names);
    const cpu = process.cpuUsage();
    const change = (): void => {
      zone.table.publish(second);
      zone.table.withdraw(1);
    };
    const epoch = await timed(zone, change, hostOf(2, names - 1), hostOf(1, names - 1));
    const { user, system } = process.cpuUsage(cpu);
    const move = (): void => {
      for (let index = 0; index < MOVED; index++) zone.table.set(2, hostOf(2, index), 3);
    };
    const moved = await timed(zone, move, hostOf(2, MOVED - 1));
    const figures: Figures = {
      ...{ server, way, names },
      fillSeconds: fill,
      epochSeconds: epoch,
      movedSeconds: moved,
      fillPerSecond: Math.round(names / fill),
      epochPerSecond: Math.round((2 * names) / epoch),
      epochCpuSeconds: (user + system) / 1e6,
    };
    console.error(
      `${server} by ${way}, ${names} names: filled in ${fill.toFixed(2)} s (${figures.fillPerSecond}/s), epoch changed in ${epoch.toFixed(2)} s` +
        ` (${figures.epochPerSecond} changes/s, ${figures.epochCpuSeconds.toFixed(2)} s CPU), ${MOVED} moved in ${moved.toFixed(2)} s`,
    );
    return figures;
  } finally {
    await zone.stop();
  }
}

/** An epoch's names, made beforehand, as the balancer does. */
async function derived({ table }: PublishedZone, epoch: number, names: number): Promise<Generation> {
  const generation = table.beginGeneration(epoch, names);
  for (let index = 0; index < names; index++) {
    generation.add(hostOf(epoch, index), index % 4);
    if (index % 1000 === 0) await breathe();
  }
  return generation;
}

/** Seconds from the change until the server has the last name, and has not any more the one that goes. */
async function timed(zone: PublishedZone, change: () => void, last: string, gone?: string): Promise<number> {
  const from = performance.now();
  change();
  const wanted = addressOf(zone.table.get(last) ?? 0);
  const isThere = async (): Promise<boolean> =>
    (await zone.ask(last, "A"))?.answers.some((answer) => answer.endsWith(wanted)) === true;
  const isGone = async (): Promise<boolean> => gone === undefined || (await zone.ask(gone, "A"))?.status === "NXDOMAIN";
  await zone.settled();
  while (!((await isThere()) && (await isGone()))) await pause(10);
  return (performance.now() - from) / 1000;
}

function addressOf(instance: number): string {
  return `127.0.1.${instance + 1}`;
}
