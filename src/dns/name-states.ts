import { MAX_NAME } from "./constants.ts";

/** Bits that say which addresses a name has. */
const IPV4 = 1;
const IPV6 = 2;
/** The most one state takes. */
const LARGEST = 1 + MAX_NAME + 1 + 4 + 16;

/** What DNS should say, or says, of one name: at most one address of each family; without any, the name does not exist. */
export interface NameState {
  /** Relative to the zone, wire form, lower case, without the root's zero. */
  readonly name: Uint8Array;
  /** 4 bytes. */
  readonly ipv4: Uint8Array | undefined;
  /** 16 bytes. */
  readonly ipv6: Uint8Array | undefined;
}

/**
 * The states of names, packed so that millions of them cross from thread to thread as a few arrays. Per name: its length,
 * the name, a byte that says which addresses follow (1: IPv4, 2: IPv6), these. Of several states of one name the last counts.
 */
export class NameStatesWriter {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(4096);
  #length = 0;
  #count = 0;

  /** How many states were added since the last `take`. */
  get count(): number {
    return this.#count;
  }

  /** Adds the state of the name `name[0]` to `name[length - 1]`. */
  add(name: Uint8Array, length: number, ipv4: Uint8Array | undefined, ipv6: Uint8Array | undefined): void {
    if (this.#length + LARGEST > this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = length;
    for (let index = 0; index < length; index++) bytes[at++] = name[index] as number;
    bytes[at++] = (ipv4 === undefined ? 0 : IPV4) | (ipv6 === undefined ? 0 : IPV6);
    if (ipv4 !== undefined) for (let index = 0; index < 4; index++) bytes[at++] = ipv4[index] as number;
    if (ipv6 !== undefined) for (let index = 0; index < 16; index++) bytes[at++] = ipv6[index] as number;
    this.#length = at;
    this.#count++;
  }

  /** What was added, in an array of its own that can be handed to another thread; begins afresh. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    this.#count = 0;
    return taken;
  }
}

/** Reads packed states; the arrays in them are views of `states`. */
export function* readNameStates(states: Uint8Array): Generator<NameState> {
  let at = 0;
  while (at < states.length) {
    const length = states[at++] as number;
    const name = states.subarray(at, at + length);
    at += length;
    const families = states[at++] as number;
    const ipv4 = (families & IPV4) === 0 ? undefined : states.subarray(at, at + 4);
    at += ipv4 === undefined ? 0 : 4;
    const ipv6 = (families & IPV6) === 0 ? undefined : states.subarray(at, at + 16);
    at += ipv6 === undefined ? 0 : 16;
    yield { name, ipv4, ipv6 };
  }
}

/** Packs a few states. */
export function packNameStates(states: Iterable<NameState>): Uint8Array<ArrayBuffer> {
  const writer = new NameStatesWriter();
  for (const { name, ipv4, ipv6 } of states) writer.add(name, name.length, ipv4, ipv6);
  return writer.take();
}
