import { InvalidInput } from "../lib/errors.ts";
import { ipv4Bytes, ipv6Bytes } from "./address.ts";
import { MAX_INSTANCES } from "./generation.ts";
import { type Prefix, PrefixAddresses, parsePrefix } from "./prefix.ts";

/** Where an instance is reached: each name has at most one address of each family, so that a client cannot pick an old one. */
export interface InstanceAddresses {
  readonly ipv4?: string | undefined;
  readonly ipv6?: string | undefined;
  /** Instead of `ipv6`: a prefix that is routed to it, in which each name has an address of its own. */
  readonly prefix?: string | undefined;
}

/** The addresses of the instances by index, ready to be copied into answers. */
export class AddressTable {
  readonly #ipv4: (Uint8Array | undefined)[] = [];
  readonly #ipv6: (Uint8Array | Prefix | undefined)[] = [];
  readonly #within: PrefixAddresses | undefined;

  /**
   * @param key 16 secret bytes that make the addresses within prefixes; without it no instance can have a prefix
   * @throws InvalidInput for another length
   */
  constructor(key?: Uint8Array) {
    this.#within = key === undefined ? undefined : new PrefixAddresses(key);
  }

  /** @throws InvalidInput for what is no address or prefix, for no family, two of IPv6, or an impossible index */
  set(instance: number, addresses: InstanceAddresses | undefined): void {
    if (!(Number.isInteger(instance) && instance >= 0 && instance < MAX_INSTANCES)) {
      throw new InvalidInput(`an instance index is a whole number from 0 to ${MAX_INSTANCES - 1}, got ${instance}`);
    }
    const { ipv4, ipv6, prefix } = addresses ?? {};
    if (addresses !== undefined && ipv4 === undefined && ipv6 === undefined && prefix === undefined) {
      throw new InvalidInput("an instance needs an IPv4 or an IPv6 address");
    }
    if (ipv6 !== undefined && prefix !== undefined) {
      throw new InvalidInput(`an instance has an IPv6 address or a prefix, not both; got ${ipv6} and ${prefix}`);
    }
    if (prefix !== undefined && this.#within === undefined) {
      throw new InvalidInput(`there is no key to make addresses within the prefix ${prefix}`);
    }
    const four = ipv4 === undefined ? undefined : ipv4Bytes(ipv4);
    const six = prefix !== undefined ? parsePrefix(prefix) : ipv6 === undefined ? undefined : ipv6Bytes(ipv6);
    while (this.#ipv4.length <= instance) {
      this.#ipv4.push(undefined);
      this.#ipv6.push(undefined);
    }
    this.#ipv4[instance] = four;
    this.#ipv6[instance] = six;
  }

  /** The instance's IPv4 address, 4 bytes. */
  ipv4(instance: number): Uint8Array | undefined {
    return this.#ipv4[instance];
  }

  /**
   * The IPv6 address of a name that leads to the instance, 16 bytes: the instance's, or the name's own within its prefix.
   * @param name relative to the zone, wire form, lower case, without the root's zero; `length` bytes of it count
   * @returns bytes to be copied at once: they may hold until the next call only
   */
  ipv6For(instance: number, name: Uint8Array, length: number): Uint8Array | undefined {
    const six = this.#ipv6[instance];
    return six === undefined || six instanceof Uint8Array ? six : this.#within?.of(six, name, length);
  }
}
