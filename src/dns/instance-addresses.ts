import { InvalidInput } from "../lib/errors.ts";
import { ipv4Bytes, ipv6Bytes } from "./address.ts";
import { MAX_INSTANCES } from "./generation.ts";

/** Where an instance is reached: at most one address of each family, so that a client cannot pick an old one. */
export interface InstanceAddresses {
  readonly ipv4?: string | undefined;
  readonly ipv6?: string | undefined;
}

/** The addresses of the instances by index, ready to be copied into answers. */
export class AddressTable {
  readonly #ipv4: (Uint8Array | undefined)[] = [];
  readonly #ipv6: (Uint8Array | undefined)[] = [];

  /** @throws InvalidInput for what is no address, or neither family, or an impossible index */
  set(instance: number, addresses: InstanceAddresses | undefined): void {
    if (!(Number.isInteger(instance) && instance >= 0 && instance < MAX_INSTANCES)) {
      throw new InvalidInput(`an instance index is a whole number from 0 to ${MAX_INSTANCES - 1}, got ${instance}`);
    }
    const { ipv4, ipv6 } = addresses ?? {};
    if (addresses !== undefined && ipv4 === undefined && ipv6 === undefined) {
      throw new InvalidInput("an instance needs an IPv4 or an IPv6 address");
    }
    const [four, six] = [ipv4 === undefined ? undefined : ipv4Bytes(ipv4), ipv6 === undefined ? undefined : ipv6Bytes(ipv6)];
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

  /** The instance's IPv6 address, 16 bytes. */
  ipv6(instance: number): Uint8Array | undefined {
    return this.#ipv6[instance];
  }
}
