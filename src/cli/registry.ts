import { randomUUID } from "node:crypto";
import type { ZoneOptions, ZoneTable, ZoneTransfers } from "../dns/index.ts";
import { addressAndPort } from "../lib/address.ts";
import type { Milliseconds } from "../lib/clock.ts";
import { InternalError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { askUdp, breathe, pause, systemClock, systemRandom } from "../net/index.ts";
import {
  Observer,
  type PrimaryMemory,
  Publication,
  type PublicationOptions,
  type Published,
  type RegistryTask,
  RegistryThread,
} from "../registry/index.ts";
import type { Storage } from "../storage/index.ts";
import type { Config } from "./config.ts";
import type { Endpoint } from "./endpoint-schema.ts";
import { readTsigKey } from "./tsig-keys.ts";

/** Names in other servers than Berth's own. */
export interface OpenRegistry {
  readonly publication: Publication;
  /** What secondaries get; only of a hidden primary. */
  readonly transfers: ZoneTransfers | undefined;
}

/** What a registry needs of its surroundings. */
export interface RegistryParts {
  readonly table: ZoneTable;
  readonly storage: Storage;
  readonly zone: ZoneOptions;
  /** Counts the balancers that led. */
  readonly term: number;
  readonly mayWrite: () => boolean;
  readonly steps: () => readonly string[];
  /** The share (0-1) of devices whose state is not in the database yet. */
  readonly unstored: () => number;
  readonly log: Logger;
}

/** Under what the settings keep it. */
const FLEET = "fleet";
const PRIMARY = "primary";
const PUBLISHED = "published";
/** Servers that are looked at after a change answer within this, or are asked again. */
const ANSWER_WITHIN: Milliseconds = 1000;
/** What a registry is given at a time. Updates are many messages anyway; each delta of a primary is a transfer to each secondary. */
const PACE = { rfc2136: { pace: 20, largest: 20_000 }, primary: { pace: 1000, largest: 500_000 } } as const;

/**
 * Starts the registry of the configuration in a thread of its own; undefined for the embedded one, which is the nameserver's
 * own table. Names are not published before the publication is ticked.
 * @throws InvalidInput naming a key of the configuration; StorageError
 */
export async function openRegistry(config: Config, parts: RegistryParts): Promise<OpenRegistry | undefined> {
  const { dns } = config;
  if (dns.registry === "embedded") return undefined;
  const { table, storage, log, mayWrite, steps, unstored } = parts;
  const { settings } = storage;
  const { feed } = table;
  if (feed === undefined) throw new InternalError("a registry follows a table that is not followed");
  const task = await taskOf(config, parts);
  const thread = await RegistryThread.start({
    task,
    store: {
      load: async () => ((await settings.get(PRIMARY)) ?? undefined) as PrimaryMemory | undefined,
      save: (memory) => settings.put(PRIMARY, memory),
    },
    log,
  });
  const observer = new Observer({
    zone: config.zone,
    servers: observedBy(config),
    clock: systemClock,
    random: systemRandom,
    ask: (server, message) => askUdp(server, message, ANSWER_WITHIN),
    log,
  });
  const options: PublicationOptions = {
    kind: dns.registry,
    ...PACE[dns.registry],
    feed,
    size: () => table.size,
    unstored,
    registry: thread,
    suspend: () => thread.suspend(),
    observer,
    mayWrite,
    inTime: config.margins.lead - config.epochs.skew - dns.negativeTtl,
    brake: dns.brake,
    steps,
    store: {
      load: async () => ((await settings.get(PUBLISHED)) ?? undefined) as Published | undefined,
      save: (published) => settings.put(PUBLISHED, published),
    },
    clock: systemClock,
    breathe,
    pause,
    log,
  };
  return { publication: new Publication(options), transfers: task.kind === "primary" ? thread : undefined };
}

/** The servers that have to have names for devices to find them: told apart by address and port. */
function observedBy({ dns: { observe, update, transfer } }: Config): readonly Endpoint[] {
  const all = [...(update === undefined ? [] : [update.server]), ...(transfer?.secondaries ?? []), ...observe];
  return [...new Map(all.map((server) => [addressAndPort(server), server])).values()];
}

async function taskOf(config: Config, { storage, zone, term }: RegistryParts): Promise<RegistryTask> {
  const { update, transfer } = config.dns;
  if (update !== undefined) {
    const { server, owner } = update;
    const fleet = owner ?? (await fleetOf(storage));
    const key = readTsigKey(config, update.key);
    const { recipe, uri } = config;
    return { kind: "rfc2136", server, key, zone: config.zone, ttl: zone.ttl, owner: { fleet, term }, recipe, uri };
  }
  if (transfer === undefined) throw new InternalError("a registry without its section");
  const { secondaries } = transfer;
  return { kind: "primary", zone, key: readTsigKey(config, transfer.key), secondaries: secondaries.map(addressAndPort) };
}

/** What the owner record calls this fleet: made up once. */
async function fleetOf({ settings }: Storage): Promise<string> {
  const known = await settings.get(FLEET);
  if (typeof known === "string") return known;
  const fleet = randomUUID();
  await settings.put(FLEET, fleet);
  return fleet;
}
