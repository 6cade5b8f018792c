import { createHash } from "node:crypto";
import { addressAndPort } from "../lib/address.ts";
import type { Instant, Milliseconds } from "../lib/clock.ts";
import type { Random } from "../lib/random.ts";
import type { ObjectDefinitions } from "../lwm2m/index.ts";
import type { Recipe } from "../naming/index.ts";
import { type Impairment, openImpairedUdp, systemRandom } from "../net/index.ts";
import { BootstrapClient, BootstrapFailed } from "./client.ts";
import type { DialogueOptions } from "./dialogue.ts";
import { type DeviceEnvironment, systemEnvironment } from "./environment.ts";
import { type FactorySettings, factoryTree } from "./factory.ts";
import { type FleetResult, type FleetSummary, SummaryBuilder } from "./fleet-summary.ts";
import { checkOpenFiles } from "./open-files.ts";
import type { RetryOptions } from "./retry.ts";
import type { SessionLimits } from "./session.ts";

/** One device of a fleet: what the factory wrote into it. */
export interface FleetDevice extends Omit<FactorySettings, "uri" | "recipe"> {
  readonly endpoint: string;
}

/** A fleet and the world it is let loose in. */
export interface FleetOptions extends DialogueOptions {
  readonly devices: readonly FleetDevice[];
  /** The static bootstrap URI of all devices. */
  readonly uri: string;
  readonly recipe?: Recipe;
  /** Objects the devices have beside those every device has, or in place of them. */
  readonly objects?: ObjectDefinitions;
  /** Resolvers as `address` or `address:port`; the system's unless given. */
  readonly resolvers?: readonly string[];
  /** All devices arrive within this time, evenly spread at random; 0, the default, is all at once. */
  readonly burst?: Milliseconds;
  /** How many devices may run at the same time, from their arrival until they are closed. Unlimited unless given. */
  readonly concurrency?: number;
  readonly impairment?: Impairment;
  /** How far all devices' time of day is off. */
  readonly clockOffset?: Milliseconds;
  readonly limits?: Partial<SessionLimits>;
  readonly retry?: Partial<RetryOptions>;
  /** Attempts per device. Unlimited unless given. */
  readonly maxAttempts?: number;
  /** Devices that have not finished this long after the start are stopped and count as failed. Unlimited unless given. */
  readonly deadline?: Milliseconds;
  /** Decides arrivals, jitter and what gets lost. */
  readonly random?: Random;
  /** The rest of the world, for tests. */
  readonly environment?: DeviceEnvironment;
}

/** A fleet that runs. */
export interface FleetRun {
  /** Every device has its result. Rejects with OpenSslUnavailable and the like. */
  readonly done: Promise<FleetSummary>;
  /** Every device has lingered too, and its socket is closed. */
  readonly closed: Promise<void>;
  /** Stops all devices at once; those without a result count as failed. */
  stop(): void;
}

/**
 * A killed instance must not cost a simulation minutes, and on networks that devices of the field have nobody is
 * silent for 10 s. Retries are as patient as they need to be for a balancer that republishes within 7 s (B12).
 */
export const FLEET_LIMITS: Partial<SessionLimits> = { silence: 10_000 };
export const FLEET_RETRY: Partial<RetryOptions> = { base: 1_000, cap: 10_000 };

/** What the fleet keeps of one device while it runs. */
interface Member {
  readonly endpoint: string;
  readonly client: BootstrapClient;
  readonly arrives: Instant;
  state: "expected" | "running" | "lingering";
  started: Instant;
  attempts: number;
  last: Pick<FleetResult, "server" | "kind" | "nameHash" | "cause">;
}

/**
 * Simulates a fleet: every device with a socket, a DTLS association and a schedule of its own (D8).
 * @param onResult called once for each device
 * @throws InvalidInput when the process may not open as many sockets; NoBootstrapAccount and naming's errors when
 *   devices, URI and recipe do not go together
 */
export function runFleet(options: FleetOptions, onResult: (result: FleetResult) => void = () => {}): FleetRun {
  const { devices, concurrency = Number.POSITIVE_INFINITY } = options;
  checkOpenFiles(Math.min(devices.length, concurrency));
  return new Fleet(options, onResult);
}

class Fleet implements FleetRun {
  readonly #options: FleetOptions;
  readonly #onResult: (result: FleetResult) => void;
  readonly #world: DeviceEnvironment;
  /** Still to arrive, the soonest last. */
  readonly #expected: Member[];
  readonly #present: Set<Member> = new Set();
  readonly #summary: SummaryBuilder;
  readonly #deadline: Instant;
  readonly done: Promise<FleetSummary>;
  readonly closed: Promise<void>;
  #resolveDone: (summary: FleetSummary) => void = () => {};
  #rejectDone: (error: unknown) => void = () => {};
  #resolveClosed: () => void = () => {};

  constructor(options: FleetOptions, onResult: (result: FleetResult) => void) {
    this.#options = options;
    this.#onResult = onResult;
    this.#world = options.environment ?? fleetEnvironment(options);
    const now = this.#world.clock.now();
    this.#summary = new SummaryBuilder(options.devices.length, now);
    this.#deadline = now + (options.deadline ?? Number.POSITIVE_INFINITY);
    const members = options.devices.map((device) => this.#member(device, now));
    this.#expected = members.sort((a, b) => a.arrives - b.arrives).reverse();
    this.done = new Promise((resolve, reject) => {
      this.#resolveDone = resolve;
      this.#rejectDone = reject;
    });
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#world.timers.add(this);
    this.tick(now);
  }

  stop(): void {
    const now = this.#world.clock.now();
    for (const member of this.#expected.splice(0)) this.#report(member, false, now);
    for (const { client } of [...this.#present]) client.stop();
    this.#settle(now);
  }

  nextDeadline(): Instant | undefined {
    const next = this.#hasRoom() ? this.#expected.at(-1)?.arrives : undefined;
    const soonest = Math.min(next ?? Number.POSITIVE_INFINITY, this.#deadline);
    return Number.isFinite(soonest) ? soonest : undefined;
  }

  tick(now: Instant): void {
    if (now >= this.#deadline) {
      for (const member of this.#expected.splice(0)) this.#report(member, false, now);
      for (const member of [...this.#present]) if (member.state === "running") member.client.stop();
    }
    for (let next = this.#expected.at(-1); next !== undefined && next.arrives <= now; next = this.#expected.at(-1)) {
      if (!this.#hasRoom()) break;
      this.#expected.pop();
      this.#launch(next, now);
    }
    this.#settle(now);
  }

  #hasRoom(): boolean {
    return this.#present.size < (this.#options.concurrency ?? Number.POSITIVE_INFINITY);
  }

  #member(device: FleetDevice, now: Instant): Member {
    const { uri, recipe, limits, retry, maxAttempts, burst = 0, version, pack, formats, objects } = this.#options;
    const { endpoint, secret, counter } = device;
    const tree = factoryTree({ uri, ...device });
    const client = new BootstrapClient(
      {
        endpoint,
        tree,
        limits: { ...FLEET_LIMITS, ...limits },
        retry: { ...FLEET_RETRY, ...retry },
        ...(recipe === undefined ? {} : { recipe }),
        ...(secret === undefined ? {} : { secret }),
        ...(counter === undefined ? {} : { counter }),
        ...(maxAttempts === undefined ? {} : { maxAttempts }),
        ...(version === undefined ? {} : { version }),
        ...(pack === undefined ? {} : { pack }),
        ...(formats === undefined ? {} : { formats }),
        ...(objects === undefined ? {} : { objects }),
      },
      this.#world,
      {
        attempt: ({ number, address, port, kind, host }) => {
          member.attempts = number;
          member.last = { ...member.last, server: addressAndPort({ address, port }), kind, nameHash: hashOf(host) };
        },
        failed: ({ attempt, cause }) => {
          member.attempts = attempt;
          member.last = { ...member.last, cause };
          this.#summary.failedAttempt(cause);
        },
        configured: ({ number }) => {
          member.attempts = number;
          member.state = "lingering";
          const at = this.#world.clock.now();
          this.#report(member, true, at);
          this.#settle(at);
        },
        // The simulation is of the bootstrap; that an account is purged some day is not waited for.
        lingered: () => client.stop(),
        closed: () => {
          const at = this.#world.clock.now();
          if (member.state === "running") this.#report(member, false, at);
          this.#present.delete(member);
          this.#settle(at);
        },
      },
    );
    const arrives = now + this.#world.random.uniform() * burst;
    const member: Member = { endpoint, client, arrives, state: "expected", started: now, attempts: 0, last: {} };
    return member;
  }

  #launch(member: Member, now: Instant): void {
    this.#present.add(member);
    member.state = "running";
    member.started = now;
    member.client.bootstrap().catch((error: unknown) => {
      // That a device gave up is told by its events; anything else is no matter of one device.
      if (!(error instanceof BootstrapFailed)) this.#rejectDone(error);
    });
  }

  #report(member: Member, ok: boolean, now: Instant): void {
    const { endpoint, attempts, started, last } = member;
    const result: FleetResult = { endpoint, ok, elapsed: now - started, attempts, ...last };
    this.#summary.add(result);
    this.#onResult(result);
  }

  #settle(now: Instant): void {
    if (this.#summary.isComplete) this.#resolveDone(this.#summary.build(now));
    if (this.#expected.length > 0 || this.#present.size > 0) return;
    this.#world.timers.remove(this);
    this.#resolveClosed();
  }
}

function hashOf(host: string): string {
  return createHash("sha256").update(host).digest("hex").slice(0, 12);
}

function fleetEnvironment(options: FleetOptions): DeviceEnvironment {
  const { resolvers, clockOffset, impairment, random = systemRandom } = options;
  const world = systemEnvironment({
    ...(resolvers === undefined ? {} : { resolvers }),
    ...(clockOffset === undefined ? {} : { clockOffset }),
  });
  return {
    ...world,
    random,
    ...(impairment === undefined ? {} : { openSocket: (socket) => openImpairedUdp(socket, impairment, random) }),
  };
}
