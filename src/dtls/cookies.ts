import { createHash, createHmac } from "node:crypto";
import { equalInConstantTime } from "../lib/bytes.ts";
import type { Instant, Milliseconds } from "../lib/clock.ts";
import { InvalidInput } from "../lib/errors.ts";
import { fastHmac, MAX_FAST_KEY, MAX_FAST_MESSAGE } from "../lib/fast-hash.ts";
import type { ClientHello } from "./client-hello.ts";
import type { Peer } from "./types.ts";

/** A cookie is good for one to two of these: longer than any handshake, short enough that a recorded one is soon worthless. */
const ROTATION: Milliseconds = 120_000;
/** 128 bits. A HelloVerifyRequest stays shorter than the shortest ClientHello there can be (67 bytes). */
const COOKIE_LENGTH = 16;
const SECRET_MIN = 32;

/**
 * Makes and checks the cookies of RFC 6347 section 4.2.1 without keeping any state: a cookie is an HMAC-SHA-256 over the
 * peer's address and port, the time slot, and the parameters of its ClientHello.
 */
export class CookieJar {
  readonly #secret: Uint8Array;
  /** What is authenticated, put together; reused, as every handshake needs two cookies. */
  readonly #scratch: Buffer = Buffer.alloc(MAX_FAST_MESSAGE);

  /** @throws InvalidInput if the secret is shorter than 32 bytes */
  constructor(secret: Uint8Array) {
    if (secret.length < SECRET_MIN) throw new InvalidInput(`cookieSecret: needs ${SECRET_MIN} bytes, got ${secret.length}`);
    // A key longer than a block stands for its hash (RFC 2104 section 2).
    this.#secret = secret.length > MAX_FAST_KEY ? createHash("sha256").update(secret).digest() : secret;
  }

  /** The cookie `peer` has to send back. */
  make(peer: Peer, hello: ClientHello, now: Instant): Buffer {
    return this.#cookie(peer, hello, slotOf(now));
  }

  /** Whether `hello` carries a cookie that was made for it in this time slot or the one before. */
  proves(peer: Peer, hello: ClientHello, now: Instant): boolean {
    if (hello.cookie.length !== COOKIE_LENGTH) return false;
    const slot = slotOf(now);
    return [slot, slot - 1].some((one) => equalInConstantTime(this.#cookie(peer, hello, one), hello.cookie));
  }

  #cookie(peer: Peer, { head, tail }: ClientHello, slot: number): Buffer {
    // The peer's key and the slot end in a separator that neither contains; what follows frames its own lengths.
    const prefix = `${slot}\n${peer.key}\n`;
    const length = prefix.length + head.length + tail.length;
    if (length > MAX_FAST_MESSAGE) {
      const mac = createHmac("sha256", this.#secret).update(prefix, "latin1").update(head).update(tail);
      return mac.digest().subarray(0, COOKIE_LENGTH);
    }
    this.#scratch.write(prefix, 0, "latin1");
    this.#scratch.set(head, prefix.length);
    this.#scratch.set(tail, prefix.length + head.length);
    return Buffer.from(fastHmac(this.#secret, this.#scratch.subarray(0, length)), "latin1").subarray(0, COOKIE_LENGTH);
  }
}

function slotOf(now: Instant): number {
  return Math.floor(now / ROTATION);
}
