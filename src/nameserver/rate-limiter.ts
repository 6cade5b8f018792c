import { Chaskey, MAX_NAME } from "../dns/index.ts";
import type { Instant, Milliseconds } from "../lib/clock.ts";
import type { Networks, Source } from "./source.ts";

/** How fast answers over UDP go out to one network. */
export interface RateLimits {
  /** Alike answers a second, and how many may come at once after a silence; 0: no limit. */
  readonly responses: number;
  /** Of the answers over the limit each so manieth is sent, empty and saying TC; 0: none, 1: all. */
  readonly slip: number;
  /** How long, at most, after a flood its source is limited still. */
  readonly window: Milliseconds;
}

/** What becomes of an answer: it is sent, nothing is sent, or what makes an honest client come back by TCP is. */
export type Verdict = "send" | "drop" | "slip";

/** What answers are alike: those about one name that exists, those about any that does not, and errors. */
export const ALIKE = { NAME: 1, MISSING: 2, ERROR: 3 } as const;

/** Places of the table, and in how many of them a key may stand. */
const PLACES = 0x1_0000;
const WAYS = 4;
const LONGEST_PREFIX = 7;

/**
 * Limits the rate of alike answers to one network, as BIND's `rate-limit` does: each kind has an account, which is credited
 * `responses` a second up to that number, and debited 1 for each answer down to `window` times that. Below zero, answers are
 * held back. The memory is fixed (1.4 MB). Where accounts share a place, the one that is fullest, so would be missed least,
 * makes room; so a flood of forged sources cannot wash away the account of one that is limited.
 */
export class RateLimiter {
  readonly #limits: RateLimits;
  readonly #exempt: Networks;
  readonly #hash: Chaskey;
  readonly #key = new Uint8Array(1 + LONGEST_PREFIX + MAX_NAME);
  /** Of each account: a part of its key's hash (0: free), what is in it, at what instant, and how many were held back. */
  readonly #tags = new Int32Array(PLACES);
  readonly #credits = new Float64Array(PLACES);
  readonly #times = new Float64Array(PLACES);
  readonly #held = new Uint8Array(PLACES);

  /**
   * @param exempt networks without a limit
   * @param seed 16 random bytes; nobody outside can aim at another's account
   */
  constructor(limits: RateLimits, exempt: Networks, seed: Uint8Array) {
    this.#limits = limits;
    this.#exempt = exempt;
    this.#hash = new Chaskey(seed);
  }

  /**
   * Counts one answer.
   * @param alike one of {@link ALIKE}
   * @param name what the answer is about, in lower case; counted apart by its first `nameLength` bytes
   */
  count(source: Source, alike: number, name: Uint8Array, nameLength: number, now: Instant): Verdict {
    const { responses, slip, window } = this.#limits;
    if (responses === 0 || this.#exempt.has(source)) return "send";
    const place = this.#place(source, alike, name, nameLength, now);
    const credit = this.#creditAt(place, now) - 1;
    this.#credits[place] = Math.max(credit, (-responses * window) / 1000);
    this.#times[place] = now;
    if (credit >= 0) return "send";
    const held = (this.#held[place] as number) + 1;
    const slips = slip > 0 && held >= slip;
    this.#held[place] = slips ? 0 : Math.min(held, 0xff);
    return slips ? "slip" : "drop";
  }

  /** The place of an account, which is opened if there is none. */
  #place(source: Source, alike: number, name: Uint8Array, nameLength: number, now: Instant): number {
    const { prefixLength, bytes } = source;
    const key = this.#key;
    key[0] = (alike << 4) | prefixLength;
    for (let index = 0; index < prefixLength; index++) key[1 + index] = bytes[index] as number;
    for (let index = 0; index < nameLength; index++) key[1 + prefixLength + index] = name[index] as number;
    this.#hash.hash(key, 0, 1 + prefixLength + nameLength);
    const tag = this.#hash.h1 | 1;
    const first = ((this.#hash.h0 >>> 0) % (PLACES / WAYS)) * WAYS;
    let fullest = first;
    let most = -Infinity;
    for (let place = first; place < first + WAYS; place++) {
      if (this.#tags[place] === tag) return place;
      const credit = this.#tags[place] === 0 ? Infinity : this.#creditAt(place, now);
      if (credit > most) {
        most = credit;
        fullest = place;
      }
    }
    this.#tags[fullest] = tag;
    this.#credits[fullest] = this.#limits.responses;
    this.#times[fullest] = now;
    this.#held[fullest] = 0;
    return fullest;
  }

  #creditAt(place: number, now: Instant): number {
    const { responses } = this.#limits;
    // A clock that was set back earns nothing.
    const span = Math.max(0, now - (this.#times[place] as number));
    return Math.min(responses, (this.#credits[place] as number) + (span * responses) / 1000);
  }
}
