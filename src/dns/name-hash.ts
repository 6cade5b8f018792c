import { InvalidInput } from "../lib/errors.ts";
import { Chaskey } from "./chaskey.ts";
import { MAX_NAME } from "./constants.ts";
import { lengthsForDots, lowerCase, nameToWire, relativeLength } from "./name.ts";

/**
 * Hashes names of one zone: the labels in front of the zone's own, in wire form and lower case. After a call the
 * result stands in `h0`-`h2`.
 */
export class NameHash {
  readonly #chaskey: Chaskey;
  readonly #zone: Uint8Array;
  /** Wire form of the name in hand, relative to the zone, without the root's zero. */
  readonly #name = new Uint8Array(MAX_NAME);
  #length = 0;

  /** @throws InvalidInput for a zone that is no DNS name, or a seed that has not 16 bytes */
  constructor(zone: string, seed: Uint8Array) {
    this.#zone = nameToWire(zone, "zone");
    this.#chaskey = new Chaskey(seed);
  }

  /** The name last given to `ofHost` or `ofAscii`: relative to the zone, wire form, lower case; `length` bytes of it. */
  get name(): Uint8Array {
    return this.#name;
  }
  get length(): number {
    return this.#length;
  }
  get h0(): number {
    return this.#chaskey.h0;
  }
  get h1(): number {
    return this.#chaskey.h1;
  }
  get h2(): number {
    return this.#chaskey.h2;
  }

  /** @throws InvalidInput for a host that is no name of the zone; the host itself is not repeated, as it may be secret */
  ofHost(host: string): void {
    if (host.length > MAX_NAME - 2) throw notInZone();
    const name = this.#name;
    for (let index = 0; index < host.length; index++) {
      const code = host.charCodeAt(index);
      if (code > 0x7f) throw notInZone();
      name[index + 1] = lowerCase(code);
    }
    this.#ofText(host.length);
  }

  /** The same for ASCII bytes in a caller's array. @throws InvalidInput */
  ofAscii(bytes: Uint8Array, offset: number, length: number): void {
    if (length > MAX_NAME - 2) throw notInZone();
    const name = this.#name;
    for (let index = 0; index < length; index++) name[index + 1] = lowerCase(bytes[offset + index] as number);
    this.#ofText(length);
  }

  /** The same for the relative name in wire form, already in lower case, without the root's zero. */
  ofWire(bytes: Uint8Array, length: number): void {
    this.#chaskey.hash(bytes, 0, length);
  }

  /**
   * Calls `visit` with the hash of each name between the name last given to `ofHost` or `ofAscii` and the zone: they
   * exist as empty non-terminals (RFC 8020 section 2).
   */
  forEachAncestor(visit: () => void): void {
    for (let at = 1 + (this.#name[0] as number); at < this.#length; at += 1 + (this.#name[at] as number)) {
      this.#chaskey.hash(this.#name, at, this.#length - at);
      visit();
    }
  }

  #ofText(length: number): void {
    const name = this.#name;
    name[length + 1] = 0;
    const relative = lengthsForDots(name, length) ? relativeLength(name, length + 2, this.#zone) : -1;
    if (relative < 0) throw notInZone();
    this.#length = relative;
    this.#chaskey.hash(name, 0, relative);
  }
}

function notInZone(): InvalidInput {
  return new InvalidInput("the host is no name of the zone");
}
