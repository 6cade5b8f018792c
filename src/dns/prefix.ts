import { InvalidInput } from "../lib/errors.ts";
import { ipv6Bytes } from "./address.ts";
import { Chaskey } from "./chaskey.ts";

/** Longer ones leave less than 32 bits: whoever tries addresses at random would meet devices' ones. */
const MAX_LENGTH = 96;
/** Shorter ones nobody is given. */
const MIN_LENGTH = 32;

/** An IPv6 prefix that is routed to one instance. */
export interface Prefix {
  /** Its first address, 16 bytes. */
  readonly first: Uint8Array;
  /** 16 bytes, with ones where an address within the prefix is free. */
  readonly free: Uint8Array;
}

/**
 * Reads a prefix such as `2001:db8:1:2::/64` (RFC 4291 section 2.3).
 * @throws InvalidInput for what is no prefix, for bits behind its length, and for a length that is not from 32 to 96
 */
export function parsePrefix(text: string): Prefix {
  const [, address, digits] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  if (address === undefined) throw new InvalidInput(`"${text}" is not an IPv6 prefix such as 2001:db8:1:2::/64`);
  const length = Number(digits);
  if (length < MIN_LENGTH || length > MAX_LENGTH) {
    throw new InvalidInput(
      `"${text}": a prefix has ${MIN_LENGTH} to ${MAX_LENGTH} bits, /64 being usual; this one has ${length}`,
    );
  }
  const first = ipv6Bytes(address);
  const free = first.map((_byte, index) => 0xff >> Math.min(8, Math.max(0, length - 8 * index)));
  if (first.some((byte, index) => (byte & (free[index] as number)) !== 0)) {
    throw new InvalidInput(`"${text}": it has bits set behind its first ${length}`);
  }
  return { first, free };
}

/** Whether the address in the 16 bytes from `bytes[at]` lies within the prefix. */
export function isWithin(bytes: Uint8Array, at: number, { first, free }: Prefix): boolean {
  for (let index = 0; index < 16; index++) {
    const differs = (first[index] as number) ^ (bytes[at + index] as number);
    if ((differs & ~(free[index] as number)) !== 0) return false;
  }
  return true;
}

/**
 * Gives each name an address of its own within a prefix. What is free in it is a keyed hash of the name: whoever has not the
 * key cannot say which device an address is for, which name it belongs to, or what it will be in the next epoch.
 */
export class PrefixAddresses {
  readonly #chaskey: Chaskey;
  readonly #address = new Uint8Array(16);

  /**
   * @param key 16 secret bytes; the same key gives the same addresses
   * @throws InvalidInput for another length
   */
  constructor(key: Uint8Array) {
    this.#chaskey = new Chaskey(key);
  }

  /**
   * The address of a name.
   * @param name relative to the zone, wire form, lower case, without the root's zero; `length` bytes of it count
   * @returns 16 bytes that hold until the next call: nothing is allocated
   */
  of({ first, free }: Prefix, name: Uint8Array, length: number): Uint8Array {
    const chaskey = this.#chaskey;
    const address = this.#address;
    chaskey.hash(name, 0, length);
    let any = 0;
    for (let index = 0; index < 16; index++) {
      const word = index < 4 ? chaskey.h0 : index < 8 ? chaskey.h1 : index < 12 ? chaskey.h2 : chaskey.h3;
      const own = (word >>> (8 * (index & 3))) & (free[index] as number);
      any |= own;
      address[index] = (first[index] as number) | own;
    }
    // With nothing but zeros there it would mean any router of that network (RFC 4291 section 2.6.1).
    if (any === 0) address[15] = 1;
    return address;
  }
}
