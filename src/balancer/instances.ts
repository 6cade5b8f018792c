import {
  type AdmissionLoad,
  type Declared,
  type FleetStatus,
  type InstanceAddresses,
  type InstanceLoad,
  type InstanceState,
  NO_LOAD,
} from "../control/index.ts";
import type { Instant } from "../lib/clock.ts";
import type { Probation } from "./probation.ts";

/** What an instance says that it is, with what it left out filled in. */
export interface DeclaredFacts extends Declared {
  readonly weight: number;
  readonly pools: readonly string[];
}

/** What an operator has set; it outranks what is declared and measured. */
export interface Override {
  /** 0: no names. Absent: as declared or measured. */
  readonly weight?: number | undefined;
  readonly draining: boolean;
}

/** Of an instance that nothing is known of. */
export const NOTHING_DECLARED: DeclaredFacts = { weight: 1, pools: [] };
const NO_OVERRIDE: Override = { draining: false };

/** A bootstrap server instance as the balancer sees it. */
export class Instance {
  readonly id: string;
  /** Its number in the zone table, fixed while the balancer runs. */
  readonly index: number;
  /** Whether it is there: registered, lost (B12), or gone by its own word. */
  presence: "up" | "lost" | "left" = "left";
  addresses: InstanceAddresses = {};
  declared: DeclaredFacts = NOTHING_DECLARED;
  override: Override = NO_OVERRIDE;
  /** Set while it has to prove itself before it is given devices. */
  probation: Probation | undefined;
  /** Since when nothing leads to it while it is draining. By a clock that never goes back. */
  quietSince: Instant = 0;
  drained = false;
  /** Which start of it: a new one has lost the sessions of the one before. */
  boot = "";
  /** By a clock that never goes back. */
  lastSeen: Instant = 0;
  /** By the time of day; 0 before it was seen for the first time. */
  registeredAt: Instant = 0;
  load: InstanceLoad = NO_LOAD;

  constructor(id: string, index: number) {
    this.id = id;
    this.index = index;
  }

  /** Whether it is registered and gives signs of life: it may go on with what it has. */
  get alive(): boolean {
    return this.presence === "up";
  }

  /** Whether an operator lets it have devices. */
  get wanted(): boolean {
    return !this.override.draining && this.override.weight !== 0;
  }

  /** Whether it may be given devices for all that is known of it alone. */
  get open(): boolean {
    return this.alive && this.wanted && this.probation === undefined;
  }

  get state(): InstanceState {
    if (this.presence !== "up") return this.presence;
    if (this.override.draining) return this.drained ? "drained" : "draining";
    return this.probation === undefined ? "up" : "probation";
  }
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
    const instance = new Instance(id, this.#all.length);
    this.#all.push(instance);
    this.#byId.set(id, instance);
    return instance;
  }

  all(): readonly Instance[] {
    return this.#all;
  }

  /** Those that are registered and give signs of life, whether they are given devices or not. */
  alive(): Instance[] {
    return this.#all.filter(({ alive }) => alive);
  }

  /**
   * Indices of those that may be given devices: up, not draining, not of weight 0, not on probation. If there are none it
   * is those that come next: on probation; and if there are none of these all that are alive, as a name that leads
   * somewhere is better than none.
   */
  serving(): number[] {
    const alive = this.alive();
    const [open, wanted] = [alive.filter((each) => each.open), alive.filter((each) => each.wanted)];
    const best = open.length > 0 ? open : wanted.length > 0 ? wanted : alive;
    return best.map(({ index }) => index);
  }

  /** Whether names may lead to the instance. */
  usable(index: number): boolean {
    const instance = this.#all[index];
    return instance !== undefined && (instance.open || (instance.alive && this.serving().includes(index)));
  }

  /** What those that are alive take on together. */
  get admission(): FleetStatus["admission"] {
    const loads = this.alive().map(({ load }) => load.admission);
    const sum = (of: (load: AdmissionLoad) => number): number => loads.reduce((total, load) => total + of(load), 0);
    return {
      handshakesPerSecond: sum(({ handshakesPerSecond }) => handshakesPerSecond),
      sessions: sum(({ sessions }) => sessions),
      turnedAway: sum(({ turnedAway }) => turnedAway),
      full: sum(({ full }) => Number(full)),
    };
  }
}
