import type { AssignmentEvent, DeviceBatchReply, DeviceInput, RotationReply } from "../control/index.ts";
import type { ZoneTable } from "../dns/index.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import { BerthError, errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { collisionWarning, nameKey, prepareNaming, type Recipe, usesCounter } from "../naming/index.ts";
import type { AssignmentWriter, Machine } from "../net/index.ts";
import type { DeviceRow, PageOptions, Storage } from "../storage/index.ts";
import { type Device, NOWHERE, nextProgress, type Progress } from "./device.ts";
import { checkTiming, Epochs, type Timing } from "./epochs.ts";
import { Feed } from "./feed.ts";
import { Fleet } from "./fleet.ts";
import { factsOf, importDevices } from "./import.ts";
import { Inbox } from "./inbox.ts";
import { Instances } from "./instances.ts";
import { Membership } from "./membership.ts";
import { Publisher } from "./publisher.ts";
import { Registrar } from "./registrar.ts";
import { Turns } from "./turns.ts";

/** Options of {@link Balancer.start}. */
export interface BalancerOptions {
  /** The static bootstrap URI, which names are made from. */
  readonly uri: string;
  readonly recipe: Recipe;
  readonly timing: Timing;
  /** A session that takes longer is given up, and its device pending again (B13), ms. */
  readonly sessionDeadline: Milliseconds;
  /** Instances send a sign of life this often, and are lost after `lostAfter` without one (B12), ms. */
  readonly heartbeat: Milliseconds;
  readonly lostAfter: Milliseconds;
  /** Where names are published; not answering queries yet, so that nobody is told of a name that comes a moment later. */
  readonly table: ZoneTable;
  readonly storage: Storage;
  /** Checks a bootstrap profile and returns its warnings; throws InvalidInput. */
  readonly checkProfile: (profile: unknown, what: string) => readonly string[];
  readonly clock: Clock;
  readonly breathe: () => Promise<void>;
  readonly log: Logger;
}

const COUNTER = "counter";
/** How often a stream without news says that it is alive; instances give it up after three times that. */
const PING_EVERY: Milliseconds = 5000;
const TICK_EVERY: Milliseconds = 200;
/** Resolvers may lead to an instance this much longer than the TTL says. */
const STALE: Milliseconds = 60_000;

/**
 * The bootstrap load balancer (FIG. 3, 4): derives the names of all devices still to be bootstrapped, allocates them to
 * instances, publishes them ahead of each epoch, and follows what instances tell.
 */
export class Balancer implements Machine {
  readonly fleet: Fleet = new Fleet();
  readonly instances: Instances = new Instances();
  readonly publisher: Publisher;
  readonly epochs: Epochs;
  readonly registrar: Registrar;
  readonly membership: Membership;
  readonly inbox: Inbox;
  readonly #options: BalancerOptions;
  readonly #feed: Feed = new Feed();
  readonly #turns: Turns = new Turns();
  readonly #profiles: Map<string, unknown> = new Map();
  readonly #startedAt: Instant;
  #nextTick: Instant = 0;
  #nextPing: Instant = 0;
  #nextRotation: Instant | undefined;
  #warned: string | undefined;
  readonly #underway: Set<string> = new Set();

  private constructor(options: BalancerOptions, counter: number, marks: ConstructorParameters<typeof Inbox>[1]) {
    const { table, storage, clock, breathe, log, timing, recipe } = options;
    const { fleet, instances } = this;
    this.#options = options;
    this.#startedAt = clock.now();
    const usable = (index: number): boolean => instances.at(index)?.state === "up";
    const publisher = new Publisher({ table, namer: prepareNaming(recipe, options.uri), usable, breathe });
    const linger = timing.ttl + STALE;
    const registrar = new Registrar({ fleet, instances, publisher, feed: this.#feed, storage, clock, linger, breathe });
    const elsewhere = (device: Device, to: number): void => registrar.move({ device, to });
    this.publisher = publisher;
    this.registrar = registrar;
    this.epochs = new Epochs({ recipe, margins: timing, fleet, publisher, clock, log, elsewhere }, counter);
    this.membership = new Membership({ fleet, instances, registrar, table, storage, clock, log });
    this.inbox = new Inbox({ fleet, registrar, turns: this.#turns, clock, log }, marks);
  }

  /**
   * Loads what is stored, and publishes the names that should be live.
   * @throws InvalidInput for a timing that breaks B6 or B10; StorageError
   */
  static async start(options: BalancerOptions): Promise<Balancer> {
    const { storage, clock, table, timing, recipe, log } = options;
    checkTiming(recipe, timing);
    const counter = Number((await storage.settings.get(COUNTER)) ?? 0);
    const balancer = new Balancer(options, counter, await storage.devices.marks());
    for (const { id, ipv4, ipv6, state } of await storage.instances.all()) {
      const instance = balancer.instances.meet(id);
      instance.addresses = { ...(ipv4 === null ? {} : { ipv4 }), ...(ipv6 === null ? {} : { ipv6 }) };
      if (state === "up") instance.state = "up";
      // It could not say anything while there was no balancer: its silence counts from now.
      instance.lastSeen = clock.now();
      table.setInstance(instance.index, instance.addresses as { ipv4?: string; ipv6?: string });
    }
    for (const { name, body } of await storage.profiles.all()) balancer.#profiles.set(name, body);
    for await (const rows of storage.devices.all(2000)) for (const row of rows) balancer.#load(row);
    await balancer.registrar.rebalance();
    await balancer.epochs.follow(({ progress }) => progress.state !== "completed");
    await balancer.registrar.save();
    const {
      timing: { rotateEvery },
    } = options;
    if (rotateEvery !== undefined) balancer.#nextRotation = clock.now() + rotateEvery;
    log.info(
      { devices: balancer.fleet.counts, instances: balancer.instances.serving().length, epochs: timing },
      "balancer is ready",
    );
    balancer.#warnOfCollisions();
    return balancer;
  }

  /** The terms an instance registers on. */
  get heartbeat(): Milliseconds {
    return this.#options.heartbeat;
  }

  get zone(): string {
    return this.#options.table.zone;
  }

  nextDeadline(): Instant {
    return this.#nextTick;
  }

  tick(now: Instant): void {
    this.#nextTick = now + TICK_EVERY;
    this.registrar.revokeDue();
    if (now >= this.#nextPing) {
      this.#nextPing = now + PING_EVERY;
      this.#feed.tellAll({ type: "ping" });
    }
    if (this.instances.silent(now, this.#options.lostAfter).length > 0) {
      this.#later("removing lost instances", () => this.inTurn(() => this.membership.removeSilent(this.#options.lostAfter)));
    }
    if (this.#overdue(now).length > 0) this.#later("ending overdue sessions", () => this.inTurn(() => this.#endOverdue()));
    if (this.epochs.due) this.#later("following the epochs", () => this.#regenerate());
    if (this.#nextRotation !== undefined && now >= this.#nextRotation) {
      this.#nextRotation = now + (this.#options.timing.rotateEvery ?? 0);
      this.#later("rotating", async () => void (await this.rotate("timer")));
    }
  }

  /** Runs a task when nothing else changes devices. */
  inTurn<T>(task: () => Promise<T>): Promise<T> {
    return this.#turns.run(task);
  }

  /** Adds or updates devices (B1). */
  async import(devices: readonly DeviceInput[]): Promise<DeviceBatchReply> {
    const { storage, clock, recipe } = this.#options;
    const { fleet, instances, publisher, registrar } = this;
    const checkSecret = (secret: Uint8Array): void => void nameKey(recipe, secret);
    const parts = { fleet, instances, publisher, registrar, feed: this.#feed, storage, clock, checkSecret };
    const reply = await this.inTurn(() => importDevices(parts, devices));
    this.#warnOfCollisions();
    return reply;
  }

  /** Forgets a device. Returns false if it is not known. */
  async remove(endpoint: string): Promise<boolean> {
    return this.inTurn(async () => {
      const device = this.fleet.byEndpoint(endpoint);
      if (device === undefined) return false;
      await this.#options.storage.devices.remove([endpoint]);
      this.publisher.drop(device);
      this.fleet.remove(device);
      this.publisher.forget(device.row);
      this.#feed.tellAll({ type: "revoke", endpoints: [endpoint] });
      return true;
    });
  }

  /** Sets a bootstrap profile for devices that bootstrap from now on. Returns warnings. @throws InvalidInput */
  async putProfile(name: string, body: unknown): Promise<readonly string[]> {
    const warnings = this.#options.checkProfile(body, `profile ${name}`);
    await this.#options.storage.profiles.put(name, body, this.#options.clock.now());
    this.#profiles.set(name, body);
    this.#feed.tellAll({ type: "profile", name, profile: body });
    return warnings;
  }

  /** Regenerates names and spreads them afresh (B6, B7). */
  async rotate(reason: string): Promise<RotationReply> {
    const { recipe, storage, log } = this.#options;
    const counts = usesCounter(recipe);
    if (counts) {
      await this.inTurn(() => storage.settings.put(COUNTER, this.epochs.counter + 1));
      this.epochs.counter++;
      this.#feed.tellAll(this.#fleetEvent());
    }
    const moved = await this.#regenerate();
    const reply = { pending: this.fleet.counts.pending, moved, counter: counts ? this.epochs.counter : null };
    log.info({ reason, ...reply, collisions: this.publisher.collisions }, "names are regenerated");
    this.#warnOfCollisions();
    return reply;
  }

  /** A page of devices, in order of endpoint. */
  async page(options: PageOptions): Promise<Device[]> {
    const page = await this.#options.storage.devices.page(options);
    return page.flatMap(({ endpoint }) => this.fleet.byEndpoint(endpoint) ?? []);
  }

  /** Opens an instance's stream of assignments. */
  async stream(id: string, write: AssignmentWriter, signal: AbortSignal): Promise<void> {
    const instance = this.instances.get(id);
    const profiles = [...this.#profiles].map(([name, profile]): AssignmentEvent => ({ type: "profile", name, profile }));
    const index = instance?.index ?? NOWHERE;
    await this.#feed.open(id, write, signal, [this.#fleetEvent(), ...profiles], this.#devicesOf(index), this.#options.breathe);
  }

  /** Waits until nothing is being changed any more. */
  async idle(): Promise<void> {
    await this.#turns.idle();
  }

  *#devicesOf(index: number): Generator<Device> {
    for (const device of this.fleet.open()) if (this.registrar.mayServe(index, device)) yield device;
  }

  #load(row: DeviceRow): void {
    const { state, session, commencedAt, completedAt, attempts, failures } = row;
    const home = row.instance === null ? NOWHERE : this.instances.meet(row.instance).index;
    const failure = row.failure as Progress["failure"];
    const device = this.fleet.add(factsOf(row), { state, home, session, commencedAt, completedAt, attempts, failures, failure });
    try {
      this.publisher.learn(device.row, row.secret ?? row.psk);
    } catch (error) {
      throw new BerthError("weak-secret", `device ${row.endpoint}: ${errorText(error)}`, { cause: error });
    }
  }

  #fleetEvent(): AssignmentEvent {
    const { uri, recipe, timing } = this.#options;
    return { type: "fleet", uri, recipe, skew: timing.skew, counter: this.epochs.counter };
  }

  /** Spreads the devices afresh and brings DNS to the steps that should be live. Deriving runs beside other work. */
  async #regenerate(): Promise<number> {
    const moved = await this.inTurn(() => this.registrar.rebalance());
    while (this.epochs.due) await this.epochs.follow(({ progress }) => progress.state === "pending");
    await this.inTurn(() => this.registrar.save());
    return moved;
  }

  #overdue(now: Instant): Device[] {
    const { sessionDeadline } = this.#options;
    const since = (at: Instant | null): Instant => Math.max(at ?? 0, this.#startedAt);
    return [...this.fleet.commenced].filter(({ progress }) => now - since(progress.commencedAt) > sessionDeadline);
  }

  async #endOverdue(): Promise<void> {
    const changes = new Map<Device, Progress>();
    for (const device of this.#overdue(this.#options.clock.now())) {
      changes.set(device, nextProgress(device.progress, { kind: "deadline" }));
    }
    if (changes.size === 0) return;
    await this.registrar.commit(changes);
    this.#options.log.warn({ devices: changes.size }, "sessions took too long; their devices are pending again");
  }

  /** Starts a task unless it is under way. What fails is logged, and tried again by the next tick that finds it due. */
  #later(what: string, task: () => Promise<unknown>): void {
    if (this.#underway.has(what)) return;
    this.#underway.add(what);
    task()
      .catch((error: unknown) => this.#options.log.error({ error: errorText(error) }, `${what} failed`))
      .finally(() => this.#underway.delete(what));
  }

  #warnOfCollisions(): void {
    const { recipe, log } = this.#options;
    const names = this.fleet.counts.pending;
    const warning = collisionWarning(recipe, names);
    const magnitude = warning && String(Math.floor(Math.log2(names)));
    if (warning !== undefined && magnitude !== this.#warned) log.warn({ collisions: this.publisher.collisions }, warning);
    this.#warned = magnitude;
  }
}
