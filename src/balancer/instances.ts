import { type AdmissionLoad, type FleetStatus, type InstanceAddresses, type InstanceLoad, NO_LOAD } from "../control/index.ts";
import type { Instant, Milliseconds } from "../lib/clock.ts";

/** Whether an instance serves: `up`; `lost`, no sign of life for too long; `left`, gone by its own word. */
type InstanceState = "up" | "lost" | "left";

/** A bootstrap server instance as the balancer sees it. */
export interface Instance {
  readonly id: string;
  /** Its number in the zone table, fixed while the balancer runs. */
  readonly index: number;
  state: InstanceState;
  addresses: InstanceAddresses;
  /** Which start of it: a new one has lost the sessions of the one before. */
  boot: string;
  /** By a clock that never goes back. */
  lastSeen: Instant;
  /** By the time of day. */
  registeredAt: Instant;
  load: InstanceLoad;
}

/** The instances, by id and by index. */
export class Instances {
  readonly #byId: Map<string, Instance> = new Map();
  readonly #all: Instance[] = [];

  get(id: string): Instance | undefined {
    return this.#byId.get(id);
  }

  at(index: number): Instance | undefined {
    return this.#all[index];
  }

  /** The instance of that id, made known with state `left` if it was not. */
  meet(id: string): Instance {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    const instance: Instance = {
      id,
      index: this.#all.length,
      state: "left",
      addresses: {},
      boot: "",
      lastSeen: 0,
      registeredAt: 0,
      load: NO_LOAD,
    };
    this.#all.push(instance);
    this.#byId.set(id, instance);
    return instance;
  }

  all(): readonly Instance[] {
    return this.#all;
  }

  /** Indices of those that may be given devices. */
  serving(): number[] {
    return this.#all.filter(({ state }) => state === "up").map(({ index }) => index);
  }

  /** What those that are up take on together. */
  get admission(): FleetStatus["admission"] {
    const loads = this.#all.filter(({ state }) => state === "up").map(({ load }) => load.admission);
    const sum = (of: (load: AdmissionLoad) => number): number => loads.reduce((total, load) => total + of(load), 0);
    return {
      handshakesPerSecond: sum(({ handshakesPerSecond }) => handshakesPerSecond),
      sessions: sum(({ sessions }) => sessions),
      turnedAway: sum(({ turnedAway }) => turnedAway),
      full: sum(({ full }) => Number(full)),
    };
  }

  /** Those that are up but were silent for longer than `limit` (B12). */
  silent(now: Instant, limit: Milliseconds): Instance[] {
    return this.#all.filter(({ state, lastSeen }) => state === "up" && now - lastSeen > limit);
  }
}
