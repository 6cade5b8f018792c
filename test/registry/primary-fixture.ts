import {
  type NameState,
  nameToWire,
  packNameStates,
  prepareZone,
  type TsigKey,
  type ZoneOptions,
  ZoneTable,
} from "../../src/dns/index.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { Nameserver } from "../../src/nameserver/index.ts";
import { askUdp, systemClock, systemRandom, Ticker } from "../../src/net/index.ts";
import {
  type NotifySocket,
  openNotifySocket,
  type PrimaryMemory,
  PrimaryRegistry,
  type PrimaryStore,
} from "../../src/registry/index.ts";
import { placeOf } from "../../src/registry/notify-socket.ts";
import { type DnsPlace, newPlace, ZONE } from "../support/dns-servers.ts";

/** The zone that these tests publish; secondaries ask often, as a hidden primary tells them. */
export const ZONE_OPTIONS: ZoneOptions = {
  name: ZONE,
  nameservers: [{ host: `ns1.${ZONE}`, ipv4: "192.0.2.53" }],
  serial: 1,
  ttl: 30,
  negativeTtl: 30,
  refresh: { every: 60, retry: 15 },
};

/** Keeps what a primary remembers, in memory, and what it was when. */
export class MemoryStore implements PrimaryStore {
  kept: PrimaryMemory | undefined;
  saves = 0;

  constructor(kept?: PrimaryMemory) {
    this.kept = kept;
  }

  async load(): Promise<PrimaryMemory | undefined> {
    return this.kept;
  }

  async save(memory: PrimaryMemory): Promise<void> {
    this.kept = memory;
    this.saves++;
  }
}

/** The wire form of a name relative to the zone, such as `bs7`. */
function relative(name: string): Uint8Array {
  return nameToWire(name).slice(0, -1);
}

/** The state of a name that leads to `127.0.0.N`, or to nothing. */
export function stateOf(name: string, address: number | undefined): NameState {
  const ipv4 = address === undefined ? undefined : Uint8Array.of(127, 0, address >> 8, address & 0xff);
  return { name: relative(name), ipv4, ipv6: undefined };
}

/** Packed states of `bs0`, `bs1` and so on. */
export function states(from: number, to: number, address: number | undefined): Uint8Array {
  return packNameStates(Array.from({ length: to - from }, (_, index) => stateOf(`bs${from + index}`, address)));
}

/** What `replace` takes. */
export async function* parts(...packed: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* packed;
}

/** How a {@link Primary} is started. */
export interface PrimaryPlan {
  readonly key: TsigKey;
  /** Where NOTIFY goes. */
  readonly secondaries: readonly DnsPlace[];
  readonly place?: DnsPlace;
  readonly store?: PrimaryStore;
  readonly clock?: Clock;
  readonly journalBytes?: number;
}

/** A hidden primary as the balancer runs it, on real sockets. */
export class Primary implements DnsPlace {
  readonly address: string;
  readonly port: number;
  readonly #plan: PrimaryPlan;
  readonly #store: PrimaryStore;
  #registry: PrimaryRegistry;
  #socket: NotifySocket | undefined;
  #nameserver: Nameserver | undefined;
  #ticker: Ticker | undefined;

  private constructor(plan: PrimaryPlan, place: DnsPlace) {
    this.address = place.address;
    this.port = place.port;
    this.#plan = plan;
    this.#store = plan.store ?? new MemoryStore();
    this.#registry = this.#newRegistry();
  }

  static async start(plan: PrimaryPlan): Promise<Primary> {
    const primary = new Primary(plan, plan.place ?? (await newPlace()));
    await primary.#open();
    return primary;
  }

  get registry(): PrimaryRegistry {
    return this.#registry;
  }

  /** Another registry in the place of the one before, as after a restart of Berth. */
  renew(): PrimaryRegistry {
    this.#ticker?.remove(this.#registry);
    this.#registry = this.#newRegistry();
    this.#ticker?.add(this.#registry);
    return this.#registry;
  }

  async stop(): Promise<void> {
    this.#ticker?.stop();
    await this.#registry.close();
    await this.#nameserver?.close();
    await this.#socket?.close();
  }

  #newRegistry(): PrimaryRegistry {
    const { key, journalBytes } = this.#plan;
    return new PrimaryRegistry({
      zone: prepareZone(ZONE_OPTIONS),
      key,
      secondaries: this.#secondaries(),
      send: (message, secondary) => this.#socket?.send(message, secondary),
      ask: (secondary, message) => askUdp(placeOf(secondary), message, 1000),
      store: this.#store,
      clock: this.#plan.clock ?? systemClock,
      random: systemRandom,
      log: silentLogger,
      ...(journalBytes === undefined ? {} : { journalBytes }),
    });
  }

  async #open(): Promise<void> {
    this.#socket = await openNotifySocket(this.#secondaries(), (message) => this.#registry.notified(message));
    const serial = (): number => this.#registry.serial;
    this.#nameserver = await Nameserver.start({
      zone: ZONE_OPTIONS,
      table: new ZoneTable({ zone: ZONE, seed: new Uint8Array(16) }),
      listen: [this],
      log: silentLogger,
      transfers: {
        get serial() {
          return serial();
        },
        respond: (message, transport) => this.#registry.respond(message, transport),
      },
    });
    this.#ticker = new Ticker(systemClock);
    this.#ticker.add(this.#registry);
  }

  #secondaries(): string[] {
    return this.#plan.secondaries.map(({ address, port }) => `${address}:${port}`);
  }
}
