import { type TsigKey, ZoneTable, type ZoneTransfers } from "../../src/dns/index.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { Nameserver } from "../../src/nameserver/index.ts";
import { builtInRecipe } from "../../src/naming/index.ts";
import { askUdp, breathe, pause, systemClock, systemRandom, Ticker } from "../../src/net/index.ts";
import { Observer, type PrimaryMemory, Publication, type RegistryTask, RegistryThread } from "../../src/registry/index.ts";
import { askServer, type DnsPlace, type DnsServer, newKey, type Said, ZONE } from "./dns-servers.ts";

/** How names get from the table to the server that is asked: it is Berth's own, takes updates, or transfers the zone. */
export type Way = "embedded" | "update" | "transfer";

/** A server that takes updates, or transfers the zone from the primary. */
export type StartServer = (key: TsigKey, primary: DnsPlace) => Promise<DnsServer>;

/** As the command line paces them. */
const PACE = { update: { pace: 20, largest: 20_000 }, transfer: { pace: 1000, largest: 500_000 } } as const;

/** TTL of all names. */
export const TTL = 30;

/** The balancer's table, all that stands between it and the server that resolvers ask, and that server. */
export class PublishedZone {
  readonly table: ZoneTable;
  readonly #asked: DnsPlace;
  readonly #publication: Publication | undefined;
  readonly #ticker: Ticker = new Ticker(systemClock);
  readonly #stops: (() => Promise<void>)[];

  private constructor(table: ZoneTable, asked: DnsPlace, publication: Publication | undefined, stops: (() => Promise<void>)[]) {
    this.table = table;
    this.#asked = asked;
    this.#publication = publication;
    this.#stops = stops;
    if (publication !== undefined) this.#ticker.add(publication);
  }

  /** @param startServer is not called for the embedded one */
  static async start(way: Way, startServer: StartServer): Promise<PublishedZone> {
    const key = newKey();
    const options = { zone: ZONE, seed: new Uint8Array(16).fill(5), addressKey: new Uint8Array(16).fill(6) };
    const table = new ZoneTable({ ...options, followed: way !== "embedded" });
    const zone = {
      name: ZONE,
      nameservers: [{ host: `ns1.${ZONE}`, ipv4: "127.0.0.1" }],
      serial: 1,
      ttl: TTL,
      negativeTtl: 30,
      refresh: { every: 60, retry: 15 },
    };
    // The hidden primary has to be there before its secondary, and is told of it after.
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
    if (way === "embedded") return new PublishedZone(table, primary, undefined, [() => nameserver.close()]);
    const server = await startServer(key, primary);
    const place = { address: server.address, port: server.port };
    const task: RegistryTask =
      way === "update"
        ? {
            kind: "rfc2136",
            server: place,
            ...{ key, zone: ZONE, ttl: TTL },
            owner: { fleet: "test", term: 1 },
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
      ...{ feed, registry, observer, breathe, pause },
      size: () => table.size,
      unstored: () => 0,
      suspend: () => {},
      mayWrite: () => true,
      inTime: 30_000,
      brake: 1,
      steps: () => [],
      store: { load: async () => undefined, save: async () => {} },
      clock: systemClock,
      log: silentLogger,
    });
    const stops = [() => server.stop(), () => nameserver.close(), () => publication.close()];
    const published = new PublishedZone(table, place, publication, stops);
    await published.settled();
    return published;
  }

  /** What the server says of a host. */
  ask(host: string, type: string): Promise<Said | undefined> {
    return askServer(this.#asked, host, type);
  }

  /** Resolves when the registry has all there is. */
  async settled(): Promise<void> {
    for (;;) {
      const { state, waiting } = this.#publication?.view() ?? { state: "following", waiting: 0 };
      if (state === "following" && waiting === 0) return;
      await pause(10);
    }
  }

  async stop(): Promise<void> {
    this.#ticker.stop();
    for (const stop of this.#stops.toReversed()) await stop();
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** A host as long as those of the recipe berth-1: 16 characters of token, others in each epoch. */
export function hostOf(epoch: number, index: number): string {
  const token = index.toString(32).replaceAll(/[0189]/g, (digit) => "wxyz".charAt("0189".indexOf(digit)));
  return `bs${"abcdefgh".charAt(epoch)}${token.padStart(15, "w")}.${ZONE}`;
}
