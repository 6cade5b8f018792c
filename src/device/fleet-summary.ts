import type { Instant, Milliseconds } from "../lib/clock.ts";
import type { CandidateKind } from "./candidates.ts";
import type { FailureCause } from "./failure.ts";

/** How one device fared. */
export interface FleetResult {
  readonly endpoint: string;
  readonly ok: boolean;
  /** From its first attempt to Finish, or to giving up. */
  readonly elapsed: Milliseconds;
  readonly attempts: number;
  /** `address:port` of the instance of its last attempt. */
  readonly server?: string;
  readonly kind?: CandidateKind;
  /** First digits of the SHA-256 of the host name used: tells names apart without telling them. */
  readonly nameHash?: string;
  /** Of the last failed attempt; absent when there was none. */
  readonly cause?: FailureCause;
}

/** How the fleet fared. */
export interface FleetSummary {
  readonly devices: number;
  readonly completed: number;
  readonly failed: number;
  readonly attempts: number;
  /** Over the completed devices, from first attempt to Finish. */
  readonly p50: Milliseconds;
  readonly p99: Milliseconds;
  /** From the start until the last device had its result. */
  readonly elapsed: Milliseconds;
  /** Completed devices by `address:port`. */
  readonly servers: Readonly<Record<string, number>>;
  /** Failed attempts by cause. */
  readonly causes: Readonly<Partial<Record<FailureCause, number>>>;
}

/** Adds results up. */
export class SummaryBuilder {
  readonly #devices: number;
  readonly #started: Instant;
  readonly #times: Milliseconds[] = [];
  readonly #servers: Record<string, number> = {};
  readonly #causes: Partial<Record<FailureCause, number>> = {};
  #failed = 0;
  #attempts = 0;

  constructor(devices: number, started: Instant) {
    this.#devices = devices;
    this.#started = started;
  }

  /** Whether every device has its result. */
  get isComplete(): boolean {
    return this.#times.length + this.#failed === this.#devices;
  }

  failedAttempt(cause: FailureCause): void {
    this.#causes[cause] = (this.#causes[cause] ?? 0) + 1;
  }

  add({ ok, elapsed, attempts, server }: FleetResult): void {
    this.#attempts += attempts;
    if (!ok) {
      this.#failed += 1;
      return;
    }
    this.#times.push(elapsed);
    if (server !== undefined) this.#servers[server] = (this.#servers[server] ?? 0) + 1;
  }

  build(now: Instant): FleetSummary {
    const times = this.#times.sort((a, b) => a - b);
    return {
      devices: this.#devices,
      completed: times.length,
      failed: this.#failed,
      attempts: this.#attempts,
      p50: percentile(times, 0.5),
      p99: percentile(times, 0.99),
      elapsed: now - this.#started,
      servers: this.#servers,
      causes: this.#causes,
    };
  }
}

/** The smallest of the sorted values that at least the share `p` of them does not exceed; 0 of none. */
export function percentile(sorted: readonly number[], p: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * p) - 1)] ?? 0;
}
