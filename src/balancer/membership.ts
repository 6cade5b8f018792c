import type { Heartbeat, InstanceRegistration, InstanceView } from "../control/index.ts";
import type { ZoneTable } from "../dns/index.ts";
import type { Clock, Milliseconds } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { Storage } from "../storage/index.ts";
import { nextProgress } from "./device.ts";
import type { Feed } from "./feed.ts";
import type { Fleet } from "./fleet.ts";
import type { Instance, Instances } from "./instances.ts";
import type { Registrar } from "./registrar.ts";
import { NAME_WORK, Slices } from "./slices.ts";
import type { Spreader } from "./spreader.ts";

/** What membership works on. */
export interface MembershipOptions {
  readonly fleet: Fleet;
  readonly instances: Instances;
  readonly registrar: Registrar;
  readonly spreader: Spreader;
  readonly feed: Feed;
  readonly table: ZoneTable;
  readonly storage: Storage;
  readonly clock: Clock;
  /** Never goes back: silence is measured by it. */
  readonly time: Clock;
  readonly breathe: () => Promise<void>;
  readonly log: Logger;
}

/** Instances come, say that they live, and go; devices follow. Its methods that return promises are called in turn. */
export class Membership {
  readonly #parts: MembershipOptions;

  constructor(parts: MembershipOptions) {
    this.#parts = parts;
  }

  /** Takes up again what was known before a restart of the balancer. Instances were silent through no fault of theirs. */
  async load(): Promise<void> {
    const { instances, storage, table, time } = this.#parts;
    for (const { id, ipv4, ipv6, state, registeredAt } of await storage.instances.all()) {
      const instance = instances.meet(id);
      instance.addresses = { ...(ipv4 === null ? {} : { ipv4 }), ...(ipv6 === null ? {} : { ipv6 }) };
      instance.state = state === "up" || state === "lost" ? state : "left";
      instance.registeredAt = registeredAt;
      instance.lastSeen = time.now();
      table.setInstance(instance.index, instance.addresses);
    }
  }

  /** An instance registers. If it is a new start of it, the sessions of the one before are over. */
  async register(id: string, { boot, addresses }: InstanceRegistration): Promise<void> {
    const { instances, table, clock, time, log, spreader } = this.#parts;
    const instance = instances.meet(id);
    const restarted = instance.boot !== "" && instance.boot !== boot;
    const joined = instance.state !== "up";
    table.setInstance(instance.index, addresses);
    instance.addresses = addresses;
    if (joined) instance.registeredAt = clock.now();
    // It gets devices only once it is stored; if that fails it will register again.
    await this.#store({ ...instance, state: "up" });
    instance.boot = boot;
    instance.state = "up";
    instance.lastSeen = time.now();
    if (restarted) await this.#endSessions(instance);
    if (!joined) return;
    const moved = await spreader.fill(instance.index);
    log.info({ instance: id, addresses, moved }, restarted ? "instance is back after a restart" : "instance joined");
  }

  /** The instance, if it is registered with this start of it; if not, it has to register first. */
  registered(id: string, boot: string): Instance | undefined {
    const instance = this.#parts.instances.get(id);
    return instance?.state === "up" && instance.boot === boot ? instance : undefined;
  }

  /** A sign of life. Returns false if the instance has to register (again) first. */
  beat(id: string, { boot, load }: Heartbeat): boolean {
    const instance = this.registered(id, boot);
    if (instance === undefined) return false;
    instance.lastSeen = this.#parts.time.now();
    instance.load = load;
    return true;
  }

  /** An instance says that it goes. */
  async leave(id: string): Promise<void> {
    const instance = this.#parts.instances.get(id);
    if (instance?.state === "up") await this.#remove(instance, "left");
  }

  /** Takes out the instances that were silent for too long (B12). */
  async removeSilent(limit: Milliseconds): Promise<void> {
    const { instances, time } = this.#parts;
    for (const instance of instances.silent(time.now(), limit)) await this.#remove(instance, "lost");
  }

  views(): InstanceView[] {
    const { instances, fleet, time } = this.#parts;
    const byId = [...instances.all()].sort((a, b) => a.id.localeCompare(b.id, "en", { numeric: true }));
    return byId.map(({ id, index, state, addresses, lastSeen, load }) => ({
      id,
      state,
      addresses,
      ...fleet.countsOf(index),
      silent: time.now() - lastSeen,
      load,
    }));
  }

  async #remove(instance: Instance, state: "lost" | "left"): Promise<void> {
    const { spreader, instances, feed, log } = this.#parts;
    // First what devices need; that it is written down can wait.
    instance.state = state;
    feed.forget(instance.id);
    await this.#endSessions(instance);
    const moved = await spreader.rehome();
    await spreader.abandon(instance.index);
    log.warn({ instance: instance.id, moved }, state === "lost" ? "instance is lost: no sign of life" : "instance left");
    if (instances.serving().length === 0) log.error({}, "no instance is left: names stay as they are until one comes");
    await this.#store(instance);
  }

  /** Its devices in progress are pending again, with names in all live epochs (B12, B13). */
  async #endSessions(instance: Instance): Promise<void> {
    const { fleet, registrar, breathe } = this.#parts;
    const slices = new Slices(breathe);
    for (const device of fleet.commenced.keys()) {
      if (slices.spend(1)) await slices.rest();
      if (device.progress.home !== instance.index) continue;
      slices.spend(2 * NAME_WORK);
      registrar.change(device, nextProgress(device.progress, { kind: "instance-lost" }));
    }
  }

  async #store({ id, addresses, state, registeredAt }: Instance): Promise<void> {
    const { ipv4 = null, ipv6 = null } = addresses;
    const { storage, clock } = this.#parts;
    await storage.instances.put({ id, ipv4, ipv6, state, registeredAt, lastSeen: clock.now() });
  }
}
