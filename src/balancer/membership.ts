import type {
  Heartbeat,
  InstanceRegistration,
  InstanceView,
  Notification,
  OverrideChange,
  OverrideReply,
} from "../control/index.ts";
import type { ZoneTable } from "../dns/index.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { Storage } from "../storage/index.ts";
import type { Audit } from "./audit.ts";
import { CrashLoops } from "./crash-loops.ts";
import { nextProgress } from "./device.ts";
import type { Feed } from "./feed.ts";
import type { Fleet } from "./fleet.ts";
import { type Instance, type Instances, NOTHING_DECLARED } from "./instances.ts";
import { loadOverrides, storeOverrides } from "./overrides.ts";
import { type ProbationReason, Setbacks } from "./probation.ts";
import type { Publisher } from "./publisher.ts";
import type { Registrar } from "./registrar.ts";
import { NAME_WORK, Slices } from "./slices.ts";
import type { Spreader } from "./spreader.ts";
import { Vigil } from "./vigil.ts";

/** What becomes of an instance that comes or comes back. */
export interface ReturnPolicy {
  /** After its probation an instance gets its share at the next epoch, or at once. */
  readonly onReturn: "at-epoch" | "at-once";
  /** Names are regenerated for it instead of moved. */
  readonly rotateOnJoin: boolean;
}

/** What membership works on. */
export interface MembershipOptions extends ReturnPolicy {
  readonly fleet: Fleet;
  readonly instances: Instances;
  readonly registrar: Registrar;
  readonly spreader: Spreader;
  readonly publisher: Publisher;
  readonly feed: Feed;
  readonly audit: Audit;
  readonly table: ZoneTable;
  readonly storage: Storage;
  readonly clock: Clock;
  /** Never goes back: silence is measured by it. */
  readonly time: Clock;
  /** Signs of life come this often; instances are lost after `lostAfter` without one (B12), ms. */
  readonly heartbeat: Milliseconds;
  readonly lostAfter: Milliseconds;
  /** How long resolvers may lead to an instance a name has left, ms. */
  readonly linger: Milliseconds;
  /** Regenerates names soon; not in this turn. */
  readonly rotate: (reason: string) => void;
  readonly breathe: () => Promise<void>;
  readonly log: Logger;
}

const BY_INSTANCE = { trigger: "instance" } as const;
/** A sign of life is late, though the instance is not lost yet, after so many heartbeats. */
const LATE = 2.5;

/** Instances come, say that they live, and go; devices follow. Its methods that return promises are called in turn. */
export class Membership {
  readonly #parts: MembershipOptions;
  readonly #setbacks: Setbacks = new Setbacks();
  readonly #crashLoops: CrashLoops = new CrashLoops();
  readonly #vigil: Vigil;
  /** Pending devices that could not be moved away from instances that do not serve. */
  #stuck = 0;

  constructor(parts: MembershipOptions) {
    this.#parts = parts;
    this.#vigil = new Vigil(parts);
  }

  /** Takes up again what was known before a restart of the balancer. Instances were silent through no fault of theirs. */
  async load(): Promise<void> {
    const { instances, storage, table, time } = this.#parts;
    for (const { id, ipv4, ipv6, state, registeredAt } of await storage.instances.all()) {
      const instance = instances.meet(id);
      const six = ipv6 === null ? {} : ipv6.includes("/") ? { prefix: ipv6 } : { ipv6 };
      instance.addresses = { ...(ipv4 === null ? {} : { ipv4 }), ...six };
      instance.presence = state === "up" || state === "lost" ? state : "left";
      instance.registeredAt = registeredAt;
      instance.lastSeen = time.now();
      table.setInstance(instance.index, instance.addresses);
    }
    for (const [id, override] of await loadOverrides(storage.settings)) instances.meet(id).override = override;
  }

  /** An instance registers. If it is a new start of it, the sessions of the one before are over. */
  async register(id: string, { boot, addresses, declared }: InstanceRegistration): Promise<void> {
    const { instances, table, clock, time, audit, log } = this.#parts;
    const instance = instances.meet(id);
    const before = instance.presence;
    const isNew = instance.registeredAt === 0;
    const restarted = instance.boot !== "" && instance.boot !== boot;
    table.setInstance(instance.index, addresses);
    instance.addresses = addresses;
    const { weight = NOTHING_DECLARED.weight, pools = NOTHING_DECLARED.pools } = declared ?? {};
    instance.declared = { ...declared, weight, pools };
    const registeredAt = before === "up" ? instance.registeredAt : clock.now();
    // It gets devices only once it is stored; if that fails it will register again.
    await this.#store(instance, "up", registeredAt);
    instance.registeredAt = registeredAt;
    instance.boot = boot;
    instance.presence = "up";
    instance.lastSeen = time.now();
    if (restarted) {
      const busy = await this.#endSessions(instance);
      const causes =
        before === "up" && busy > 0 ? this.#crashLoops.failed(instance.index, `restart ${boot}`, "restart") : undefined;
      if (causes !== undefined) await this.takeOut(instance, causes);
    }
    if (before === "up") return;
    if (before === "lost") return this.#tryOut(instance, "lost");
    const moved = await this.#join(instance, isNew);
    audit.note({ ...BY_INSTANCE, kind: "instance-joined", subject: id, reason: isNew ? "new" : "again", counts: { moved } });
    log.info({ instance: id, addresses, moved }, restarted ? "instance is back after a restart" : "instance joined");
  }

  /** The instance, if it is registered with this start of it; if not, it has to register first. */
  registered(id: string, boot: string): Instance | undefined {
    const instance = this.#parts.instances.get(id);
    return instance?.alive === true && instance.boot === boot ? instance : undefined;
  }

  /** A sign of life. Returns false if the instance has to register (again) first. */
  beat(id: string, { boot, load }: Heartbeat): boolean {
    const instance = this.registered(id, boot);
    if (instance === undefined) return false;
    const { time, heartbeat } = this.#parts;
    const now = time.now();
    const { probation } = instance;
    if (probation !== undefined && now - instance.lastSeen > LATE * heartbeat) probation.until = now + probation.span;
    instance.lastSeen = now;
    instance.load = load;
    return true;
  }

  /** An instance says that it goes. */
  async leave(id: string): Promise<void> {
    const instance = this.#parts.instances.get(id);
    if (instance?.alive === true) await this.#remove(instance, "left");
  }

  /** Whether {@link tend} has something to do. To be asked at every tick. */
  get untended(): boolean {
    if (this.#vigil.silent().length > 0 || this.#astray() !== this.#stuck) return true;
    return this.#parts.instances.alive().some((instance) => this.#hasProven(instance) || this.#drains(instance));
  }

  /**
   * What time brings: takes out instances that were silent for too long (B12), takes up those that have proven themselves,
   * moves devices that fell back to instances that do not serve, and sees which have drained (B15).
   */
  async tend(): Promise<void> {
    const { instances, spreader, log } = this.#parts;
    for (const instance of this.#vigil.silent()) await this.#remove(instance, "lost");
    for (const instance of instances.alive()) {
      if (this.#hasProven(instance)) await this.#takeUp(instance);
      if (!this.#drains(instance)) continue;
      instance.drained = true;
      log.info({ instance: instance.id }, "instance is drained: it has no session, and no resolver leads to it any more");
    }
    if (this.#astray() !== this.#stuck) {
      await spreader.rehome();
      this.#stuck = this.#astray();
    }
  }

  /**
   * What an instance told of its sessions; it may be told twice.
   * @returns the causes, if several devices have failed on it in a row: then see {@link takeOut}
   */
  observe({ index }: Instance, notifications: readonly Notification[]): readonly string[] | undefined {
    let causes: readonly string[] | undefined;
    for (const { kind, endpoint, cause = "internal" } of notifications) {
      if (kind === "completed") this.#crashLoops.completed(index);
      // A device that begins anew cancels its session: that is no fault of the instance.
      if (kind === "failed" && cause !== "cancelled") causes = this.#crashLoops.failed(index, endpoint, cause) ?? causes;
    }
    return causes;
  }

  /** Devices fail on an instance one after the other: takes it out, unless the others are no better. */
  async takeOut(instance: Instance, causes: readonly string[]): Promise<void> {
    const { instances, time, audit, log } = this.#parts;
    if (!instance.open) return;
    const alive = instances.alive();
    const out = alive.filter(({ probation }) => probation?.reason === "failures").length + 1;
    const others = alive.filter((other) => other !== instance && other.open).length;
    const fields = { instance: instance.id, causes };
    if (others === 0 || 2 * out > alive.length) {
      log.warn(fields, "devices fail in a row, but not on this instance alone: see the fleet and its profiles; it stays");
      return;
    }
    this.#setbacks.add(instance.index, time.now());
    instance.probation = this.#setbacks.probation(instance.index, "failures", time.now());
    const moved = await this.#turnAway(instance);
    audit.note({
      ...BY_INSTANCE,
      kind: "instance-probation",
      subject: instance.id,
      reason: causes.join(", "),
      counts: { moved },
    });
    log.warn(
      { ...fields, moved, span: instance.probation.span },
      "instance is taken out: devices fail on it one after the other",
    );
  }

  /** An operator changes what instances say or were measured at (B11, B15). Returns undefined for an unknown instance. */
  async override(id: string, change: OverrideChange): Promise<OverrideReply | undefined> {
    const { instances, spreader, storage, time, audit, log } = this.#parts;
    const instance = instances.get(id);
    if (instance === undefined) return undefined;
    const before = instance.override;
    const draining = change.draining ?? before.draining;
    const weight = change.weight === undefined ? before.weight : (change.weight ?? undefined);
    const override = { draining, ...(weight === undefined ? {} : { weight }) };
    const others = instances.all().map((each) => [each.id, each === instance ? override : each.override] as const);
    await storeOverrides(storage.settings, others);
    const wasWanted = instance.wanted;
    instance.override = override;
    if (draining !== before.draining) {
      instance.drained = false;
      instance.quietSince = time.now();
    }
    let moved = 0;
    if (wasWanted && !instance.wanted) moved = await this.#turnAway(instance);
    else if (!wasWanted && instance.open) moved = await spreader.fill(instance.index);
    else if (instance.wanted && weight !== before.weight) moved = await spreader.level();
    const kind = draining === before.draining ? "instance-override" : "instance-drain";
    const reason = `weight ${weight ?? "auto"}, ${draining ? "draining" : "not draining"}`;
    audit.note({ kind, trigger: "operator", subject: id, reason, counts: { moved } });
    log.warn({ instance: id, draining, weight: weight ?? "auto", moved }, "an operator overrides an instance");
    const stays = instance.alive && !instance.wanted && instances.usable(instance.index);
    const warning = stays ? `no other instance serves: names that lead to ${id} stay as they are until one does` : null;
    if (warning !== null) log.error({ instance: id }, warning);
    return { instance: this.#view(instance), moved, warning };
  }

  views(): InstanceView[] {
    const byId = [...this.#parts.instances.all()].sort((a, b) => a.id.localeCompare(b.id, "en", { numeric: true }));
    return byId.map((instance) => this.#view(instance));
  }

  #view({ id, index, state, addresses, declared, override, lastSeen, load }: Instance): InstanceView {
    const { fleet, time } = this.#parts;
    const { weight = null, draining } = override;
    return {
      id,
      state,
      addresses,
      declared,
      override: { weight, draining },
      ...fleet.countsOf(index),
      silent: time.now() - lastSeen,
      load,
    };
  }

  async #remove(instance: Instance, presence: "lost" | "left"): Promise<void> {
    const { instances, feed, time, audit, log } = this.#parts;
    // First what devices need; that it is written down can wait.
    instance.presence = presence;
    instance.probation = undefined;
    instance.drained = false;
    this.#crashLoops.completed(instance.index);
    if (presence === "lost") this.#setbacks.add(instance.index, time.now());
    feed.forget(instance.id);
    await this.#endSessions(instance);
    const moved = await this.#turnAway(instance);
    audit.note({ ...BY_INSTANCE, kind: `instance-${presence}`, subject: instance.id, reason: presence, counts: { moved } });
    log.warn({ instance: instance.id, moved }, presence === "lost" ? "instance is lost: no sign of life" : "instance left");
    if (instances.serving().length === 0) log.error({}, "no instance is left: names stay as they are until one comes");
    await this.#store(instance, presence, instance.registeredAt);
  }

  /** Its pending devices go to others. Those on probation are taken up when there is nobody else. Returns how many moved. */
  async #turnAway(instance: Instance): Promise<number> {
    const { instances, spreader, log } = this.#parts;
    if (!instances.alive().some(({ open }) => open)) {
      for (const other of instances.alive()) {
        if (!other.wanted || other.probation === undefined || other === instance) continue;
        other.probation = undefined;
        log.error({ instance: other.id }, "instance is taken up before it has proven itself: no other serves");
      }
    }
    const moved = await spreader.rehome();
    if (!instances.usable(instance.index)) await spreader.abandon(instance.index);
    return moved;
  }

  /** It has to prove itself before it is given devices again, unless nobody else serves. */
  async #tryOut(instance: Instance, reason: ProbationReason): Promise<void> {
    const { instances, time, audit, log } = this.#parts;
    if (instance.wanted && !instances.alive().some((other) => other !== instance && other.open)) {
      const moved = await this.#join(instance, true);
      audit.note({ ...BY_INSTANCE, kind: "instance-back", subject: instance.id, reason: "no other serves", counts: { moved } });
      log.warn({ instance: instance.id, moved }, "instance is back, and serves at once as no other does");
      return;
    }
    instance.probation = this.#setbacks.probation(instance.index, reason, time.now());
    const { span } = instance.probation;
    audit.note({ ...BY_INSTANCE, kind: "instance-probation", subject: instance.id, reason });
    log.info({ instance: instance.id, reason, span }, "instance is on probation: it gets no devices until it has proven itself");
  }

  #hasProven({ probation, lastSeen }: Instance): boolean {
    // A sign of life that is late may be the last: then it has not proven itself.
    const { time, heartbeat } = this.#parts;
    return probation !== undefined && time.now() >= probation.until && time.now() - lastSeen <= LATE * heartbeat;
  }

  async #takeUp(instance: Instance): Promise<void> {
    const { onReturn, rotateOnJoin, audit, log } = this.#parts;
    instance.probation = undefined;
    this.#crashLoops.completed(instance.index);
    const atOnce = instance.open && (rotateOnJoin || onReturn === "at-once");
    const moved = atOnce ? await this.#join(instance, true) : 0;
    audit.note({ ...BY_INSTANCE, kind: "instance-back", subject: instance.id, reason: "has proven itself", counts: { moved } });
    log.info(
      { instance: instance.id, moved },
      `instance has proven itself${atOnce ? "" : ": it gets devices at the next epoch"}`,
    );
  }

  /** Gives it its share, by moving names or by making new ones. Returns how many devices moved at once. */
  async #join(instance: Instance, mayRotate: boolean): Promise<number> {
    const { spreader, rotateOnJoin, rotate } = this.#parts;
    if (!instance.wanted) return 0;
    if (!rotateOnJoin || !mayRotate) return spreader.fill(instance.index);
    rotate(`instance ${instance.id} joined`);
    return 0;
  }

  /** Pending devices of instances that should have none, where another could have them. */
  #astray(): number {
    const { instances, fleet } = this.#parts;
    const away = instances.alive().filter(({ open, index }) => !open && !instances.usable(index));
    return away.reduce((sum, { index }) => sum + fleet.countsOf(index).pending, 0);
  }

  /** Whether it has just become drained; keeps account of since when nothing leads to it. */
  #drains(instance: Instance): boolean {
    const { fleet, publisher, time, linger } = this.#parts;
    if (!instance.override.draining || instance.drained) return false;
    const { pending, commenced } = fleet.countsOf(instance.index);
    if (pending + commenced > 0 || publisher.leadsTo(instance.index)) instance.quietSince = time.now();
    return time.now() - instance.quietSince >= linger;
  }

  /** Its devices in progress are pending again, with names in all live epochs (B12, B13). Returns how many there were. */
  async #endSessions(instance: Instance): Promise<number> {
    const { fleet, registrar, breathe } = this.#parts;
    const slices = new Slices(breathe);
    let ended = 0;
    for (const device of fleet.commenced.keys()) {
      if (slices.spend(1)) await slices.rest();
      if (device.progress.home !== instance.index) continue;
      slices.spend(2 * NAME_WORK);
      registrar.change(device, nextProgress(device.progress, { kind: "instance-lost" }));
      ended++;
    }
    return ended;
  }

  async #store({ id, addresses }: Instance, state: Instance["presence"], registeredAt: Instant): Promise<void> {
    const { ipv4 = null, ipv6 = addresses.prefix ?? null } = addresses;
    const { storage, clock } = this.#parts;
    await storage.instances.put({ id, ipv4, ipv6, state, registeredAt, lastSeen: clock.now() });
  }
}
