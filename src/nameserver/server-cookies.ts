import { createHmac } from "node:crypto";
import type { Instant, Milliseconds } from "../lib/clock.ts";
import { SipHash } from "./siphash.ts";
import type { Source } from "./source.ts";

/** Bytes of a client's cookie, and of the server's that comes with it (RFC 7873 section 4, RFC 9018 section 4). */
const CLIENT_COOKIE = 8;
const SERVER_COOKIE = 16;
/** Bytes of the option's content in an answer. */
export const WHOLE_COOKIE: number = CLIENT_COOKIE + SERVER_COOKIE;

/** What a query's cookie says: that the client really has its address, nothing, or something that we never said. */
export type CookieVerdict = "valid" | "none" | "wrong";

/** RFC 9018 section 4.1. */
const VERSION = 1;
const TIMESTAMP = 4;
const HASH = 8;
/** RFC 9018 section 4.3: how old a cookie may be, how far ahead of our clock, and from which age on a new one is given. */
const OLDEST = 3600;
const AHEAD = 300;
/** How long a secret serves. The one before it is known for as long as a cookie made with it may be shown. */
const SECRET_SERVES: Milliseconds = 24 * 3_600_000;
const SECRET_LENGTH = 16;

/** Secrets of cookies for each day since 1970, made of one that stays: all threads of a server have the same. */
export function dailySecrets(master: Uint8Array): (day: number) => Uint8Array {
  return (day) => createHmac("sha256", master).update(`server cookie ${day}`).digest().subarray(0, SECRET_LENGTH);
}

/**
 * Makes and checks server cookies of RFC 9018, with which a client proves that it gets what is sent to its address. The server
 * keeps nothing of its clients. The secret changes daily; a client whose cookie is out of date gets a new one with its next
 * answer.
 */
export class ServerCookies {
  readonly #secretOf: (day: number) => Uint8Array;
  /** Of what day the secrets are. */
  #day = Number.NaN;
  #current: SipHash | undefined;
  #previous: SipHash | undefined;
  /** What is hashed: client's cookie, version, reserved bytes, time, address (RFC 9018 section 4.4). */
  readonly #input = new Uint8Array(CLIENT_COOKIE + HASH + 16);
  readonly #hash = new Uint8Array(8);

  /** @param secretOf 16 secret bytes for each day since 1970 */
  constructor(secretOf: (day: number) => Uint8Array) {
    this.#secretOf = secretOf;
  }

  /** Says what the cookie is worth that stands at `message[at]`, client's and server's together `length` bytes long. */
  check(message: Uint8Array, at: number, length: number, source: Source, now: Instant): CookieVerdict {
    if (length === CLIENT_COOKIE) return "none";
    // RFC 7873 section 4 allows 8 to 32 bytes; ours always have 16.
    if (length !== WHOLE_COOKIE || message[at + CLIENT_COOKIE] !== VERSION) return "wrong";
    const input = this.#input;
    for (let index = 0; index < CLIENT_COOKIE + HASH; index++) input[index] = message[at + index] as number;
    // RFC 1982: the time is a number of 32 bits that comes round in 2106.
    const age = (seconds(now) - readTime(input)) | 0;
    if (age > OLDEST || age < -AHEAD) return "wrong";
    const theirs = at + CLIENT_COOKIE + HASH;
    if (this.#matches(this.#secret(now), message, theirs, source)) return "valid";
    const sinceMidnight = now - this.#day * SECRET_SERVES;
    this.#previous ??= new SipHash(this.#secretOf(this.#day - 1));
    const known = sinceMidnight <= 1000 * (OLDEST + AHEAD);
    return known && this.#matches(this.#previous, message, theirs, source) ? "valid" : "wrong";
  }

  /**
   * Writes a client's cookie (`message[from]`) and a new one of the server's to `out[at]`: {@link WHOLE_COOKIE} bytes. Each
   * answer has a new one, as RFC 9018 section 4.3 allows.
   */
  write(message: Uint8Array, from: number, source: Source, now: Instant, out: Uint8Array, at: number): void {
    const input = this.#input;
    for (let index = 0; index < CLIENT_COOKIE; index++) input[index] = message[from + index] as number;
    input[CLIENT_COOKIE] = VERSION;
    input.fill(0, CLIENT_COOKIE + 1, CLIENT_COOKIE + TIMESTAMP);
    const time = seconds(now);
    for (let index = 0; index < 4; index++) input[CLIENT_COOKIE + TIMESTAMP + index] = time >>> (24 - 8 * index);
    for (let index = 0; index < CLIENT_COOKIE + HASH; index++) out[at + index] = input[index] as number;
    this.#hashInput(this.#secret(now), source);
    for (let index = 0; index < 8; index++) out[at + CLIENT_COOKIE + HASH + index] = this.#hash[index] as number;
  }

  #matches(secret: SipHash, message: Uint8Array, at: number, source: Source): boolean {
    this.#hashInput(secret, source);
    let difference = 0;
    for (let index = 0; index < 8; index++) difference |= (this.#hash[index] as number) ^ (message[at + index] as number);
    return difference === 0;
  }

  #hashInput(secret: SipHash, source: Source): void {
    const input = this.#input;
    for (let index = 0; index < source.length; index++) input[CLIENT_COOKIE + HASH + index] = source.bytes[index] as number;
    secret.hash(input, CLIENT_COOKIE + HASH + source.length, this.#hash, 0);
  }

  #secret(now: Instant): SipHash {
    const day = Math.floor(now / SECRET_SERVES);
    if (this.#current === undefined || day !== this.#day) {
      this.#day = day;
      this.#current = new SipHash(this.#secretOf(day));
      this.#previous = undefined;
    }
    return this.#current;
  }
}

function seconds(now: Instant): number {
  return Math.floor(now / 1000) | 0;
}

function readTime(input: Uint8Array): number {
  const at = CLIENT_COOKIE + TIMESTAMP;
  return (
    ((input[at] as number) << 24) |
    ((input[at + 1] as number) << 16) |
    ((input[at + 2] as number) << 8) |
    (input[at + 3] as number)
  );
}
