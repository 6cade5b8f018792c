import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { equalInConstantTime } from "../lib/bytes.ts";
import type { Instant, Milliseconds } from "../lib/clock.ts";
import { InvalidInput } from "../lib/errors.ts";
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
  readonly #secret: KeyObject;

  /** @throws InvalidInput if the secret is shorter than 32 bytes */
  constructor(secret: Uint8Array) {
    if (secret.length < SECRET_MIN) throw new InvalidInput(`cookieSecret: needs ${SECRET_MIN} bytes, got ${secret.length}`);
    this.#secret = createSecretKey(secret);
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

  #cookie(peer: Peer, hello: ClientHello, slot: number): Buffer {
    const mac = createHmac("sha256", this.#secret);
    // The peer's key and the slot end in a separator that neither contains; what follows frames its own lengths.
    mac.update(`${slot}\n${peer.key}\n`).update(hello.head).update(hello.tail);
    return mac.digest().subarray(0, COOKIE_LENGTH);
  }
}

function slotOf(now: Instant): number {
  return Math.floor(now / ROTATION);
}
