import type { Notification } from "../control/index.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import { BerthError, errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { pause } from "../net/index.ts";
import type { Backoff } from "./backoff.ts";
import { isNotFound } from "./balancer-link.ts";
import type { NotificationQueue } from "./notification-queue.ts";

/** Options of {@link Notifier}. */
export interface NotifierOptions {
  readonly queue: NotificationQueue;
  /** Sends a batch; done when the balancer has applied it. */
  send(notifications: readonly Notification[]): Promise<void>;
  /** The balancer does not know this instance any more. */
  unknown(): void;
  readonly backoff: Backoff;
  readonly time: Clock;
  readonly log: Logger;
}

/** How long notifications gather: they are worth little alone, and a request for each would cost more than a bootstrap. */
const GATHER: Milliseconds = 50;
/** The control API takes 5000; half of it keeps a batch's request short. */
const MAX_BATCH = 2500;

/** Brings notifications to the balancer: in order, in batches, each batch again until the balancer has it. */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #stopping: AbortController = new AbortController();
  #until: Instant = Number.POSITIVE_INFINITY;
  #running: Promise<void> = Promise.resolve();
  #complained = false;

  constructor(options: NotifierOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Sends what is left, for at most `limit` ms. */
  async stop(limit: Milliseconds): Promise<void> {
    this.#until = this.#options.time.now() + limit;
    this.#stopping.abort();
    await this.#running;
    const { queue, log } = this.#options;
    if (queue.size > 0) log.warn({ notifications: queue.size }, "stopped with notifications the balancer did not take");
  }

  async #run(): Promise<void> {
    const { queue, time } = this.#options;
    while (!this.#stopping.signal.aborted || (queue.size > 0 && time.now() < this.#until)) {
      await pause(GATHER, this.#stopping.signal);
      const batch = queue.batch(MAX_BATCH);
      if (batch.length > 0) await this.#send(batch);
    }
  }

  async #send(batch: readonly Notification[]): Promise<void> {
    const { queue, send, unknown, backoff, time, log } = this.#options;
    try {
      await send(batch);
      queue.acknowledge();
      backoff.reset();
      this.#complained = false;
      return;
    } catch (error) {
      if (error instanceof BerthError && error.code === "invalid-input") {
        // Sending it again would keep all later ones waiting for ever.
        log.error({ error: error.message, notifications: batch.length }, "the balancer refuses notifications; they are dropped");
        queue.acknowledge();
        return;
      }
      if (isNotFound(error)) unknown();
      if (!this.#complained) log.warn({ error: errorText(error), waiting: queue.size }, "notifications wait for the balancer");
      this.#complained = true;
    }
    await pause(Math.min(backoff.next(), Math.max(0, this.#until - time.now())));
  }
}
