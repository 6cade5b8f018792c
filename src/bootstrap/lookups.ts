import type { Lookup, LookupRefusal, LookupReply } from "../control/index.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import type { Device } from "./device.ts";
import type { DeviceLog } from "./device-log.ts";
import type { DeviceDirectory } from "./directory.ts";

/**
 * What came of asking for a device: the device, the balancer's refusal, or `unavailable` when the balancer did not
 * answer or too many questions are under way; then nothing is known, and nothing is remembered.
 */
export type LookupOutcome = Device | LookupRefusal | "unavailable";

/** Options of {@link Lookups}. */
export interface LookupsOptions {
  readonly directory: DeviceDirectory;
  /** Asks the balancer. */
  ask(lookup: Lookup): Promise<LookupReply>;
  readonly clock: Clock;
  readonly log: DeviceLog;
  /** How many questions may be under way at once. */
  readonly atOnce?: number;
  /** How long a refusal is remembered, ms. */
  readonly refusalLifetime?: Milliseconds;
}

const AT_ONCE = 64;
/** Long enough to answer a client's retransmissions, short enough that a device just re-armed does not notice. */
const REFUSAL_LIFETIME: Milliseconds = 2000;
/** Anybody can make an instance remember a refusal, at the price of a proven address. */
const MAX_REFUSALS = 10_000;
/** The control API takes identities of this length at most. */
const MAX_IDENTITY = 128;
const MAX_ENDPOINT = 255;

interface Refused {
  readonly refusal: LookupRefusal;
  readonly until: Instant;
}

/**
 * Finds devices: in the directory, else by asking the balancer. Strangers can make an instance ask, so questions
 * about the same device are asked once, refusals are remembered for a moment, and only so many are under way.
 */
export class Lookups {
  readonly #options: LookupsOptions;
  readonly #asked: Map<string, Promise<LookupOutcome>> = new Map();
  /** In the order in which they end, as they all live equally long. */
  readonly #refused: Map<string, Refused> = new Map();

  constructor(options: LookupsOptions) {
    this.#options = options;
  }

  /** The device of a PSK identity, or of the SHA-256 of a raw public key in hex. Never rejects. */
  byIdentity(identity: string): LookupOutcome | Promise<LookupOutcome> {
    if (identity === "" || identity.length > MAX_IDENTITY) return "unknown";
    return this.#options.directory.byIdentity(identity) ?? this.#ask(`identity ${identity}`, { identity });
  }

  /** The device of an endpoint client name. Never rejects. */
  byEndpoint(endpoint: string): LookupOutcome | Promise<LookupOutcome> {
    if (endpoint === "" || endpoint.length > MAX_ENDPOINT) return "unknown";
    return this.#options.directory.byEndpoint(endpoint) ?? this.#ask(`endpoint ${endpoint}`, { endpoint });
  }

  #ask(key: string, lookup: Lookup): LookupOutcome | Promise<LookupOutcome> {
    // Before the fleet's naming is known no name can be checked, so no device can be served.
    if (this.#options.directory.fleet === undefined) return "unavailable";
    const refused = this.#refused.get(key);
    if (refused !== undefined && refused.until > this.#options.clock.now()) return refused.refusal;
    const asked = this.#asked.get(key);
    if (asked !== undefined) return asked;
    if (this.#asked.size >= (this.#options.atOnce ?? AT_ONCE)) return "unavailable";
    const outcome = this.#answer(key, lookup).finally(() => this.#asked.delete(key));
    this.#asked.set(key, outcome);
    return outcome;
  }

  async #answer(key: string, lookup: Lookup): Promise<LookupOutcome> {
    try {
      const reply = await this.#options.ask(lookup);
      if ("assignment" in reply) return this.#options.directory.add(reply.assignment);
      this.#remember(key, reply.refused);
      return reply.refused;
    } catch (error) {
      this.#options.log.info({ ...lookup, error: errorText(error) }, "could not ask the balancer for a device");
      return "unavailable";
    }
  }

  #remember(key: string, refusal: LookupRefusal): void {
    const now = this.#options.clock.now();
    this.#refused.delete(key);
    for (const [oldest, { until }] of this.#refused) {
      if (until > now && this.#refused.size < MAX_REFUSALS) break;
      this.#refused.delete(oldest);
    }
    this.#refused.set(key, { refusal, until: now + (this.#options.refusalLifetime ?? REFUSAL_LIFETIME) });
  }
}
