import { ipv4Bytes, ipv6Bytes } from "../dns/index.ts";
import { InvalidInput } from "../lib/errors.ts";

/** How a query came: over UDP an answer that does not fit is cut (RFC 1035 section 4.2). */
export type Transport = "udp" | "tcp";

/** Bytes of an address by which sources are told apart: a /24 of IPv4 is a network, a /56 of IPv6 a customer, as BIND has it. */
const PREFIX_4 = 3;
const PREFIX_6 = 7;

/** Where a query came from, as bytes. One object serves for many queries, one after the other: nothing is allocated. */
export class Source {
  readonly transport: Transport;
  /** The address; `length` bytes of it, 4 or 16. */
  readonly bytes: Uint8Array = new Uint8Array(16);
  length = 4;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  /** Bytes of the address that all of its network have. */
  get prefixLength(): number {
    return this.length === 4 ? PREFIX_4 : PREFIX_6;
  }

  /** Reads an address as sockets write it: dotted, or with colons, with or without `%` and an interface. */
  read(address: string): this {
    if (!this.#read4(address)) this.#read6(address);
    return this;
  }

  /** The network as people write it. */
  prefix(): string {
    const { bytes } = this;
    if (this.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.0/24`;
    const group = (index: number): number => ((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0);
    return `${[0, 1, 2].map((index) => group(index).toString(16)).join(":")}:${(group(3) & 0xff00).toString(16)}::/56`;
  }

  #read4(address: string): boolean {
    this.length = 4;
    return this.#dotted(address, 0, 0);
  }

  /** Reads a dotted address from `address[from]` on to `bytes[at]`. @returns false if it is none */
  #dotted(address: string, from: number, at: number): boolean {
    let value = 0;
    let place = at;
    for (let index = from; index < address.length; index++) {
      const code = address.charCodeAt(index);
      if (code === 0x2e) {
        this.bytes[place++] = value;
        value = 0;
      } else if (code >= 0x30 && code <= 0x39) value = 10 * value + code - 0x30;
      else return false;
    }
    this.bytes[place] = value;
    return true;
  }

  #read6(address: string): void {
    const { bytes } = this;
    this.length = 16;
    bytes.fill(0);
    let at = 0;
    let value = 0;
    let gap = -1;
    let start = 0;
    for (let index = 0; index <= address.length && at <= 14; index++) {
      const code = index < address.length ? address.charCodeAt(index) : 0x25;
      if (code === 0x2e) {
        this.#dotted(address, start, at);
        at += 4;
        break;
      }
      if (code === 0x3a || code === 0x25) {
        if (index > start) {
          bytes[at++] = value >> 8;
          bytes[at++] = value & 0xff;
        } else if (index > 0 && code === 0x3a) gap = at;
        if (code === 0x25) break;
        value = 0;
        start = index + 1;
      } else value = (value << 4) | hexDigit(code);
    }
    if (gap < 0) return;
    // What stands behind the `::` belongs at the end.
    bytes.copyWithin(16 - (at - gap), gap, at);
    bytes.fill(0, gap, 16 - (at - gap));
  }
}

function hexDigit(code: number): number {
  return code <= 0x39 ? code - 0x30 : (code | 0x20) - 0x57;
}

/** Networks, such as those that no limit is for. */
export class Networks {
  readonly #networks: readonly { readonly bytes: Uint8Array; readonly bits: number }[];

  /** @param texts such as `192.0.2.0/24` or `2001:db8::/32`; a lone address is a network of one. @throws InvalidInput */
  constructor(texts: readonly string[]) {
    this.#networks = texts.map((text) => {
      const [, address = "", length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
      const bytes = addressBytes(address, text);
      const bits = length === undefined ? 8 * bytes.length : Number(length);
      if (bits > 8 * bytes.length) throw notNetwork(text);
      return { bytes, bits };
    });
  }

  has(source: Source): boolean {
    for (const { bytes, bits } of this.#networks) {
      if (bytes.length === source.length && startAlike(bytes, source.bytes, bits)) return true;
    }
    return false;
  }
}

function startAlike(left: Uint8Array, right: Uint8Array, bits: number): boolean {
  const whole = bits >> 3;
  for (let index = 0; index < whole; index++) if (left[index] !== right[index]) return false;
  const rest = bits & 7;
  return rest === 0 || ((left[whole] as number) ^ (right[whole] as number)) >> (8 - rest) === 0;
}

function addressBytes(address: string, text: string): Uint8Array {
  try {
    return address.includes(":") ? ipv6Bytes(address) : ipv4Bytes(address);
  } catch {
    throw notNetwork(text);
  }
}

function notNetwork(text: string): InvalidInput {
  return new InvalidInput(`"${text}" is no network; write for example 192.0.2.0/24 or 2001:db8::/32`);
}
