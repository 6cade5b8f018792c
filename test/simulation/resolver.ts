import type { Instant, Milliseconds } from "../../src/lib/clock.ts";

/** What a resolver says of a name. */
export interface Answer {
  /** Where it leads; undefined: it does not exist. */
  readonly address: string | undefined;
  /** Whether the nameserver was asked; else it is what it said before. */
  readonly fresh: boolean;
}

/** What a resolver asks, and for how long it keeps what it is told. */
export interface ResolverOptions {
  readonly ask: (host: string) => string | undefined;
  readonly ttl: Milliseconds;
  readonly negativeTtl: Milliseconds;
}

/** The resolvers between devices and the nameserver: each keeps an answer, also that there is none, for as long as it may. */
export class Resolver {
  readonly #options: ResolverOptions;
  readonly #kept: Map<string, { readonly address: string | undefined; readonly until: Instant }> = new Map();

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  resolve(host: string, now: Instant): Answer {
    const { ask, ttl, negativeTtl } = this.#options;
    const kept = this.#kept.get(host);
    if (kept !== undefined && now < kept.until) return { address: kept.address, fresh: false };
    const address = ask(host);
    this.#kept.set(host, { address, until: now + (address === undefined ? negativeTtl : ttl) });
    return { address, fresh: true };
  }

  /** Drops what is out of date. */
  sweep(now: Instant): void {
    for (const [host, { until }] of this.#kept) if (until <= now) this.#kept.delete(host);
  }
}
