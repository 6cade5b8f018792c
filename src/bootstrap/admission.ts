import type { Instant, Milliseconds } from "../lib/clock.ts";

/** Options of {@link Admission}. */
export interface AdmissionOptions {
  /** New handshakes a second; `auto` finds out how many this host can serve. */
  readonly handshakesPerSecond: number | "auto";
  /** Handshakes and sessions in progress at the same time; `auto` is as many as the memory allows. */
  readonly sessions: number | "auto";
  /** DTLS associations and NoSec sessions there are at this moment, over all listeners. */
  inProgress(): number;
}

/** What is measured of the process, some ten times a second. */
export interface AdmissionMeasurement {
  /** How long the event loop has waited for something to do since the start: `performance.eventLoopUtilization().idle`. */
  readonly idle: Milliseconds;
  /** DTLS handshakes completed since the start, over all listeners. */
  readonly handshakes: number;
  /** Memory the process may still take, in bytes: `process.availableMemory()`. */
  readonly memory: number;
}

/** How admission stands, for the heartbeat. */
export interface AdmissionLoad {
  /** Budget in force, new handshakes a second. */
  readonly handshakesPerSecond: number;
  /** Budget in force, handshakes and sessions in progress. */
  readonly sessions: number;
  /** ClientHellos left without an answer since the start. */
  readonly turnedAway: number;
  /** Whether something was turned away since this was last asked. */
  readonly full: boolean;
}

/** Decides which ClientHellos are answered (S6). */
export class Admission {
  readonly #options: AdmissionOptions;
  #turnedAway = 0;
  #asked = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Whether a ClientHello without a cookie gets a HelloVerifyRequest. */
  admits(_now: Instant): boolean {
    return true;
  }

  /** Whether a ClientHello whose cookie is proven gets an association. Asked once for each. */
  admit(_now: Instant): boolean {
    return true;
  }

  /** Takes in what was measured. */
  measure(_measured: AdmissionMeasurement, _now: Instant): void {}

  /** How it stands. Clears `full`. */
  load(): AdmissionLoad {
    const { handshakesPerSecond, sessions } = this.#options;
    const full = this.#turnedAway > this.#asked;
    this.#asked = this.#turnedAway;
    return {
      handshakesPerSecond: handshakesPerSecond === "auto" ? 500 : handshakesPerSecond,
      sessions: sessions === "auto" ? 20_000 : sessions,
      turnedAway: this.#turnedAway,
      full,
    };
  }
}
