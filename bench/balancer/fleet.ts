import { Balancer, controlHandlers } from "../../src/balancer/index.ts";
import { ZoneTable } from "../../src/dns/index.ts";
import { type Instant, VirtualClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { builtInRecipe } from "../../src/naming/index.ts";
import { breathe, type ControlHandlers } from "../../src/net/index.ts";
import type { DeviceRow, Storage, StoredInstance } from "../../src/storage/index.ts";
import { SliceWatch } from "./slice-watch.ts";

/** The middle of an epoch of the recipe berth-1: 2026-01-01T10:00:00Z. */
export const NOW: Instant = 1_767_261_600_000;
export const ZONE = "example.com";
const MINUTE = 60_000;

/** A balancer with a fleet, as after a start, on a database that forgets all; what is measured is the balancer alone. */
export interface BenchFleet {
  readonly balancer: Balancer;
  readonly api: ControlHandlers;
  readonly clock: VirtualClock;
  /** The live names. */
  readonly table: ZoneTable;
  /** Watches how long the balancer works at a stretch. */
  readonly watch: SliceWatch;
}

/** Starts a balancer with so many pending devices, spread over so many instances as the policy of that name does. */
export async function startFleet(devices: number, instances: number, policy = "even"): Promise<BenchFleet> {
  const table = new ZoneTable({ zone: ZONE, seed: new Uint8Array(16).fill(7) });
  const clock = new VirtualClock(NOW);
  const watch = new SliceWatch();
  const balancer = await Balancer.start({
    uri: `coaps://bs.${ZONE}`,
    recipe: builtInRecipe("berth-1"),
    timing: { ttl: 30_000, skew: 5 * MINUTE, lead: 5 * MINUTE, grace: 5.5 * MINUTE },
    sessionDeadline: 90_000,
    heartbeat: 1000,
    lostAfter: 100 * MINUTE, // they send no heartbeats here
    table,
    allocation: { policy, nearest: 1, rules: [], columns: {} },
    storage: storageOf(devices, instances),
    readProfile: (profile) => ({ profile, warnings: [] }),
    clock,
    breathe: () => watch.between(breathe),
    log: silentLogger,
  });
  return { balancer, api: controlHandlers(balancer), clock, table, watch };
}

/** An instance registers, with its weight. */
export async function register(api: ControlHandlers, number: number, weight: number): Promise<void> {
  const body = { boot: "b", addresses: { ipv4: "127.0.0.11" }, declared: { weight } };
  await api.registerInstance({ params: { id: instanceId(number) }, query: {}, body });
}

/** The endpoint name of a device. */
export function endpointOf(number: number): string {
  return `urn:dev:os:berth-${String(number).padStart(7, "0")}`;
}

export function instanceId(number: number): string {
  return `bs-${number}`;
}

function storageOf(devices: number, instances: number): Storage {
  const nothing = async (): Promise<never> => {
    throw new Error("not needed here");
  };
  return {
    devices: {
      all: () => rows(devices),
      saveProgress: async (changes) => changes.length,
      marks: async () => [],
      page: nothing,
      get: nothing,
      history: nothing,
      import: nothing,
      remove: nothing,
      countByState: nothing,
    },
    profiles: { all: async () => [], put: nothing, get: nothing },
    instances: {
      all: async () => Array.from({ length: instances }, (_, number) => storedInstance(number)),
      put: async () => {},
    },
    settings: { get: async () => undefined, put: nothing },
    audit: { add: async () => {}, page: nothing },
    leases: { take: nothing, renew: nothing, release: nothing },
    close: async () => {},
  };
}

function storedInstance(number: number): StoredInstance {
  return { id: instanceId(number), ipv4: "127.0.0.11", ipv6: null, state: "up", registeredAt: NOW, lastSeen: NOW };
}

async function* rows(count: number): AsyncGenerator<DeviceRow[]> {
  for (let start = 0; start < count; start += 2000) {
    yield Array.from({ length: Math.min(2000, count - start) }, (_, index) => row(start + index));
    await breathe();
  }
}

function row(number: number): DeviceRow {
  const endpoint = endpointOf(number);
  const psk = new Uint8Array(16);
  new DataView(psk.buffer).setUint32(0, number);
  return {
    endpoint,
    mode: "psk",
    identity: endpoint,
    profile: "default",
    group: null,
    psk,
    attributes: {},
    state: "pending",
    failure: null,
    instance: null,
    session: null,
    commencedAt: null,
    completedAt: null,
    attempts: 0,
    failures: 0,
    counter: 0,
    skipped: 0,
    updatedAt: NOW,
  };
}
