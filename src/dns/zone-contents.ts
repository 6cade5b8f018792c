import type { NameState } from "./name-states.ts";
import { NameTable } from "./name-table.ts";

/** What is kept with a name: which addresses it has, an IPv4, an IPv6. */
const PAYLOAD = 1 + 4 + 16;
const IPV4_AT = 1;
const IPV6_AT = 5;
const HAS_IPV4 = 1;
const HAS_IPV6 = 2;

/** Names with their addresses, millions of them: what a registry holds, or is believed to hold. */
export class ZoneContents {
  readonly #names: NameTable;

  /** @param expected how many names will come; more are no harm */
  constructor(expected: number = 0) {
    this.#names = new NameTable(PAYLOAD, expected);
  }

  /** How many names there are. */
  get size(): number {
    return this.#names.size;
  }

  /** The state of a name; its arrays are views that hold until the name changes. */
  get(name: Uint8Array): NameState | undefined {
    const place = this.#names.find(name, name.length);
    return place < 0 ? undefined : this.#state(place);
  }

  /** Whether a name is in this state; for a state without addresses, whether it is absent. */
  has({ name, ipv4, ipv6 }: NameState): boolean {
    const state = this.get(name);
    return sameBytes(state?.ipv4, ipv4) && sameBytes(state?.ipv6, ipv6);
  }

  /** Brings a name into a state. Returns what that was. */
  set({ name, ipv4, ipv6 }: NameState): "added" | "changed" | "removed" | "same" {
    if (ipv4 === undefined && ipv6 === undefined) return this.#names.remove(name, name.length) ? "removed" : "same";
    const place = this.#names.find(name, name.length);
    if (place < 0) {
      this.#write(this.#names.insert(name, name.length), ipv4, ipv6);
      return "added";
    }
    const before = this.#state(place);
    if (sameBytes(before.ipv4, ipv4) && sameBytes(before.ipv6, ipv6)) return "same";
    this.#write(place, ipv4, ipv6);
    return "changed";
  }

  /** All names, in no order. Each that is there all the while is seen once, whatever else changes meanwhile. */
  *entries(): Generator<NameState> {
    for (const place of this.#names.places()) yield this.#state(place);
  }

  #state(place: number): NameState {
    const [chunk, at] = [this.#names.chunkOf(place), this.#names.payloadAt(place)];
    const families = chunk[at] as number;
    return {
      name: this.#names.name(place),
      ipv4: (families & HAS_IPV4) === 0 ? undefined : chunk.subarray(at + IPV4_AT, at + IPV6_AT),
      ipv6: (families & HAS_IPV6) === 0 ? undefined : chunk.subarray(at + IPV6_AT, at + PAYLOAD),
    };
  }

  #write(place: number, ipv4: Uint8Array | undefined, ipv6: Uint8Array | undefined): void {
    const [chunk, at] = [this.#names.chunkOf(place), this.#names.payloadAt(place)];
    chunk[at] = (ipv4 === undefined ? 0 : HAS_IPV4) | (ipv6 === undefined ? 0 : HAS_IPV6);
    if (ipv4 !== undefined) chunk.set(ipv4, at + IPV4_AT);
    if (ipv6 !== undefined) chunk.set(ipv6, at + IPV6_AT);
  }
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}
