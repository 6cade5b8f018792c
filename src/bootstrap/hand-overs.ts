import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import { BerthError, errorText } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";
import type { FreshKeys, FreshKeyWanted } from "../lwm2m/index.ts";
import type { Device } from "./device.ts";
import type { DeviceLog } from "./device-log.ts";
import type { SecurityStore, Undo } from "./security-store.ts";
import { WaitQueue } from "./wait-queue.ts";

/** Options of {@link HandOvers}. */
export interface HandOversOptions {
  readonly stores: ReadonlyMap<string, SecurityStore>;
  readonly random: Random;
  readonly time: Clock;
  readonly log: DeviceLog;
}

/** Of a profile that wants none. */
export const NO_KEYS: FreshKeys = new Map();

/** What came of a hand-over: the keys, all of which are where they belong, or why not. */
export type HandOverOutcome = { readonly keys: FreshKeys } | { readonly failed: string };

/** Fresh keys on their way, or handed over. */
export interface HandOver {
  /** The device will not get the keys: what is under way is ended, and the stores get back what they had. */
  undo(): void;
}

class StoreSilent extends BerthError {
  constructor() {
    super("security-store-silent", `the security store has not answered for ${LIMIT / 1000} s`);
  }
}

/** What the operator has to know of a put that was ended, and has not come to its end, or to none that is known. */
const LEFT_OPEN = "a security store has not said whether it took a fresh key: the server may hold one that the device has not";

/** How long stores have to take the keys of a device: Wakaama waits 15 s for its answer. And as long to take one back. */
const LIMIT: Milliseconds = 10_000;

interface Limit {
  readonly key: string;
  expire(): void;
}

/**
 * Makes fresh keys and hands them to security stores. What is done for one endpoint is done one after the other, so
 * that taking back a key of an earlier session never takes back that of a later one.
 */
export class HandOvers {
  readonly #options: HandOversOptions;
  /** The end of what is under way, by endpoint. */
  readonly #tails: Map<string, Promise<void>> = new Map();
  readonly #limits: WaitQueue<Limit> = new WaitQueue();
  #count = 0;

  constructor(options: HandOversOptions) {
    this.#options = options;
  }

  /** Endpoints for which something is under way. */
  get size(): number {
    return this.#tails.size;
  }

  /**
   * Makes the keys, and tells once what came of it; never before it returns, and never after {@link HandOver.undo}, which is to
   * be called also when it failed: of several keys some may have been taken.
   */
  begin(device: Device, wanted: readonly FreshKeyWanted[], done: (outcome: HandOverOutcome) => void): HandOver {
    const undos: TakeBack[] = [];
    const ending = new AbortController();
    let told = false;
    const tell = (outcome: HandOverOutcome): void => {
      this.#limits.forget(limit);
      if (told) return;
      told = true;
      done(outcome);
    };
    const limit = this.#limit(() => tell({ failed: `no security store took it within ${LIMIT / 1000} s` }));
    this.#next(device.endpoint, async () => {
      try {
        const keys = await this.#give(device, wanted, undos, ending.signal);
        tell({ keys });
      } catch (error) {
        tell({ failed: errorText(error) });
      }
    });
    return {
      undo: () => {
        told = true;
        this.#limits.forget(limit);
        ending.abort();
        this.#next(device.endpoint, () => this.#takeBack(device, undos));
      },
    };
  }

  nextDeadline(): Instant {
    return this.#limits.nextUntil;
  }

  tick(now: Instant): void {
    for (let limit = this.#limits.take(now); limit !== undefined; limit = this.#limits.take(now)) limit.expire();
  }

  /** @param undos gets how to take back each key that a store has taken, also where a later one is not taken */
  async #give(device: Device, wanted: readonly FreshKeyWanted[], undos: TakeBack[], signal: AbortSignal): Promise<FreshKeys> {
    const { stores, random } = this.#options;
    const keys = new Map<number, Uint8Array>();
    for (const { shortServerId, securityStore, bytes, identity } of wanted) {
      signal.throwIfAborted();
      const store = stores.get(securityStore);
      if (store === undefined) throw new BerthError("no-security-store", `security store ${securityStore} is not configured`);
      const key = random.bytes(bytes);
      const put = store.put({ endpoint: device.endpoint, identity: identity(device), key }, signal);
      undos.push({ securityStore, undo: await this.#settled(put, device, securityStore, signal) });
      keys.set(shortServerId, key);
    }
    signal.throwIfAborted();
    return keys;
  }

  async #takeBack({ endpoint }: Device, undos: readonly TakeBack[]): Promise<void> {
    // The last first: two keys of a device may be in the same store.
    for (const { securityStore, undo } of undos.toReversed()) {
      try {
        await this.#within(undo());
      } catch (error) {
        const fields = { endpoint, securityStore, error: errorText(error) };
        this.#options.log.error(fields, "a fresh key could not be taken back: the server holds one that the device may not have");
      }
    }
  }

  /** Does something for an endpoint after all that is under way for it. */
  #next(endpoint: string, work: () => Promise<void>): void {
    const before = this.#tails.get(endpoint) ?? Promise.resolve();
    const tail = before.then(work).finally(() => {
      if (this.#tails.get(endpoint) === tail) this.#tails.delete(endpoint);
    });
    this.#tails.set(endpoint, tail);
  }

  /** A put that was ended early still comes to its end, as the next call must not overtake it; but it is not waited for for ever. */
  #settled(put: Promise<Undo>, { endpoint }: Device, securityStore: string, signal: AbortSignal): Promise<Undo> {
    return new Promise((resolve, reject) => {
      put.then(resolve, (error: unknown) => {
        if (error instanceof BerthError && error.code === "security-store-left-open") {
          this.#options.log.error({ endpoint, securityStore, error: error.message }, LEFT_OPEN);
        }
        reject(error);
      });
      const hurry = (): void => {
        this.#within(put).catch((error: unknown) => {
          if (error instanceof StoreSilent) this.#options.log.error({ endpoint, securityStore }, LEFT_OPEN);
          reject(error);
        });
      };
      if (signal.aborted) hurry();
      else signal.addEventListener("abort", hurry, { once: true });
    });
  }

  #within<T>(call: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const limit = this.#limit(() => reject(new StoreSilent()));
      call.then(resolve, reject).finally(() => this.#limits.forget(limit));
    });
  }

  #limit(expire: () => void): Limit {
    const limit = { key: String(++this.#count), expire };
    this.#limits.add(limit, this.#options.time.now() + LIMIT);
    return limit;
  }
}

interface TakeBack {
  readonly securityStore: string;
  readonly undo: Undo;
}
