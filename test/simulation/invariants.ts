import type { Milliseconds } from "../../src/lib/clock.ts";
import { liveSteps } from "../../src/naming/index.ts";
import type { ModelDevice, ModelInstance, ModelSession } from "./parts.ts";
import type { Simulation } from "./simulation.ts";

/** What must never happen, whatever instances and devices do. */
export const INVARIANTS = {
  found: "no valid device meets NXDOMAIN at its own name",
  welcome: "no device is refused by the instance it is led to",
  unmoved: "no device in progress is moved while its instance lives",
  completed: "all devices complete, and the balancer counts them right",
  balanced: "the names of a new epoch are spread evenly over the instances",
  gone: "an instance without a sign of life is out of DNS within 7 s",
} as const;

/** Thrown when an invariant does not hold. */
export class InvariantBroken extends Error {
  readonly invariant: keyof typeof INVARIANTS;

  constructor(invariant: keyof typeof INVARIANTS, detail: string) {
    super(`${INVARIANTS[invariant]}: ${detail}`);
    this.invariant = invariant;
  }
}

/** From the last sign of life of an instance until no name leads to it (B12). */
const OUT_OF_DNS: Milliseconds = 7000;
/** How far an instance's names may be from its share, beside one name and those that sessions in progress hold. */
const TOLERANCE = 0.01;

/** Looks at a simulation from outside: at what devices meet, and at what DNS answers. */
export class Invariants {
  readonly #site: Simulation;

  constructor(site: Simulation) {
    this.#site = site;
  }

  /** A device's own name did not exist when it was asked for. The balancer may have known the device for too short a time only. */
  found(device: ModelDevice): void {
    const { now, timing, patience, servedSince } = this.#site;
    const known = now - Math.max(device.armedAt, servedSince);
    if (Math.abs(device.error) > timing.skew || known < patience || this.#stateOf(device) === "commenced") return;
    this.#fail("found", `device ${device.number}, whose clock is ${device.error} ms off and which is known for ${known} ms`);
  }

  /**
   * An instance said that it is not to serve a device. Resolvers may lead one that was just armed to where it was
   * served before, and a balancer that was just started does not know where they lead.
   */
  welcome(device: ModelDevice, instance: ModelInstance, why: string): void {
    const { now, timing, balancerSince } = this.#site;
    if (why === "elsewhere" && now - Math.max(balancerSince, device.armedAt) <= timing.ttl) return;
    this.#fail("welcome", `device ${device.number} at ${instance.id}: ${why}`);
  }

  /** A session that the balancer knows of: what is told of the device, and the names it has, are as they were. */
  unmoved({ guard, device, instance, hosts, id }: ModelSession): void {
    if (guard !== "told") return;
    const progress = this.#site.world.balancer.fleet.byEndpoint(device.endpoint)?.progress;
    if (progress?.state !== "commenced" || progress.session !== id)
      this.#fail("unmoved", `device ${device.number} is ${progress?.state ?? "unknown"} amid its session at ${instance.id}`);
    for (const host of hosts) {
      const address = this.#site.ask(host);
      if (address === instance.address) continue;
      this.#fail("unmoved", `a name of device ${device.number} leads ${address ?? "nowhere"}, its session is at ${instance.id}`);
    }
  }

  /** All sessions in progress; as {@link unmoved}. */
  allUnmoved(): void {
    for (const instance of this.#site.instances.values()) for (const session of instance.sessions) this.unmoved(session);
  }

  /** Instances that do not live lead nobody to them, if there is another. */
  gone(): void {
    const { now, world, servedSince, figures } = this.#site;
    for (const { id, state, lastSign } of this.#site.instances.values()) {
      if (state === "up" || servedSince === Number.POSITIVE_INFINITY) continue;
      const index = world.balancer.instances.get(id)?.index;
      const names = index === undefined ? 0 : world.table.namesOf(index);
      if (names === 0) continue;
      const silent = now - Math.max(lastSign, servedSince);
      figures.longestInDns = Math.max(figures.longestInDns, silent);
      if (silent > OUT_OF_DNS) this.#fail("gone", `${names} names lead to ${id}, silent for ${silent} ms`);
    }
  }

  /** Right after names were spread: every pending device has its name of the newest epoch, and instances have equal shares. */
  balanced(): void {
    const { now, world, timing, namer, devices, figures } = this.#site;
    const serving = world.balancer.instances.serving();
    const step = liveSteps(namer.recipe, now, timing).at(-1) ?? {};
    const names = new Map(serving.map((index) => [index, 0]));
    for (const device of devices) {
      const state = this.#stateOf(device);
      if (device.state === "resting" && state !== "pending")
        this.#fail("completed", `device ${device.number} waits, and is ${state}`);
      if (state !== "pending" || serving.length === 0) continue;
      const index = world.table.get(namer.host(device.key, device.endpoint, step));
      if (index === undefined) this.#fail("found", `device ${device.number} has no name in the epoch that comes`);
      else if (!names.has(index)) this.#fail("gone", `device ${device.number} is led to an instance that does not serve`);
      else names.set(index, (names.get(index) ?? 0) + 1);
    }
    this.#count();
    const total = [...names.values()].reduce((sum, count) => sum + count, 0);
    // Those of an instance that just died count until it is taken for lost.
    const held = Math.max(0, ...serving.map((index) => world.balancer.fleet.countsOf(index).commenced));
    for (const [index, count] of names) {
      const share = total / names.size;
      const id = world.balancer.instances.at(index)?.id;
      if (Math.abs(count - share) > share * TOLERANCE + held + 1)
        this.#fail("balanced", `${id} has ${count} names, its share is ${share.toFixed(1)}, and sessions hold ${held} at most`);
      if (share >= 1000 && held === 0) figures.worstShare = Math.max(figures.worstShare, count / share);
    }
  }

  /** In the end, when all devices have come. */
  allCompleted(): void {
    const { devices, world } = this.#site;
    const missing = devices.filter(({ state }) => state !== "done");
    if (missing.length > 0) this.#fail("completed", `${missing.length} devices are not, the first is ${missing[0]?.number}`);
    const { pending, commenced, completed } = world.balancer.fleet.counts;
    if (pending !== 0 || commenced !== 0 || completed !== devices.length)
      this.#fail("completed", `of ${devices.length} the balancer counts ${JSON.stringify(world.balancer.fleet.counts)}`);
    if (world.table.size > 0) this.#fail("completed", `${world.table.size} names are left in DNS`);
  }

  /** A device has tried so often that it will never complete. */
  gaveUp(device: ModelDevice): never {
    return this.#fail("completed", `device ${device.number} failed ${device.failures} times`);
  }

  /** The balancer was told that a session failed. */
  released({ guard, device, id }: ModelSession): void {
    const progress = this.#site.world.balancer.fleet.byEndpoint(device.endpoint)?.progress;
    if (guard === "told" && progress?.state === "commenced" && progress.session === id)
      this.#fail("completed", `the balancer was told that device ${device.number} failed, and it is in progress`);
  }

  /** The balancer was told of a completion. */
  heard(device: ModelDevice): void {
    const state = this.#stateOf(device);
    if (state !== "completed")
      this.#fail("completed", `the balancer was told that device ${device.number} is, and it is ${state}`);
  }

  /** What was told and not acknowledged may count or not. */
  #count(): void {
    const { devices, world, instances } = this.#site;
    const { pending, commenced, completed } = world.balancer.fleet.counts;
    const done = devices.filter(({ state }) => state === "done").length;
    let open = 0;
    for (const { outbox } of instances.values()) open += outbox.filter(({ note }) => note.kind === "completed").length;
    if (pending + commenced + completed !== devices.length || completed < done || completed > done + open)
      this.#fail("completed", `${done} of ${devices.length}; the balancer counts ${JSON.stringify(world.balancer.fleet.counts)}`);
  }

  #stateOf(device: ModelDevice): string {
    return this.#site.world.balancer.fleet.byEndpoint(device.endpoint)?.progress.state ?? "unknown";
  }

  #fail(invariant: keyof typeof INVARIANTS, detail: string): never {
    throw new InvariantBroken(invariant, `${detail}, at ${new Date(this.#site.now).toISOString()}`);
  }
}
