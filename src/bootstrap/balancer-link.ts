import type { Declared, InstanceAddresses, InstanceLoad, Lookup, LookupReply, Notification } from "../control/index.ts";
import type { Milliseconds } from "../lib/clock.ts";
import { BerthError, errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { type ControlClient, pause } from "../net/index.ts";
import { BACKOFF_LIMITS, Backoff, type BackoffLimits } from "./backoff.ts";
import type { DeviceDirectory } from "./directory.ts";

/** What an instance needs of the control API: `ControlClient` of `net/`, or a stand-in in tests. */
export type BalancerApi = Pick<ControlClient, "call" | "assignments">;

/** Options of {@link BalancerLink}. */
export interface BalancerLinkOptions {
  readonly id: string;
  readonly boot: string;
  readonly addresses: InstanceAddresses;
  readonly declared: Declared;
  readonly control: BalancerApi;
  readonly directory: DeviceDirectory;
  /** Whether a device has a session in progress. */
  isServing(endpoint: string): boolean;
  /** Asked once for each heartbeat. */
  load(): InstanceLoad;
  readonly random: Random;
  readonly log: Logger;
  readonly backoff?: BackoffLimits;
}

/** The balancer says `ping` on a stream that has nothing new; a stream silent for longer than this is taken for broken. */
const STREAM_SILENCE: Milliseconds = 15_000;

/**
 * Keeps an instance in touch with its balancer: registers, follows the stream of assignments, sends heartbeats. When
 * the connection is lost it registers again, as the balancer may have been started anew, and what it has known before
 * stays in use meanwhile.
 */
export class BalancerLink {
  readonly #options: BalancerLinkOptions;
  readonly #stopped: AbortController = new AbortController();
  readonly #backoff: Backoff;
  /** The connection in use; aborted when it turns out that the balancer does not know this instance any more. */
  #connection: AbortController = new AbortController();
  /** What the balancer wants, while this instance is registered. */
  #heartbeat: Milliseconds | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #complaint: string | undefined;

  constructor(options: BalancerLinkOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff ?? BACKOFF_LIMITS, options.random);
  }

  start(): void {
    this.#running = Promise.all([this.#follow(), this.#beat()]);
  }

  /** @throws ControlError */
  lookup(lookup: Lookup): Promise<LookupReply> {
    return this.#options.control.call("lookup", { params: this.#params, body: lookup });
  }

  /** Hands over notifications. @throws ControlError */
  async notify(notifications: readonly Notification[]): Promise<void> {
    const { control, boot } = this.#options;
    await control.call("notify", { params: this.#params, body: { boot, notifications } });
  }

  /** The balancer does not know this instance: registers again, at once. */
  registerAgain(): void {
    this.#heartbeat = undefined;
    this.#connection.abort();
  }

  /** Stops following, and takes leave of the balancer. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#connection.abort();
    await this.#running;
    try {
      await this.#options.control.call("leave", { params: this.#params });
    } catch (error) {
      // It will notice by the heartbeats that are missing.
      this.#options.log.warn({ error: errorText(error) }, "could not take leave of the balancer");
    }
  }

  get #params(): { readonly id: string } {
    return { id: this.#options.id };
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      this.#connection = new AbortController();
      try {
        await this.#connect(this.#connection.signal);
        if (!signal.aborted) this.#complain("the stream of assignments ended");
      } catch (error) {
        if (!signal.aborted) this.#complain(errorText(error));
      }
      this.#heartbeat = undefined;
      await pause(this.#backoff.next(), signal);
    }
  }

  async #connect(signal: AbortSignal): Promise<void> {
    const { id, boot, addresses, declared, control, directory, log } = this.#options;
    const terms = await control.call("registerInstance", { params: this.#params, body: { boot, addresses, declared } });
    this.#heartbeat = terms.heartbeat;
    directory.beginGeneration();
    for await (const event of control.assignments(id, STREAM_SILENCE, signal)) {
      directory.apply(event, (endpoint) => this.#options.isServing(endpoint));
      if (event.type !== "synced") continue;
      this.#backoff.reset();
      this.#complaint = undefined;
      log.info({ devices: directory.size }, "in touch with the balancer");
    }
  }

  async #beat(): Promise<void> {
    const { control, boot, load, log } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await pause(this.#heartbeat ?? BACKOFF_LIMITS.first, signal);
      if (this.#heartbeat === undefined || signal.aborted) continue;
      try {
        await control.call("heartbeat", { params: this.#params, body: { boot, load: load() } });
      } catch (error) {
        if (isNotFound(error)) this.registerAgain();
        else log.debug({ error: errorText(error) }, "a heartbeat did not reach the balancer");
      }
    }
  }

  /** One line for each reason in a row, not one for each attempt. */
  #complain(reason: string): void {
    if (reason === this.#complaint) return;
    this.#complaint = reason;
    const { log, directory } = this.#options;
    log.warn(
      { error: reason, devices: directory.size },
      "out of touch with the balancer; serving the devices it has assigned so far",
    );
  }
}

/** Whether an error is the balancer's word that it does not know this instance. */
export function isNotFound(error: unknown): boolean {
  return error instanceof BerthError && error.code === "not-found";
}
