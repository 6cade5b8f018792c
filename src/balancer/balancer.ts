import type {
  AssignmentEvent,
  DeviceBatchReply,
  DeviceInput,
  Notification,
  OverrideChange,
  OverrideReply,
  PastBootstrap,
  PlanReply,
  PlanRequest,
  PublicationControl,
  RotationReply,
} from "../control/index.ts";
import type { ZoneTable } from "../dns/index.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import { errorText, InvalidInput } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { SteadyClock } from "../lib/steady-clock.ts";
import { epochAt, prepareNaming, type Recipe, usesCounter } from "../naming/index.ts";
import type { AssignmentWriter, Machine } from "../net/index.ts";
import type { NotificationMark, PageOptions, Storage } from "../storage/index.ts";
import { Allocation, type AllocationOptions, EVEN } from "./allocation/index.ts";
import { Audit, type AuditNote } from "./audit.ts";
import { Brake } from "./brake.ts";
import { Chores } from "./chores.ts";
import { CollisionWatch } from "./collision-watch.ts";
import { Departures } from "./departures.ts";
import { type Device, nextProgress } from "./device.ts";
import { Epochs } from "./epochs.ts";
import { Feed } from "./feed.ts";
import { Fleet } from "./fleet.ts";
import { History } from "./history.ts";
import { type ImportOptions, type ImportTerms, importDevices } from "./import.ts";
import { Inbox } from "./inbox.ts";
import { type Instance, Instances } from "./instances.ts";
import type { Lease } from "./lease.ts";
import { loadDevices } from "./loading.ts";
import { Membership, type ReturnPolicy } from "./membership.ts";
import { planNext } from "./planner.ts";
import { Profiles, type ReadProfile } from "./profiles.ts";
import { Publisher } from "./publisher.ts";
import { Rearming, type RearmRule } from "./rearming.ts";
import { Registrar } from "./registrar.ts";
import { removeDevices } from "./removal.ts";
import { Spreader } from "./spreader.ts";
import { warningsOf } from "./status.ts";
import { checkTiming, type Timing } from "./timing.ts";
import { Turns } from "./turns.ts";
import { Withdrawal } from "./withdrawal.ts";

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
  /** What instances get that come or come back; by default their share, at the next epoch if the recipe has epochs. */
  readonly returning?: Partial<ReturnPolicy> | undefined;
  /** Where names are published; not answering queries yet, so that nobody is told of a name that comes a moment later. */
  readonly table: ZoneTable;
  readonly storage: Storage;
  /** How devices are allocated to instances (B3); evenly if absent. */
  readonly allocation?: AllocationOptions;
  readonly readProfile: ReadProfile;
  /** The share (0-1) of what is live that may be taken away or changed at one stroke without a word; 0.3 if absent. */
  readonly brake?: number | undefined;
  /** What brings the names to a registry that is another server; absent where the table is all there is. */
  readonly publication?: PublicationControl | undefined;
  /** Which completed devices are pending again, and when (B14); without rules only those that an operator says. */
  readonly rearm?: readonly RearmRule[];
  readonly clock: Clock;
  /** Lets others run between two slices of long work. */
  readonly breathe: () => Promise<void>;
  readonly log: Logger;
}

const BY_HAND = { trigger: "operator", reason: "by hand" } as const;
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
  readonly fleet: Fleet;
  readonly instances: Instances = new Instances();
  readonly publisher: Publisher;
  readonly epochs: Epochs;
  readonly registrar: Registrar;
  readonly membership: Membership;
  readonly inbox: Inbox;
  readonly audit: Audit;
  readonly brake: Brake;
  readonly rearming: Rearming;
  readonly #options: BalancerOptions;
  /** Measures spans: it never goes back. */
  readonly #time: Clock;
  readonly #feed: Feed = new Feed();
  readonly #turns: Turns = new Turns();
  readonly #profiles: Profiles;
  readonly #import: ImportOptions;
  readonly #spreader: Spreader;
  readonly #allocation: Allocation;
  readonly #departures: Departures;
  readonly #chores: Chores;
  readonly #collisions: CollisionWatch;
  readonly #withdrawal: Withdrawal;
  #nextTick: Instant;
  #nextPing: Instant;
  #nextRotation: Instant = Number.POSITIVE_INFINITY;

  private constructor(options: BalancerOptions, marks: readonly NotificationMark[]) {
    const { table, clock, timing, recipe, uri, log } = options;
    const time = new SteadyClock(clock);
    const instances = this.instances;
    const turns = this.#turns;
    const feed = this.#feed;
    const namer = prepareNaming(recipe, uri);
    const usable = (index: number): boolean => instances.usable(index);
    const fleet = new Fleet(time);
    const publisher = new Publisher({ ...options, namer, usable });
    const departures = new Departures(time, timing.ttl + STALE);
    const epochs = new Epochs({ ...options, margins: timing, fleet, publisher });
    const history = new History({ ...options, instances, publisher });
    const registrar = new Registrar({ ...options, fleet, instances, publisher, departures, feed, history });
    const allocation = new Allocation(options.allocation ?? EVEN, log);
    const spreader = new Spreader({ ...options, fleet, instances, publisher, registrar, allocation });
    const audit = new Audit(options.storage.audit, clock, log);
    const brake = new Brake({ ...options, audit, time });
    const rules = options.rearm ?? [];
    const rearming = new Rearming({ ...options, rules, fleet, registrar, spreader, turns, audit, time });
    const profiles = new Profiles(options);
    this.#options = options;
    this.#time = time;
    this.#departures = departures;
    this.#spreader = spreader;
    this.#allocation = allocation;
    this.#chores = new Chores(time, log);
    this.#collisions = new CollisionWatch({ recipe, fleet, publisher, log });
    this.#withdrawal = new Withdrawal({ ...options, fleet, registrar, turns });
    this.#nextTick = time.now();
    this.#nextPing = time.now() + PING_EVERY;
    if (timing.rotateEvery !== undefined) this.#nextRotation = time.now() + timing.rotateEvery;
    this.fleet = fleet;
    this.publisher = publisher;
    this.registrar = registrar;
    this.epochs = epochs;
    this.#profiles = profiles;
    this.#import = { ...options, fleet, instances, publisher, epochs, registrar, spreader, allocation, feed, profiles, brake };
    this.membership = new Membership({
      ...options,
      ...{ fleet, instances, registrar, spreader, publisher, feed, table, time, audit },
      onReturn: options.returning?.onReturn ?? (epochAt(recipe, 0) === undefined ? "at-once" : "at-epoch"),
      rotateOnJoin: options.returning?.rotateOnJoin ?? false,
      linger: timing.ttl + STALE,
      rotate: (reason) => this.#chores.start(`rotating as ${reason}`, () => this.rotate(reason, "instance")),
    });
    this.audit = audit;
    this.brake = brake;
    this.rearming = rearming;
    this.inbox = new Inbox({ ...options, fleet, registrar, history, rearming, turns }, marks);
    checkZone(namer.parentDomain, table.zone);
    if (!namer.varies.host) log.warn({ uri }, "the recipe gives all devices one host name: one instance will serve them all");
  }

  /**
   * Loads what is stored, and publishes the names that should be live, where they pointed before.
   * @throws InvalidInput for a timing that breaks B6 or B10, or names outside the zone; StorageError
   */
  static async start(options: BalancerOptions): Promise<Balancer> {
    const { storage, timing, recipe, log } = options;
    checkTiming(recipe, timing);
    const balancer = new Balancer(options, await storage.devices.marks());
    await balancer.membership.load();
    await balancer.#profiles.load();
    await loadDevices({ ...options, ...balancer.#import });
    await balancer.inTurn(() => balancer.#spreader.rehome());
    await balancer.#followEpochs(({ progress }) => progress.state !== "completed");
    const { fleet, instances } = balancer;
    log.info({ devices: fleet.counts, instances: instances.serving().length, timing }, "balancer is ready");
    balancer.#collisions.warn();
    for (const warning of warningsOf(balancer)) log.error({}, warning);
    return balancer;
  }

  /** The terms an instance registers on. */
  get heartbeat(): Milliseconds {
    return this.#options.heartbeat;
  }

  get publication(): PublicationControl | undefined {
    return this.#options.publication;
  }

  /** Notes whom this balancer has taken the lease from, if that did not give it back (R6). */
  noteLease({ term, from }: Pick<Lease, "term" | "from">): void {
    if (from === null) return;
    const reason = `${from} did not renew its lease; this balancer leads now`;
    this.audit.note({ kind: "fenced", trigger: "balancer", subject: "lease", reason, counts: { term } });
  }

  get zone(): string {
    return this.#options.table.zone;
  }

  nextDeadline(): Instant {
    // By the time of day, as the caller measures, though that may be set back.
    return this.#options.clock.now() + this.#nextTick - this.#time.now();
  }

  tick(): void {
    const now = this.#time.now();
    const chores = this.#chores;
    this.#nextTick = now + TICK_EVERY;
    if (now >= this.#nextPing) {
      this.#nextPing = now + PING_EVERY;
      this.#feed.tellAll({ type: "ping" });
    }
    if (this.membership.untended) chores.start("tending instances", () => this.inTurn(() => this.membership.tend()));
    if (!this.#overdue().next().done) chores.start("ending overdue sessions", () => this.inTurn(() => this.#endOverdue()));
    if (this.#departures.due) chores.start("taking devices back", () => this.registrar.revokeDue());
    if (this.registrar.unsaved > 0) chores.start("storing allocations", () => this.#saveAll());
    if (this.rearming.due) chores.start("re-arming devices", () => this.rearming.scan());
    if (this.audit.unsaved > 0) chores.start("storing the audit log", () => this.audit.save());
    this.brake.watch();
    const { up, down } = this.epochs.due;
    if (up.length > 0) chores.start("regenerating names", () => this.#regenerate());
    else if (down.length > 0) chores.start("regenerating names", () => this.#followEpochs());
    if (now >= this.#nextRotation) {
      this.#nextRotation = now + (this.#options.timing.rotateEvery ?? 0);
      chores.start("rotating", () => this.rotate("rotation.every", "timer"));
    }
  }

  /** Runs a task when nothing else changes devices. */
  inTurn<T>(task: () => Promise<T>): Promise<T> {
    return this.#turns.run(task);
  }

  /** Adds or updates devices (B1). @throws ChangeHeld if that would change more names than the brake lets through */
  async import(devices: readonly DeviceInput[], terms: ImportTerms = {}): Promise<DeviceBatchReply> {
    const reply = await this.inTurn(() => importDevices(this.#import, devices, terms));
    this.#collisions.warn();
    return { ...reply, warnings: this.#collisions.warnings };
  }

  /** An operator sets an instance's weight, or drains it (B11, B15). Returns undefined if it is not known. */
  async override(id: string, change: OverrideChange): Promise<OverrideReply | undefined> {
    return this.inTurn(() => this.membership.override(id, change));
  }

  /** What an instance told of sessions, once it is stored: an instance on which devices fail in a row is taken out. */
  async observe(instance: Instance, notifications: readonly Notification[]): Promise<void> {
    const causes = this.membership.observe(instance, notifications);
    if (causes !== undefined) await this.inTurn(() => this.membership.takeOut(instance, causes));
  }

  /** Forgets a device. Returns false if it is not known. */
  async remove(endpoint: string): Promise<boolean> {
    return (await this.removeAll([endpoint])) > 0;
  }

  /** Forgets devices, in one transaction. Returns how many of them were known. */
  async removeAll(endpoints: readonly string[], why: Pick<AuditNote, "trigger" | "reason"> = BY_HAND): Promise<number> {
    return this.inTurn(() => removeDevices({ ...this.#import, audit: this.audit }, endpoints, why));
  }

  /** Sets a bootstrap profile for devices that bootstrap from now on. Returns warnings. @throws InvalidInput */
  async putProfile(name: string, body: unknown): Promise<readonly string[]> {
    return this.inTurn(async () => {
      const { profile, warnings, changed } = await this.#profiles.put(name, body);
      this.#feed.tellAll({ type: "profile", name, profile });
      if (changed) this.audit.note({ kind: "profile", ...BY_HAND, subject: name });
      return warnings;
    });
  }

  /**
   * Regenerates names and spreads devices afresh (B6, B7). Where names are made of a counter, the lowest name of each
   * pending device is withdrawn.
   */
  async rotate(reason: string, trigger: "operator" | "leak" | "timer" | "instance" = "operator"): Promise<RotationReply> {
    const { recipe, log } = this.#options;
    const withdrawal = usesCounter(recipe) ? await this.#withdrawal.all() : undefined;
    const moved = await this.#regenerate();
    const { pending } = this.fleet.counts;
    const stepped = withdrawal?.stepped ?? null;
    this.audit.note({ kind: "rotation", trigger, reason, counts: { pending, moved, ...withdrawal } });
    const { collisions } = this.publisher;
    log.info({ trigger, reason, pending, moved, ...withdrawal, collisions }, "names are regenerated");
    this.#collisions.warn();
    const said = withdrawal === undefined ? [this.epochs.unchanged] : this.#withdrawal.warnings(withdrawal);
    return { pending, moved, stepped, warnings: [...said, ...this.#collisions.warnings] };
  }

  /** What would change, without changing it (B16). @throws InvalidInput for an instance that is not known */
  async plan(request: PlanRequest): Promise<PlanReply> {
    const { fleet, instances, publisher, epochs } = this;
    return this.inTurn(() => planNext({ fleet, instances, publisher, epochs, spreader: this.#spreader }, request));
  }

  /** A page of devices in order of endpoint, and the `after` of the next one if there may be more. */
  async page(options: PageOptions): Promise<{ readonly devices: readonly Device[]; readonly next: string | null }> {
    const page = await this.#options.storage.devices.page(options);
    const next = page.length < options.limit ? null : (page.at(-1)?.endpoint ?? null);
    return { devices: page.flatMap(({ endpoint }) => this.fleet.byEndpoint(endpoint) ?? []), next };
  }

  /** A device's last bootstraps that are stored, the latest first. */
  historyOf({ endpoint }: Device): Promise<PastBootstrap[]> {
    return this.#options.storage.devices.history(endpoint);
  }

  /** Opens an instance's stream of assignments. */
  async stream(id: string, write: AssignmentWriter, signal: AbortSignal): Promise<void> {
    const { breathe, log } = this.#options;
    const instance = this.instances.get(id);
    const isTheirs = (device: Device): boolean => instance !== undefined && this.registrar.isOf(device, instance.index);
    const preface = [this.#fleetEvent(), ...this.#profiles.events()];
    try {
      await this.#feed.open({ id, write, signal, preface, devices: this.fleet.rows, isTheirs, breathe });
    } catch (error) {
      log.error({ instance: id, error: errorText(error) }, "a stream of assignments broke");
    }
  }

  /** Waits until nothing that was begun is under way any more, and stores what is not stored yet. */
  async idle(): Promise<void> {
    await this.#chores.idle();
    this.#chores.start("storing allocations", () => this.#saveAll());
    this.#chores.start("storing the audit log", () => this.audit.save());
    await this.#chores.idle();
    await this.#turns.idle();
  }

  #fleetEvent(): Extract<AssignmentEvent, { type: "fleet" }> {
    const { uri, recipe, timing } = this.#options;
    return { type: "fleet", uri, recipe, skew: timing.skew };
  }

  /** Spreads the devices afresh, and brings DNS to the steps that should be live. Returns how many devices moved. */
  async #regenerate(): Promise<number> {
    // Where devices share names it is by the names of the new epoch that they go together (N10).
    const lumps = this.publisher.collisions > 0;
    const moved = lumps ? 0 : await this.inTurn(() => this.#spreader.level());
    await this.#followEpochs();
    return this.publisher.collisions > 0 ? moved + (await this.inTurn(() => this.#spreader.level())) : moved;
  }

  async #followEpochs(entitled = ({ progress }: Device): boolean => progress.state === "pending"): Promise<void> {
    for (let due = this.epochs.due; due.up.length + due.down.length > 0; due = this.epochs.due) {
      const strays = await this.epochs.follow(entitled);
      await this.inTurn(() => this.#spreader.join(strays));
    }
  }

  async #saveAll(): Promise<void> {
    while (this.registrar.unsaved > 0) await this.inTurn(() => this.registrar.save());
  }

  *#overdue(): Generator<Device> {
    const limit = this.#time.now() - this.#options.sessionDeadline;
    for (const [device, since] of this.fleet.commenced) {
      if (since >= limit) return;
      yield device;
    }
  }

  async #endOverdue(): Promise<void> {
    let devices = 0;
    for (const device of this.#overdue()) {
      devices++;
      this.registrar.change(device, nextProgress(device.progress, { kind: "deadline" }));
    }
    this.#options.log.warn({ devices }, "sessions took too long; their devices are pending again");
  }
}

/** Names outside the zone could not be published. */
function checkZone(domain: string, zone: string): void {
  if (domain === "" || domain === zone || domain.endsWith(`.${zone}`)) return;
  throw new InvalidInput(`zone: the names that devices make end in ${domain}, which is not in the zone ${zone}`);
}
