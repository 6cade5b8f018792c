import { Balancer, type BalancerOptions, controlHandlers, type Timing } from "../../src/balancer/index.ts";
import {
  type AssignmentEvent,
  type DeviceBatchReply,
  type DeviceInput,
  type DeviceView,
  type LookupReply,
  NO_LOAD,
  type Notification,
} from "../../src/control/index.ts";
import { ZoneTable } from "../../src/dns/index.ts";
import { type Instant, type Milliseconds, VirtualClock } from "../../src/lib/clock.ts";
import { type Logger, silentLogger } from "../../src/lib/log.ts";
import { builtInRecipe, type Recipe, stepAt, temporaryUri } from "../../src/naming/index.ts";
import { breathe, type ControlHandlers } from "../../src/net/index.ts";
import type { Storage } from "../../src/storage/index.ts";
import { FakeStorage } from "./fake-storage.ts";

/** 2026-01-01T10:00:00Z: the middle of an epoch of the recipe berth-1, which lasts from 09:30 to 10:30. */
export const NOW: Instant = 1_767_261_600_000;
export const MINUTE: Milliseconds = 60_000;
const URI = "coaps://bs.example.com:5684";
const ZONE = "example.com";
export const TIMING: Timing = { ttl: 30_000, skew: 5 * MINUTE, lead: 5 * MINUTE, grace: 5.5 * MINUTE };

/** What a test may want otherwise than most. */
export interface WorldOptions extends Partial<Omit<BalancerOptions, "storage" | "recipe">> {
  readonly recipe?: string | Recipe;
  readonly storage?: Storage;
}

/** A balancer with instances and devices that are no more than names, under a clock that the test moves. */
export class World {
  readonly clock: VirtualClock;
  readonly table: ZoneTable;
  readonly storage: Storage;
  readonly balancer: Balancer;
  readonly recipe: Recipe;
  readonly api: ControlHandlers;
  /** Instances that live: they send heartbeats while time passes. Id -> boot. */
  readonly alive: Map<string, string> = new Map();
  readonly #sequences: Map<string, number> = new Map();

  private constructor(parts: Pick<World, "clock" | "table" | "storage" | "balancer" | "recipe">) {
    this.clock = parts.clock;
    this.table = parts.table;
    this.storage = parts.storage;
    this.balancer = parts.balancer;
    this.recipe = parts.recipe;
    this.api = controlHandlers(parts.balancer);
  }

  /** Starts a balancer, with a profile `default` unless the storage is given. */
  static async start(options: WorldOptions = {}): Promise<World> {
    const clock = options.clock instanceof VirtualClock ? options.clock : new VirtualClock(NOW);
    const table = options.table ?? new ZoneTable({ zone: ZONE, seed: new Uint8Array(16).fill(5) });
    const storage = options.storage ?? new FakeStorage();
    if (options.storage === undefined) await storage.profiles.put("default", {}, NOW);
    const recipe = typeof options.recipe === "object" ? options.recipe : builtInRecipe(options.recipe ?? "berth-1");
    const balancer = await Balancer.start({
      uri: URI,
      timing: TIMING,
      sessionDeadline: 90_000,
      heartbeat: 1000,
      lostAfter: 5000,
      readProfile: (profile) => ({ profile, warnings: [] }),
      breathe,
      log: silentLogger,
      ...options,
      recipe,
      clock,
      table,
      storage,
    });
    return new World({ clock, table, storage, balancer, recipe });
  }

  /** Starts another balancer on the same database, as after a crash; the one before is not asked to end. */
  async restart(options: WorldOptions = {}): Promise<World> {
    const { clock, storage, recipe } = this;
    return World.start({ clock, storage, recipe, ...options });
  }

  async import(count: number, from = 0): Promise<DeviceBatchReply> {
    return this.add(...Array.from({ length: count }, (_, index) => deviceInput(from + index)));
  }

  async add(...devices: DeviceInput[]): Promise<DeviceBatchReply> {
    return this.balancer.import(devices);
  }

  /** An instance registers, with the address 127.0.0.<its number>, and lives from now on. */
  async join(id: string, boot = `${id}-boot`): Promise<void> {
    const ipv4 = `127.0.0.${id.replaceAll(/\D/g, "")}`;
    await this.api.registerInstance({ params: { id }, query: {}, body: { boot, addresses: { ipv4 } } });
    this.alive.set(id, boot);
  }

  async joinAll(...ids: string[]): Promise<void> {
    for (const id of ids) await this.join(id);
  }

  async leave(id: string): Promise<void> {
    this.alive.delete(id);
    await this.api.leave({ params: { id }, query: {}, body: undefined });
  }

  /** The process ends without a word. */
  crash(id: string): void {
    this.alive.delete(id);
  }

  /** Time passes; the instances that live say so. */
  async pass(span: Milliseconds, stride: Milliseconds = 1000): Promise<void> {
    for (let rest = span; rest > 0; rest -= stride) {
      this.clock.advance(Math.min(rest, stride));
      for (const [id, boot] of this.alive) await this.beat(id, boot);
      await this.tick();
    }
  }

  /** A heartbeat; as a real instance, this one registers when it is told that it is not known. */
  async beat(id: string, boot: string): Promise<void> {
    try {
      await this.api.heartbeat({ params: { id }, query: {}, body: { boot, load: NO_LOAD } });
    } catch {
      await this.join(id, boot);
    }
  }

  /** What the ticker does, until nothing is under way. */
  async tick(): Promise<void> {
    if (this.balancer.nextDeadline() <= this.clock.now()) this.balancer.tick();
    await this.balancer.idle();
  }

  /** An instance tells something of a device's session, under its next number; `counter` is that of the name it saw. */
  async tell(id: string, kind: Notification["kind"], endpoint: string, session: string, counter?: number): Promise<void> {
    await this.send(id, [{ ...this.note(id, kind, endpoint, session), counter }]);
  }

  note(id: string, kind: Notification["kind"], endpoint: string, session: string): Notification {
    const boot = this.alive.get(id) ?? "";
    const sequence = (this.#sequences.get(boot) ?? 0) + 1;
    this.#sequences.set(boot, sequence);
    return { sequence, kind, endpoint, session, at: this.clock.now(), ...(kind === "failed" ? { cause: "request-failed" } : {}) };
  }

  async send(id: string, notifications: readonly Notification[]): Promise<void> {
    const boot = this.alive.get(id) ?? "";
    await this.api.notify({ params: { id }, query: {}, body: { boot, notifications } });
  }

  async view(endpoint: string): Promise<DeviceView> {
    return this.api.device({ params: { endpoint }, query: { names: true }, body: undefined });
  }

  async lookup(id: string, endpoint: string): Promise<LookupReply> {
    return this.api.lookup({ params: { id }, query: {}, body: { endpoint } });
  }

  /** The host name that a device computes whose clock shows `instant`, or whose counter is `counter`. */
  nameOf(endpoint: string, instant: Instant = this.clock.now(), counter = 0): string {
    const secret = Uint8Array.from(Buffer.from(pskOf(numberOf(endpoint)), "hex"));
    return temporaryUri(this.recipe, URI, { secret, endpoint, ...stepAt(this.recipe, { instant, counter }), instant, counter })
      .host;
  }

  /** The instance that a device is led to by the name it computes; undefined: NXDOMAIN. */
  resolve(endpoint: string, instant?: Instant, counter?: number): string | undefined {
    const index = this.table.get(this.nameOf(endpoint, instant, counter));
    return index === undefined ? undefined : this.balancer.instances.at(index)?.id;
  }

  /** Opens an instance's stream; `events` gives what has come once nothing more comes. */
  open(id: string): { events(): Promise<AssignmentEvent[]>; close(): void } {
    const events: AssignmentEvent[] = [];
    const settled = async (): Promise<AssignmentEvent[]> => {
      for (let quiet = 0, before = -1; quiet < 10; quiet = events.length === before ? quiet + 1 : 0) {
        before = events.length;
        await breathe();
      }
      return [...events];
    };
    const gone = new AbortController();
    this.api.assignments(
      id,
      gone.signal,
    )(async (...given) => {
      await breathe();
      events.push(...given);
    });
    return { events: settled, close: () => gone.abort() };
  }

  /** Devices that are not completed, by the instance they are allocated to. */
  loads(): number[] {
    return this.balancer.membership
      .views()
      .filter(({ state }) => state === "up")
      .map(({ pending, commenced }) => pending + commenced);
  }
}

export function endpointOf(number: number): string {
  return `urn:dev:${number}`;
}

function numberOf(endpoint: string): number {
  return Number(endpoint.split(":").at(-1));
}

export function deviceInput(number: number, fields: Partial<DeviceInput> = {}): DeviceInput {
  return { endpoint: endpointOf(number), psk: pskOf(number), ...fields };
}

function pskOf(number: number): string {
  return number.toString(16).padStart(32, "0");
}

/** A logger that keeps what is said. */
export function listeningLogger(): Logger & { readonly lines: { level: string; message: string; fields: unknown }[] } {
  const lines: { level: string; message: string; fields: unknown }[] = [];
  const keep =
    (level: string) =>
    (fields: unknown, message: string): void =>
      void lines.push({ level, message, fields });
  return { lines, debug: keep("debug"), info: keep("info"), warn: keep("warn"), error: keep("error") };
}
