import type { Heartbeat, InstanceRegistration, InstanceView } from "../control/index.ts";
import type { ZoneTable } from "../dns/index.ts";
import type { Clock, Milliseconds } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { Storage } from "../storage/index.ts";
import { type Device, nextProgress, type Progress } from "./device.ts";
import type { Fleet } from "./fleet.ts";
import type { Instance, Instances } from "./instances.ts";
import type { Registrar } from "./registrar.ts";

/** What membership works on. */
export interface MembershipOptions {
  readonly fleet: Fleet;
  readonly instances: Instances;
  readonly registrar: Registrar;
  readonly table: ZoneTable;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Instances come, say that they live, and go; devices follow. Its methods that return promises are called in turn. */
export class Membership {
  readonly #parts: MembershipOptions;

  constructor(parts: MembershipOptions) {
    this.#parts = parts;
  }

  /** An instance registers. If it is a new start of it, the sessions of the one before are over. */
  async register(id: string, { boot, addresses }: InstanceRegistration): Promise<void> {
    const { instances, table, clock, log, registrar } = this.#parts;
    const instance = instances.meet(id);
    const restarted = instance.boot !== "" && instance.boot !== boot;
    const joined = instance.state !== "up";
    const now = clock.now();
    instance.boot = boot;
    instance.addresses = addresses;
    instance.state = "up";
    instance.lastSeen = now;
    if (joined) instance.registeredAt = now;
    const { ipv4, ipv6 } = addresses;
    table.setInstance(instance.index, { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) });
    await this.#store(instance);
    if (restarted) await this.#endSessions(instance);
    if (!joined) return;
    const moved = await registrar.rebalance();
    log.info({ instance: id, addresses, moved }, restarted ? "instance is back after a restart" : "instance joined");
  }

  /** A sign of life. Returns false if the instance has to register (again) first. */
  beat(id: string, { boot, load }: Heartbeat): boolean {
    const instance = this.#parts.instances.get(id);
    if (instance === undefined || instance.state !== "up" || instance.boot !== boot) return false;
    instance.lastSeen = this.#parts.clock.now();
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
    const { instances, clock } = this.#parts;
    for (const instance of instances.silent(clock.now(), limit)) await this.#remove(instance, "lost");
  }

  views(): InstanceView[] {
    const { instances, fleet, clock } = this.#parts;
    const byId = [...instances.all()].sort((a, b) => a.id.localeCompare(b.id, "en", { numeric: true }));
    return byId.map(({ id, index, state, addresses, lastSeen, load }) => ({
      id,
      state,
      addresses,
      ...fleet.countsOf(index),
      silent: clock.now() - lastSeen,
      load,
    }));
  }

  async #remove(instance: Instance, state: "lost" | "left"): Promise<void> {
    const { registrar, instances, log } = this.#parts;
    instance.state = state;
    await this.#endSessions(instance);
    const moved = await registrar.rebalance();
    await this.#store(instance);
    log.warn({ instance: instance.id, moved }, state === "lost" ? "instance is lost: no sign of life" : "instance left");
    if (instances.serving().length === 0) log.error({}, "no instance is left: names stay as they are until one comes");
  }

  /** Its devices in progress are pending again, with names in all live epochs (B12, B13). */
  async #endSessions(instance: Instance): Promise<void> {
    const { fleet, registrar } = this.#parts;
    const changes = new Map<Device, Progress>();
    for (const device of fleet.commenced) {
      if (device.progress.home === instance.index) changes.set(device, nextProgress(device.progress, { kind: "instance-lost" }));
    }
    if (changes.size > 0) await registrar.commit(changes);
  }

  async #store({ id, addresses, state, registeredAt, lastSeen }: Instance): Promise<void> {
    const { ipv4 = null, ipv6 = null } = addresses;
    await this.#parts.storage.instances.put({ id, ipv4, ipv6, port: 0, state, registeredAt, lastSeen, capacity: null });
  }
}
