import type { AdmissionLoad } from "../control/index.ts";
import type { Instant, Milliseconds } from "../lib/clock.ts";
import { Capacity, type Measurement } from "./capacity.ts";
import { Returns } from "./returns.ts";
import { TokenBucket } from "./token-bucket.ts";
import { WaitingRoom } from "./waiting-room.ts";

/** Options of {@link Admission}. */
export interface AdmissionOptions {
  /** New handshakes a second; `auto` finds out how many this instance can serve. */
  readonly handshakesPerSecond: number | "auto";
  /** Handshakes and sessions in progress at a time; `auto` is as many as the memory allows. */
  readonly sessions: number | "auto";
  /** DTLS associations there are at this moment, and sessions without one, over all listeners. */
  inProgress(): number;
}

/** What is saved up of the budget for a burst: work for that long, which delays the sessions in progress by as much. */
const BURST: Milliseconds = 250;
/** While the instance is behind, so much of the budget is given to new ones. */
const WHEN_BEHIND = 0.25;
/** `auto` never takes on more at a time: what OpenSSL keeps for them is out of the processor's caches long before. */
const MOST_SESSIONS = 20_000;
const FEWEST_SESSIONS = 100;
/** So much of the session budget is left for those that have their HelloVerifyRequest. */
const RESERVE = 0.05;
const MOSTLY_REAL = 0.5;
/** Some 8 MB. At 1,000 handshakes a second the last of them waits 20 s. */
const PLACES = 20_000;
/** The longest wait between two retransmissions of a ClientHello (RFC 6347 section 4.2.4.1). */
const PATIENCE: Milliseconds = 60_000;

/**
 * Decides which ClientHellos are answered (S6): as many as the instance can serve to the end, so that those it has
 * begun are done in time whatever comes on top. What is beyond the budget waits for its turn without an answer, as
 * long as there is room, since some devices never say their ClientHello again; then it is lost, as datagrams are.
 *
 * Two of a handshake's ClientHellos have to pass. The first proves nothing and its sender may be forged, so it is
 * charged only for the share of HelloVerifyRequests that are answered: a flood of forged ones uses nothing up. The
 * second is charged in full, and the device that sends it is let through before others are invited.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #capacity: Capacity = new Capacity();
  readonly #returns: Returns = new Returns();
  readonly #invitations: TokenBucket = new TokenBucket(BURST);
  /** Twice the burst: how many come back of those invited is an estimate. */
  readonly #handshakes: TokenBucket = new TokenBucket(2 * BURST);
  readonly #strangers: WaitingRoom = new WaitingRoom(PLACES, PATIENCE);
  readonly #proven: WaitingRoom = new WaitingRoom(PLACES, PATIENCE);
  /** One that has waited is being taken in; it was charged when it was called. */
  #called = false;
  #begun = 0;
  #turnedAway = 0;
  #full = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Whether a ClientHello without a cookie gets a HelloVerifyRequest. Where it does not, {@link wait} is to be called. */
  admits(now: Instant): boolean {
    if (this.#called) return true;
    // Where most are forged, nobody real is to stand in line behind them.
    const inLine = this.#strangers.size > 0 && this.#returns.share(now) >= MOSTLY_REAL;
    return !inLine && this.#invites(now);
  }

  /** Whether a ClientHello whose cookie is proven gets an association. Where it does not, {@link wait} is to be called. */
  admit(now: Instant): boolean {
    if (this.#called) return true;
    this.#returns.returned(now);
    return this.#proven.size === 0 && this.#accepts(now);
  }

  /**
   * Lets a ClientHello wait that was refused.
   * @param key unique per address and port
   * @param proven whether its cookie is
   * @param again takes it in once more, when it is its turn
   */
  wait(key: string, proven: boolean, again: (now: Instant) => void, now: Instant): void {
    this.#full = true;
    const room = proven ? this.#proven : this.#strangers;
    if (!room.add(key, again, now)) this.#turnedAway++;
  }

  /** Takes in what was measured. */
  measure(measured: Measurement, now: Instant): void {
    this.#capacity.measure(measured, this.#begun, now);
  }

  /** At once while somebody waits. */
  nextDeadline(): Instant | undefined {
    return this.#proven.size + this.#strangers.size > 0 ? 0 : undefined;
  }

  /** Calls those who wait, as far as there is room. */
  tick(now: Instant): void {
    this.#turnedAway += this.#proven.sweep(now) + this.#strangers.sweep(now);
    while (this.#proven.size > 0 && this.#accepts(now)) this.#call(this.#proven, now);
    while (this.#strangers.size > 0 && this.#invites(now)) this.#call(this.#strangers, now);
  }

  /** How it stands, and whether somebody had to wait or was turned away since this was last asked. */
  load(): AdmissionLoad {
    const full = this.#full;
    this.#full = this.#proven.size + this.#strangers.size > 0;
    return {
      handshakesPerSecond: Math.round(this.#rate),
      sessions: this.#sessions,
      turnedAway: this.#turnedAway,
      full,
    };
  }

  get #rate(): number {
    const { handshakesPerSecond } = this.#options;
    return handshakesPerSecond === "auto" ? this.#capacity.rate : handshakesPerSecond;
  }

  get #sessions(): number {
    const { sessions, inProgress } = this.#options;
    if (sessions !== "auto") return sessions;
    const { room } = this.#capacity;
    return room === undefined ? MOST_SESSIONS : Math.max(FEWEST_SESSIONS, Math.min(MOST_SESSIONS, inProgress() + room));
  }

  #invites(now: Instant): boolean {
    const sessions = this.#sessions;
    if (this.#proven.size > 0 || this.#options.inProgress() >= sessions - Math.floor(sessions * RESERVE)) return false;
    const rate = this.#rate * (this.#capacity.isBehind(now) ? WHEN_BEHIND : 1);
    if (!this.#invitations.take(this.#returns.share(now), rate, now)) return false;
    this.#returns.invited(now);
    return true;
  }

  #accepts(now: Instant): boolean {
    if (this.#options.inProgress() >= this.#sessions || !this.#handshakes.take(1, this.#rate, now)) return false;
    this.#begun++;
    return true;
  }

  #call(room: WaitingRoom, now: Instant): void {
    this.#called = true;
    try {
      room.take(now)?.(now);
    } finally {
      this.#called = false;
    }
  }
}
