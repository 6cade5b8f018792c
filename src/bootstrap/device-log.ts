import { createHmac } from "node:crypto";
import type { Clock, Instant } from "../lib/clock.ts";
import type { LogFields, Logger } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { type Caller, provenText } from "./caller.ts";

/** Lines of one kind in one second: a storm of failures must not become a storm of lines. */
const LINES_PER_SECOND = 20;
/** What a stranger chooses is cut to this many characters. */
const MAX_TEXT = 128;

/**
 * Logs what happens with single devices. What goes wrong is one line each at level info, at most so many a second of
 * each kind. Keys and live names never appear: a name is given as a hash under a key that only this process has, so
 * that two lines can be seen to be about the same name, and nothing else.
 */
export class DeviceLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #key: Uint8Array;
  readonly #written: Map<string, number> = new Map();
  #second: Instant = 0;
  #suppressed = 0;

  constructor(log: Logger, clock: Clock, random: Random) {
    this.#log = log;
    this.#clock = clock;
    this.#key = random.bytes(16);
  }

  /** What is normal. */
  debug(fields: LogFields, message: string): void {
    this.#log.debug(fields, message);
  }

  /** What went wrong with a device. @param message says what happened, and is the kind by which lines are counted */
  info(fields: LogFields, message: string): void {
    const second = Math.floor(this.#clock.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#written.clear();
    }
    const lines = this.#written.get(message) ?? 0;
    this.#written.set(message, lines + 1);
    if (lines < LINES_PER_SECOND) this.#log.info(fields, message);
    else this.#suppressed++;
  }

  /** A fault of ours. */
  error(fields: LogFields, message: string): void {
    this.#log.error(fields, message);
  }

  /** Who it was. */
  who(caller: Pick<Caller, "address" | "port" | "proven" | "serverName">): LogFields {
    const identity = provenText(caller.proven);
    return {
      peer: `${caller.address}:${caller.port}`,
      ...(identity === undefined ? {} : { identity: identity.slice(0, MAX_TEXT) }),
      ...(caller.serverName === undefined ? {} : { name: this.hash(caller.serverName) }),
    };
  }

  /** Stands for a name. */
  hash(name: string): string {
    return createHmac("sha256", this.#key).update(name.toLowerCase()).digest("hex").slice(0, 8);
  }

  /** How many lines were left out since this was last asked. */
  takeSuppressed(): number {
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    return suppressed;
  }
}
