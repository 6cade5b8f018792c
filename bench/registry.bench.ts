import { ZoneTable, type ZoneTransfers } from "../src/dns/index.ts";
import { silentLogger } from "../src/lib/log.ts";
import { Nameserver } from "../src/nameserver/index.ts";
import { builtInRecipe } from "../src/naming/index.ts";
import { askUdp, breathe, pause, systemClock, systemRandom, Ticker } from "../src/net/index.ts";
import { Observer, type PrimaryMemory, Publication, type RegistryTask, RegistryThread } from "../src/registry/index.ts";
import { needsBind, startBind, startBindSecondary } from "../test/support/bind.ts";
import { askServer, type DnsPlace, type DnsServer, newKey, ZONE } from "../test/support/dns-servers.ts";
import { needsKnot, startKnot, startKnotSecondary } from "../test/support/knot.ts";
import { needsNsd, startNsdSecondary } from "../test/support/nsd.ts";

/** How names get to the server. */
type Way = "update" | "transfer";

interface Case {
  readonly server: string;
  readonly way: Way;
  readonly missing: string | false;
  start(key: ReturnType<typeof newKey>, primary: DnsPlace): Promise<DnsServer>;
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
const PACE = { update: { pace: 20, largest: 20_000 }, transfer: { pace: 1000, largest: 500_000 } } as const;

/**
 * How fast names get from the balancer's table to a real server, by the parts that the balancer has: from the change to the
 * last name that the server answers. For each server and size: the zone filled, an epoch changed (all names come anew, the old
 * ones go), and 1000 names moved. `--names N` for one size, `--server NAME`.
 */
export async function run(args: readonly string[]): Promise<Record<string, unknown>> {
  const flag = (name: string): string | undefined => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
  const [names, server] = [flag("--names"), flag("--server")];
  const figures: Figures[] = [];
  for (const size of names === undefined ? SIZES : [Number(names)]) {
    for (const each of CASES) {
      if (server !== undefined && each.server !== server) continue;
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
  const rig = await Rig.start(way, start);
  try {
    const fill = await rig.timed(() => rig.publish(1, names), host(1, names - 1));
    const cpu = process.cpuUsage();
    const epoch = await rig.timed(
      async () => {
        await rig.publish(2, names);
        rig.table.withdraw(1);
      },
      host(2, names - 1),
      host(1, names - 1),
    );
    const { user, system } = process.cpuUsage(cpu);
    const moved = await rig.timed(
      async () => {
        for (let index = 0; index < MOVED; index++) rig.table.set(2, host(2, index), 3);
      },
      host(2, MOVED - 1),
    );
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
    await rig.stop();
  }
}

/** Table, publication, registry in its thread, and a real server behind it. */
class Rig {
  readonly table: ZoneTable;
  readonly #server: DnsServer;
  readonly #publication: Publication;
  readonly #ticker: Ticker;
  readonly #nameserver: Nameserver;

  private constructor(table: ZoneTable, server: DnsServer, publication: Publication, nameserver: Nameserver) {
    this.table = table;
    this.#server = server;
    this.#publication = publication;
    this.#nameserver = nameserver;
    this.#ticker = new Ticker(systemClock);
    this.#ticker.add(publication);
  }

  static async start(way: Way, startServer: Case["start"]): Promise<Rig> {
    const key = newKey();
    const table = new ZoneTable({ zone: ZONE, seed: new Uint8Array(16).fill(5), followed: true });
    for (let instance = 0; instance < 4; instance++) table.setInstance(instance, { ipv4: `127.0.1.${instance + 1}` });
    table.publish(table.beginGeneration(0, 10));
    const zone = {
      name: ZONE,
      nameservers: [{ host: `ns1.${ZONE}`, ipv4: "127.0.0.1" }],
      serial: 1,
      ttl: 30,
      negativeTtl: 30,
      refresh: { every: 60, retry: 15 },
    };
    // The hidden primary has to be there before its secondary, and knows it only after.
    let transfers: ZoneTransfers | undefined;
    const nameserver = await Nameserver.start({
      zone,
      table,
      listen: [{ address: "127.0.0.1", port: 0 }],
      log: silentLogger,
      transfers: {
        get serial() {
          return transfers?.serial ?? 1;
        },
        respond: (message, transport) => transfers?.respond(message, transport) ?? nothing(),
      },
    });
    const [primary] = nameserver.addresses;
    if (primary === undefined) throw new Error("the nameserver does not listen");
    const server = await startServer(key, primary);
    const place = { address: server.address, port: server.port };
    const task: RegistryTask =
      way === "update"
        ? {
            kind: "rfc2136",
            server: place,
            ...{ key, zone: ZONE, ttl: 30 },
            owner: { fleet: "bench", term: 1 },
            recipe: builtInRecipe("berth-1"),
            uri: `coaps://bs.${ZONE}`,
          }
        : { kind: "primary", zone, key, secondaries: [`${place.address}:${place.port}`] };
    let memory: PrimaryMemory | undefined;
    const registry = await RegistryThread.start({
      task,
      store: {
        load: async () => memory,
        save: async (saved) => {
          memory = saved;
        },
      },
      log: silentLogger,
    });
    transfers = registry;
    const observer = new Observer({
      zone: ZONE,
      servers: [place],
      clock: systemClock,
      random: systemRandom,
      ask: (to, message) => askUdp(to, message, 1000),
      log: silentLogger,
    });
    const { feed } = table;
    if (feed === undefined) throw new Error("the table is not followed");
    const publication = new Publication({
      kind: way === "update" ? "rfc2136" : "primary",
      ...PACE[way],
      ...{ feed, registry, observer, breathe },
      size: () => table.size,
      suspend: () => {},
      mayWrite: () => true,
      brake: 1,
      steps: () => [],
      store: { load: async () => undefined, save: async () => {} },
      clock: systemClock,
      log: silentLogger,
    });
    const rig = new Rig(table, server, publication, nameserver);
    await rig.#settled();
    return rig;
  }

  /** Publishes an epoch, derived in slices beforehand, as the balancer does. */
  async publish(epoch: number, names: number): Promise<void> {
    const generation = this.table.beginGeneration(epoch, names);
    for (let index = 0; index < names; index++) {
      generation.add(host(epoch, index), index % 4);
      if (index % 1000 === 0) await breathe();
    }
    this.#from = performance.now();
    this.table.publish(generation);
  }
  #from = 0;

  /** Seconds from the change until the server has the last name, and has not any more the one that goes. */
  async timed(change: () => Promise<void>, last: string, gone?: string): Promise<number> {
    this.#from = performance.now();
    await change();
    const expected = this.table.get(last);
    for (;;) {
      const { waiting } = this.#publication.view();
      if (waiting === 0) {
        const said = await askServer(this.#server, last, "A");
        const there = said?.answers.some((answer) => answer.endsWith(`127.0.1.${(expected ?? 0) + 1}`)) === true;
        if (there && (gone === undefined || (await askServer(this.#server, gone, "A"))?.status === "NXDOMAIN")) break;
      }
      await pause(10);
    }
    const seconds = (performance.now() - this.#from) / 1000;
    await this.#settled();
    return seconds;
  }

  async #settled(): Promise<void> {
    for (;;) {
      const { state, waiting } = this.#publication.view();
      if (state === "following" && waiting === 0) return;
      await pause(10);
    }
  }

  async stop(): Promise<void> {
    this.#ticker.stop();
    await this.#publication.close();
    await this.#nameserver.close();
    await this.#server.stop();
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** A host as long as those of the recipe berth-1: 16 characters of token. */
function host(epoch: number, index: number): string {
  const token = index.toString(32).replaceAll(/[0189]/g, (digit) => "wxyz".charAt("0189".indexOf(digit)));
  return `bs${"abcdefgh".charAt(epoch)}${token.padStart(15, "w")}.${ZONE}`;
}
