import type { Milliseconds } from "../../src/lib/clock.ts";
import { type Step, stepAt, stepsToTry } from "../../src/naming/index.ts";
import { NotFound } from "../../src/net/index.ts";
import type { ModelDevice, ModelInstance, ModelSession } from "./parts.ts";
import type { Answer } from "./resolver.ts";
import type { Simulation } from "./simulation.ts";

/** Devices back off from 2 s to a minute. */
const [FIRST_RETRY, LONGEST_RETRY] = [2000, 60_000];
/** A device that failed so often, with instances there all the time, will not succeed. */
const TOO_OFTEN = 60;
/** One session in so many fails, and one in so many takes until just before the balancer would give it up. */
const [FAILS, SLOW] = [0.03, 0.02];
const [LONG, SLOWEST]: readonly [Milliseconds, Milliseconds] = [20_000, 80_000];

/** What devices do from the moment they set out: compute a name, resolve it, go there, and be served, or try again. */
export class Visits {
  readonly #site: Simulation;
  #sessions = 0;

  constructor(site: Simulation) {
    this.#site = site;
  }

  /** A device sets out, if it is not on its way already. */
  async come(device: ModelDevice): Promise<void> {
    if (device.state !== "resting") return;
    device.state = "trying";
    device.failures = 0;
    await this.#attempt(device);
  }

  /** An instance ends, and what it did with it; its devices notice after a while. */
  cutOff(instance: ModelInstance): void {
    const { figures, uniform, world } = this.#site;
    for (const { device } of instance.sessions) this.#again(device, 5000 + uniform() * 15_000);
    instance.sessions.clear();
    for (const { note, told } of instance.outbox) {
      if (note.kind !== "completed") continue;
      // It was acknowledged by an answer that got lost.
      if (world.balancer.fleet.byEndpoint(note.endpoint)?.progress.state === "completed") told();
      else {
        figures.unheard++;
        const device = this.#site.deviceAt(note.endpoint);
        if (device !== undefined) this.#again(device, 30_000 + uniform() * 30_000);
      }
    }
    instance.outbox = [];
  }

  async #attempt(device: ModelDevice): Promise<void> {
    const { namer, now, resolver, invariants, figures, uniform } = this.#site;
    const clock = now + device.error;
    const resolve = (step: Step): Answer => resolver.resolve(namer.host(device.key, device.endpoint, step), now);
    const own = resolve(stepAt(namer.recipe, { instant: clock }));
    let address = own.address;
    if (address === undefined) {
      if (own.fresh) invariants.found(device);
      figures.notFound++;
      for (const other of stepsToTry(namer.recipe, clock).slice(1)) address ??= resolve(other).address;
    }
    if (address === undefined) {
      this.#retry(device);
      return;
    }
    const instance = this.#site.instances.get(address);
    if (instance === undefined || !(await this.#answers(instance, device))) {
      figures.unanswered++;
      this.#again(device, 5000 + uniform() * 4000);
      return;
    }
    this.#serve({ id: `S${++this.#sessions}`, device, instance, hosts: [], guard: "loose" });
  }

  /** Whether the instance takes the handshake: it lives, the balancer knows it, and says that the device is its own. */
  async #answers(instance: ModelInstance, device: ModelDevice): Promise<boolean> {
    if (instance.state !== "up") return false;
    try {
      const reply = await this.#site.world.lookup(instance.id, device.endpoint);
      if (!("refused" in reply)) return true;
      this.#site.invariants.welcome(device, instance, reply.refused);
      this.#site.figures.refused++;
    } catch (error) {
      if (!(error instanceof NotFound)) throw error;
    }
    return false;
  }

  #serve(session: ModelSession): void {
    const { figures, now, uniform } = this.#site;
    const { device, instance } = session;
    figures.sessions++;
    device.state = "served";
    instance.sessions.add(session);
    this.#tell(session, "commenced", () => this.#site.guard(session));
    const kind = uniform() < FAILS ? "failed" : "completed";
    const duration = 1000 + uniform() * ((uniform() < SLOW ? SLOWEST : LONG) - 1000);
    this.#site.at(now + duration, () => this.#end(session, kind));
  }

  #end(session: ModelSession, kind: "completed" | "failed"): void {
    const { figures, now, invariants } = this.#site;
    const { device, instance } = session;
    if (!instance.sessions.has(session)) return;
    // It goes on when its instance does.
    if (instance.state === "paused") {
      this.#site.at(now + 1000, () => this.#end(session, kind));
      return;
    }
    invariants.unmoved(session);
    instance.sessions.delete(session);
    if (kind === "failed") figures.failed++;
    this.#tell(session, kind, () => {
      if (kind === "completed") this.#site.done(device);
      else invariants.released(session);
    });
    if (kind === "failed") this.#retry(device);
  }

  #tell({ id, device, instance }: ModelSession, kind: "commenced" | "completed" | "failed", told: () => void): void {
    const cause = kind === "failed" ? { cause: "request-failed" as const } : {};
    const note = { sequence: ++instance.sequence, kind, endpoint: device.endpoint, session: id, at: this.#site.now, ...cause };
    instance.outbox.push({ note, told });
  }

  /** Backs off. While there is no instance at all attempts are not counted. */
  #retry(device: ModelDevice): void {
    const { uniform } = this.#site;
    const wait = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** device.failures);
    this.#again(device, wait * (0.5 + uniform() / 2));
  }

  #again(device: ModelDevice, after: number): void {
    const { now, servedSince, invariants } = this.#site;
    if (servedSince <= now && ++device.failures > TOO_OFTEN) invariants.gaveUp(device);
    device.state = "trying";
    this.#site.at(now + after, () => this.#attempt(device));
  }
}
