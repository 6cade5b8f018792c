import { endianness } from "node:os";
import koffi from "koffi";
import { ipv6Bytes, ipv6Text } from "../dns/index.ts";

/** The functions of the C library we call, by their own names. A `Uint8Array` is passed without a copy. */
export interface NativeSockets {
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly setsockopt: (socket: number, level: number, option: number, value: Uint8Array, length: number) => number;
  readonly bind: (socket: number, address: Uint8Array, length: number) => number;
  readonly getsockname: (socket: number, address: Uint8Array, length: Uint8Array) => number;
  readonly recvmmsg: (socket: number, messages: Uint8Array, count: number, flags: number, timeout: null) => number;
  readonly sendmsg: (socket: number, message: Uint8Array, flags: number) => number;
  /** In a thread of libuv's pool. */
  readonly poll: (polled: Uint8Array, count: number, timeout: number, done: (error: unknown, ready: number) => void) => void;
  readonly shutdown: (socket: number, how: number) => number;
  readonly close: (socket: number) => number;
  /** What the last of these calls failed with. */
  readonly errno: () => number;
}

/** Whether the layouts below are this host's: Linux with 64-bit pointers, the low byte first. */
export const hasNativeSockets: boolean =
  process.platform === "linux" && ["x64", "arm64", "riscv64", "loong64"].includes(process.arch) && endianness() === "LE";

let native: NativeSockets | undefined;

/** Finds the functions in the C library that this process runs with. */
export function nativeSockets(): NativeSockets {
  if (native !== undefined) return native;
  const library = koffi.load(null);
  const bind = <Name extends keyof NativeSockets>(name: Name, ...parameters: string[]): NativeSockets[Name] =>
    library.func(name, "int", parameters) as unknown as NativeSockets[Name];
  const poll = library.func("poll", "int", ["void *", "unsigned long", "int"]);
  native = {
    socket: bind("socket", "int", "int", "int"),
    setsockopt: bind("setsockopt", "int", "int", "int", "void *", "uint"),
    bind: bind("bind", "int", "void *", "uint"),
    getsockname: bind("getsockname", "int", "void *", "void *"),
    recvmmsg: bind("recvmmsg", "int", "void *", "uint", "int", "void *"),
    sendmsg: bind("sendmsg", "int", "void *", "int"),
    poll: (polled, count, timeout, done) => poll.async(polled, count, timeout, done),
    shutdown: bind("shutdown", "int", "int"),
    close: bind("close", "int"),
    errno: () => koffi.errno(),
  };
  return native;
}

const AF_INET6 = 10;
const IPPROTO_IPV6 = 41;
const IPV6_PKTINFO = 50;
/** `struct sockaddr_in6`: family, port (high byte first), flow, address, interface. */
const SOCKADDR = { length: 28, port: 2, address: 8, scope: 24 } as const;
/** `struct mmsghdr`: a `struct msghdr`, and how many bytes came. */
const HEADER = {
  length: 64,
  name: 0,
  nameLength: 8,
  iov: 16,
  iovs: 24,
  control: 32,
  controlLength: 40,
  flags: 48,
  came: 56,
} as const;
const IOV_LENGTH = 16;
/** A `struct cmsghdr` with a `struct in6_pktinfo`: an address and an interface. */
const CONTROL = { length: 40, used: 36, level: 8, type: 12, address: 16 } as const;
/** Addresses whose bytes are kept: those of both ends of the sessions there are at a time. */
const REMEMBERED = 4096;
/** The datagram was longer than the room for it (MSG_TRUNC). */
const TRUNCATED = 0x20;

/** Bytes that stay where they are: small arrays may be moved about in V8's heap. */
export function fixedBuffer(length: number): Buffer {
  return Buffer.from(new ArrayBuffer(length));
}

/** An IPv6 socket address for `bind`: any address, one port. */
export function anyAddress(port: number): Buffer {
  const address = Buffer.alloc(SOCKADDR.length);
  address.writeUInt16LE(AF_INET6, 0);
  address.writeUInt16BE(port, SOCKADDR.port);
  return address;
}

/** The port of a socket address. */
export function portOf(address: Buffer): number {
  return address.readUInt16BE(SOCKADDR.port);
}

/**
 * Room for datagrams with the addresses of both ends, laid out as `recvmmsg` and `sendmsg` want it. The buffers refer to each
 * other by their addresses in memory, so they live and stay as long as this object.
 */
export class NativeDatagrams {
  /** `struct mmsghdr[]`, for `recvmmsg`; the first of them for `sendmsg`. */
  readonly headers: Buffer;
  readonly count: number;
  readonly #names: Buffer;
  readonly #iovs: Buffer;
  readonly #controls: Buffer;
  readonly #payloads: Buffer;
  readonly #room: number;
  readonly #read: Map<string, Uint8Array> = new Map();

  /** @param room bytes of the longest datagram */
  constructor(count: number, room: number) {
    this.count = count;
    this.#room = room;
    this.headers = fixedBuffer(count * HEADER.length);
    this.#names = fixedBuffer(count * SOCKADDR.length);
    this.#iovs = fixedBuffer(count * IOV_LENGTH);
    this.#controls = fixedBuffer(count * CONTROL.length);
    this.#payloads = fixedBuffer(count * room);
    for (let index = 0; index < count; index++) {
      const iov = index * IOV_LENGTH;
      this.#iovs.writeBigUInt64LE(addressOf(this.#payloads, index * room), iov);
      this.#iovs.writeBigUInt64LE(BigInt(room), iov + 8);
      const header = index * HEADER.length;
      this.headers.writeBigUInt64LE(addressOf(this.#names, index * SOCKADDR.length), header + HEADER.name);
      this.headers.writeBigUInt64LE(addressOf(this.#iovs, iov), header + HEADER.iov);
      this.headers.writeBigUInt64LE(1n, header + HEADER.iovs);
      this.headers.writeBigUInt64LE(addressOf(this.#controls, index * CONTROL.length), header + HEADER.control);
    }
  }

  /** Before `recvmmsg`, which leaves lengths where it found room. */
  clear(): void {
    for (let index = 0; index < this.count; index++) {
      const header = index * HEADER.length;
      this.headers.writeUInt32LE(SOCKADDR.length, header + HEADER.nameLength);
      this.headers.writeUInt32LE(CONTROL.length, header + HEADER.controlLength);
      this.headers.writeUInt32LE(0, header + HEADER.flags);
    }
  }

  /** What came in one of the places, to be kept; undefined if it was too long. */
  payload(index: number): Buffer | undefined {
    const header = index * HEADER.length;
    if ((this.headers.readUInt32LE(header + HEADER.flags) & TRUNCATED) !== 0) return undefined;
    const start = index * this.#room;
    return Buffer.from(this.#payloads.subarray(start, start + this.headers.readUInt32LE(header + HEADER.came)));
  }

  /** Where the address a datagram was sent to stands; undefined if the kernel did not tell. */
  local(index: number): { readonly bytes: Uint8Array; readonly at: number } | undefined {
    const at = index * CONTROL.length;
    if (this.headers.readUInt32LE(index * HEADER.length + HEADER.controlLength) < CONTROL.used) return undefined;
    if (this.#controls.readInt32LE(at + CONTROL.type) !== IPV6_PKTINFO) return undefined;
    return { bytes: this.#controls, at: at + CONTROL.address };
  }

  /** Whom a datagram came from; the number of the interface behind an address that is the link's only (RFC 4007 section 11). */
  remote(index: number): { readonly address: string; readonly port: number } {
    const at = index * SOCKADDR.length;
    const scope = this.#names.readUInt32LE(at + SOCKADDR.scope);
    const address = ipv6Text(this.#names, at + SOCKADDR.address);
    return { address: scope === 0 ? address : `${address}%${scope}`, port: this.#names.readUInt16BE(at + SOCKADDR.port) };
  }

  /**
   * Fills the first place, for `sendmsg`.
   * @returns false if the bytes have no room
   */
  fill(bytes: Uint8Array, port: number, address: string, local: string): boolean {
    if (bytes.length > this.#room) return false;
    const [host = "", scope = "0"] = address.split("%");
    this.#names.writeUInt16LE(AF_INET6, 0);
    this.#names.writeUInt16BE(port, SOCKADDR.port);
    this.#names.set(this.#bytesOf(host), SOCKADDR.address);
    this.#names.writeUInt32LE(Number(scope), SOCKADDR.scope);
    this.headers.writeUInt32LE(SOCKADDR.length, HEADER.nameLength);
    this.#controls.writeUInt32LE(CONTROL.used, 0);
    this.#controls.writeInt32LE(IPPROTO_IPV6, CONTROL.level);
    this.#controls.writeInt32LE(IPV6_PKTINFO, CONTROL.type);
    this.#controls.set(this.#bytesOf(local), CONTROL.address);
    this.headers.writeUInt32LE(CONTROL.length, HEADER.controlLength);
    this.#payloads.set(bytes);
    this.#iovs.writeUInt32LE(bytes.length, 8);
    return true;
  }

  /** Reading an address costs three times what sending to it does. */
  #bytesOf(address: string): Uint8Array {
    let bytes = this.#read.get(address);
    if (bytes === undefined) {
      bytes = ipv6Bytes(address);
      if (this.#read.size >= REMEMBERED) this.#read.clear();
      this.#read.set(address, bytes);
    }
    return bytes;
  }
}

function addressOf(buffer: Buffer, offset: number): bigint {
  return BigInt(koffi.address(buffer)) + BigInt(offset);
}
