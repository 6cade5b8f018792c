import type { Timing } from "../../src/balancer/index.ts";
import { NO_LOAD } from "../../src/control/index.ts";
import { type Instant, type Milliseconds, VirtualClock } from "../../src/lib/clock.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { builtInRecipe, liveSteps, type Namer, prepareNaming } from "../../src/naming/index.ts";
import { NotFound } from "../../src/net/index.ts";
import { deviceInput, MINUTE, NOW, World } from "../balancer/world.ts";
import { Invariants } from "./invariants.ts";
import { type Figures, type ModelDevice, type ModelInstance, type ModelSession, noFigures } from "./parts.ts";
import { EventQueue } from "./queue.ts";
import { Resolver } from "./resolver.ts";
import { Visits } from "./visits.ts";

/** What a simulation begins with. */
export interface SimulationOptions {
  readonly devices: number;
  readonly instances: number;
  readonly seed: number;
  /** Gets each balancer that is started, and may spoil it: to see that the invariants are really looked at. */
  readonly tamper?: (world: World) => void;
}

const URI = "coaps://bs.example.com";
const NEGATIVE_TTL: Milliseconds = 30_000;
/** What `berth balancer` has unless it is told otherwise. */
const TIMING: Timing = { ttl: 30_000, skew: 5 * MINUTE, lead: 6 * MINUTE, grace: 6 * MINUTE };
const LOST_AFTER: Milliseconds = 5000;
/** Instances say that they live, and what they have to tell, this often. */
const STRIDE: Milliseconds = 1000;
/** Devices imported at a time. */
const BATCH = 5000;
/** An acknowledgement that is lost: one in so many. The instance tells the same again. */
const ACK_LOST = 0.02;

/** A fleet, its instances and its resolvers around a real balancer with a real zone table, under a clock of its own. */
export class Simulation {
  readonly timing: Timing = TIMING;
  /** After so long no resolver knows what was before. */
  readonly patience: Milliseconds = TIMING.ttl + NEGATIVE_TTL;
  readonly clock: VirtualClock = new VirtualClock(NOW);
  readonly namer: Namer = prepareNaming(builtInRecipe("berth-1"), URI);
  readonly uniform: () => number;
  readonly devices: ModelDevice[] = [];
  /** By address. */
  readonly instances: Map<string, ModelInstance> = new Map();
  readonly figures: Figures = noFigures();
  readonly invariants: Invariants = new Invariants(this);
  readonly visits: Visits = new Visits(this);
  readonly resolver: Resolver;
  world: World;
  /** When this start of the balancer began. */
  balancerSince: Instant = NOW;
  /** Since when there has always been an instance that lives; never, if there is none. */
  servedSince: Instant = NOW;
  readonly #byEndpoint: Map<string, ModelDevice> = new Map();
  readonly #queue: EventQueue<() => void | Promise<void>> = new EventQueue();
  readonly #tamper: (world: World) => void;
  #boots = 0;
  #generation = -1;
  /** Something happened that may move devices. */
  #shaken = false;

  private constructor(options: SimulationOptions, world: World, clock: VirtualClock) {
    this.clock = clock;
    this.world = world;
    this.uniform = seededRandom(options.seed).uniform;
    this.#tamper = options.tamper ?? (() => {});
    this.resolver = new Resolver({ ask: (host) => this.ask(host), ttl: TIMING.ttl, negativeTtl: NEGATIVE_TTL });
  }

  /** Starts a balancer, lets instances join, and imports devices, whose clocks are off by up to the skew. */
  static async start(options: SimulationOptions): Promise<Simulation> {
    const clock = new VirtualClock(NOW);
    const simulation = new Simulation(options, await World.start({ ...OPTIONS, clock }), clock);
    simulation.#tamper(simulation.world);
    for (let number = 0; number < options.instances; number++) await simulation.join();
    for (let from = 0; from < options.devices; from += BATCH) {
      const numbers = Array.from({ length: Math.min(BATCH, options.devices - from) }, (_, index) => from + index);
      for (const number of numbers) simulation.#addDevice(number);
      await simulation.world.add(...numbers.map((number) => deviceInput(number)));
    }
    simulation.#generation = simulation.#newest;
    return simulation;
  }

  get now(): Instant {
    return this.clock.now();
  }

  /** Instances that live. */
  get up(): ModelInstance[] {
    return [...this.instances.values()].filter(({ state }) => state === "up");
  }

  deviceAt(endpoint: string): ModelDevice | undefined {
    return this.#byEndpoint.get(endpoint);
  }

  /** Has something happen at an instant. */
  at(instant: Instant, what: () => void | Promise<void>): void {
    this.#queue.push(instant, what);
  }

  /** What the nameserver says of a name: an address, or that there is none. */
  ask(host: string): string | undefined {
    const { table } = this.world;
    return table.addresses.ipv4(table.get(host) ?? -1)?.join(".");
  }

  /** Time passes. */
  async pass(span: Milliseconds): Promise<void> {
    for (const end = this.now + span; this.now < end; ) await this.#step(Math.min(end, this.now + STRIDE));
  }

  /** An instance that was not there before joins. */
  async join(): Promise<ModelInstance> {
    const number = this.instances.size + 1;
    const address = `127.0.${number >> 8}.${number & 255}`;
    const instance: ModelInstance = {
      id: `bs-${number}`,
      address,
      boot: "",
      state: "up",
      lastSign: this.now,
      sessions: new Set(),
      outbox: [],
      sequence: 0,
    };
    this.instances.set(address, instance);
    this.figures.joined++;
    await this.#boot(instance);
    return instance;
  }

  /** An instance says what it has to say, and goes. */
  async leave(instance: ModelInstance): Promise<void> {
    if (instance.state !== "up") return;
    this.#shaken = true;
    this.figures.left++;
    await this.#deliver(instance);
    await this.world.api.leave({ params: { id: instance.id }, query: {}, body: undefined });
    instance.state = "gone";
    this.visits.cutOff(instance);
  }

  /** An instance dies without a word; it is started again `back` later. */
  crash(instance: ModelInstance, back: Milliseconds): void {
    if (instance.state !== "up") return;
    this.#shaken = true;
    this.figures.crashed++;
    instance.state = "down";
    this.visits.cutOff(instance);
    this.at(this.now + back, () => this.#boot(instance));
  }

  /** An instance does nothing for a while, and goes on as if nothing had been. */
  pause(instance: ModelInstance, span: Milliseconds): void {
    if (instance.state !== "up") return;
    this.#shaken = true;
    this.figures.paused++;
    instance.state = "paused";
    this.at(this.now + span, () => {
      instance.state = "up";
    });
  }

  /** An operator drains an instance, or has it serve again. */
  async drain({ id, state }: ModelInstance, draining: boolean): Promise<void> {
    if (state !== "up") return;
    this.#shaken = true;
    if (draining) this.figures.drained++;
    await this.world.api.overrideInstance({ params: { id }, query: {}, body: { draining } });
  }

  async rotate(): Promise<void> {
    this.figures.rotations++;
    await this.world.balancer.rotate("simulation");
    this.invariants.balanced();
    this.#shaken = true;
  }

  /** The balancer dies, and is there again at once. */
  async restartBalancer(): Promise<void> {
    this.figures.balancerRestarts++;
    this.world = await this.world.restart(OPTIONS);
    this.#tamper(this.world);
    this.balancerSince = this.now;
    this.#generation = this.#newest;
    for (const instance of this.instances.values()) {
      // It is as if it had just said that it lives. Names of epochs that are over are not known any more.
      instance.lastSign = this.now;
      for (const session of instance.sessions) session.hosts = this.#namesOf(session.device);
    }
    this.#shaken = true;
  }

  /** A completed device is to be bootstrapped again. */
  async rearm(device: ModelDevice): Promise<void> {
    if (device.state !== "done") return;
    this.figures.rearmed++;
    device.state = "resting";
    device.armedAt = this.now;
    await this.world.balancer.rearming.byHand({ endpoints: [device.endpoint], reason: "simulation" });
  }

  /** The balancer knows that a session began: from now on it must leave the device alone. */
  guard(session: ModelSession): void {
    const { device, instance } = session;
    if (!instance.sessions.has(session)) return;
    session.hosts = this.#namesOf(device);
    const { balancer } = this.world;
    const index = balancer.instances.get(instance.id)?.index ?? -1;
    const trusted = balancer.instances.serving().includes(index);
    // An instance that the balancer took for lost, and watches, may not be believed at once.
    if (!trusted && balancer.fleet.byEndpoint(device.endpoint)?.progress.state !== "commenced") return;
    session.guard = "told";
    this.invariants.unmoved(session);
  }

  /** The balancer knows that a device is completed. */
  done(device: ModelDevice): void {
    this.figures.completed++;
    device.state = "done";
    this.invariants.heard(device);
    this.onDone(device);
  }

  /** Called when a device is completed. */
  onDone: (device: ModelDevice) => void = () => {};

  /** All devices that have not come yet come now; then time passes until all are completed, and what is left over is gone. */
  async finish(limit: Milliseconds): Promise<void> {
    for (const device of this.devices) await this.visits.come(device);
    const end = this.now + limit;
    while (this.now < end && this.devices.some(({ state }) => state !== "done")) await this.pass(5000);
    await this.pass(2 * MINUTE);
    this.invariants.allUnmoved();
    this.invariants.allCompleted();
  }

  /** The names of a device that are in DNS now. */
  #namesOf({ key, endpoint }: ModelDevice): string[] {
    const steps = liveSteps(this.namer.recipe, this.now, TIMING);
    return steps.map((step) => this.namer.host(key, endpoint, step)).filter((host) => this.ask(host) !== undefined);
  }

  #addDevice(number: number): void {
    const { endpoint, psk = "" } = deviceInput(number);
    // One in five is at the very edge of what is allowed.
    const error = Math.round(Math.max(-1, Math.min(1, (2 * this.uniform() - 1) * 1.25)) * TIMING.skew);
    const key = this.namer.nameKey(Buffer.from(psk, "hex"));
    const device: ModelDevice = { number, endpoint, key, error, state: "resting", armedAt: this.now, failures: 0 };
    this.devices.push(device);
    this.#byEndpoint.set(endpoint, device);
  }

  /** What is due happens; then the instances say that they live, and the balancer does what is due. */
  async #step(end: Instant): Promise<void> {
    while (this.#queue.next <= end) {
      this.clock.set(Math.max(this.now, this.#queue.next));
      await this.#queue.pop()?.();
    }
    this.clock.set(end);
    for (const instance of this.instances.values()) await this.#live(instance);
    await Promise.all(this.up.map((instance) => this.#deliver(instance)));
    await this.world.tick();
    this.#look();
  }

  async #live(instance: ModelInstance): Promise<void> {
    if (instance.state === "up") {
      const { id, boot } = instance;
      try {
        await this.world.api.heartbeat({ params: { id }, query: {}, body: { boot, load: NO_LOAD } });
      } catch (error) {
        if (!(error instanceof NotFound)) throw error;
        await this.#register(instance);
      }
      instance.lastSign = this.now;
    } else if (this.now - instance.lastSign > LOST_AFTER) {
      // The balancer has to take it for dead: its devices are others'.
      for (const session of instance.sessions) session.guard = "loose";
    }
  }

  async #boot(instance: ModelInstance): Promise<void> {
    if (instance.state === "gone") return;
    instance.state = "up";
    instance.boot = `boot-${++this.#boots}`;
    instance.sequence = 0;
    await this.#register(instance);
    instance.lastSign = this.now;
  }

  async #register({ id, boot, address }: ModelInstance): Promise<void> {
    this.#shaken = true;
    const body = { boot, addresses: { ipv4: address } };
    await this.world.api.registerInstance({ params: { id }, query: {}, body });
  }

  async #deliver(instance: ModelInstance): Promise<void> {
    const { id, boot, outbox } = instance;
    if (outbox.length === 0) return;
    const notifications = outbox.map(({ note }) => note);
    const lost = this.uniform() < ACK_LOST;
    try {
      await this.world.api.notify({ params: { id }, query: {}, body: { boot, notifications } });
    } catch (error) {
      // It is not registered any more, and finds that out with its next heartbeat.
      if (error instanceof NotFound) return;
      throw error;
    }
    if (lost) return;
    instance.outbox = instance.outbox.slice(notifications.length);
    for (const { told } of outbox) told();
  }

  #look(): void {
    if (this.up.length === 0) this.servedSince = Number.POSITIVE_INFINITY;
    else if (this.servedSince > this.now) this.servedSince = this.now;
    this.invariants.gone();
    const published = this.#newest !== this.#generation;
    if (published || this.#shaken) this.invariants.allUnmoved();
    this.#shaken = false;
    if (!published) return;
    this.#generation = this.#newest;
    this.resolver.sweep(this.now);
    this.invariants.balanced();
  }

  get #newest(): number {
    return Math.max(...this.world.table.generations);
  }
}

const OPTIONS = {
  uri: URI,
  timing: TIMING,
  lostAfter: LOST_AFTER,
  // Everything runs in one order, so that a seed gives one course of things.
  breathe: async () => {},
};
