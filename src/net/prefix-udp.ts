import { existsSync, readFileSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import { ipv6Text, isWithin, type Prefix, parsePrefix } from "../dns/index.ts";
import {
  anyAddress,
  fixedBuffer,
  hasNativeSockets,
  NativeDatagrams,
  type NativeSockets,
  nativeSockets,
  portOf,
} from "./native-datagrams.ts";
import { CannotListen, cannotListen, type UdpOptions, type UdpSocket } from "./udp.ts";

/** Options of {@link openPrefixUdp}. */
export interface PrefixUdpOptions extends Omit<UdpOptions, "address"> {
  /** Such as `2001:db8:1:2::/64`. */
  readonly prefix: string;
}

/** Linux's numbers of `bits/socket.h` and `linux/in6.h`. */
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x8_0000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_RECVPKTINFO = 49;
const IPV6_FREEBIND = 78;
const MSG_DONTWAIT = 0x40;
const POLLIN = 1;
const SHUT_RDWR = 2;
/** All IPv6 routes, and what marks one to this host itself. */
const ROUTES = "/proc/net/ipv6_route";
const RTF_LOCAL = 0x8000_0000;

/** Datagrams taken from the kernel at a time; then others have their turn. */
const BATCH = 32;
/** Bytes of the longest datagram taken; more than any network carries in one piece. */
const LONGEST = 9216;
const BUFFER = 4 * 1024 * 1024;
/** For so long at most an exit of the process waits for the thread that waits for datagrams, ms. */
const WAIT = 250;

/**
 * Opens a UDP socket that hears all addresses of an IPv6 prefix: each datagram comes with the address it was sent to, and is
 * answered from there. Node can tell neither, so this one calls the C library itself (RFC 3542 section 6): a thread
 * of libuv's pool waits, and this thread takes what has come.
 * @throws InvalidInput for what is no prefix
 * @throws CannotListen naming what to do; code `not-supported` beside those of `openUdp`
 */
export function openPrefixUdp(options: PrefixUdpOptions): UdpSocket {
  const { port, prefix: text } = options;
  const prefix = parsePrefix(text);
  if (!hasNativeSockets) {
    throw new CannotListen("not-supported", `cannot listen on udp ${text}: a whole prefix needs Linux on a 64-bit machine`);
  }
  if (!isRoutedHere(prefix)) {
    const remedy = `ip -6 route add local ${text} dev lo`;
    throw new CannotListen(
      "address-not-available",
      `cannot listen on udp ${text}: this host does not take it as its own; run: ${remedy}`,
    );
  }
  const native = nativeSockets();
  const check = (result: number): number => {
    if (result >= 0) return result;
    const code = getSystemErrorName(-native.errno());
    throw cannotListen(Object.assign(new Error(code), { code }), "udp", { address: text, port });
  };
  const socket = check(native.socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  try {
    const set = (level: number, option: number, value: number): number =>
      native.setsockopt(socket, level, option, Buffer.from(Int32Array.of(value).buffer), 4);
    check(set(IPPROTO_IPV6, IPV6_V6ONLY, 1));
    check(set(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
    // Addresses of the prefix are nobody's in particular: without this none of them could be answered from.
    check(set(IPPROTO_IPV6, IPV6_FREEBIND, 1));
    check(set(SOL_SOCKET, SO_RCVBUF, options.receiveBuffer ?? BUFFER));
    check(set(SOL_SOCKET, SO_SNDBUF, BUFFER));
    const address = anyAddress(port);
    check(native.bind(socket, address, address.length));
    check(native.getsockname(socket, address, Buffer.from(Uint32Array.of(address.length).buffer)));
    return new PrefixSocket(native, socket, portOf(address), prefix, options);
  } catch (error) {
    native.close(socket);
    throw error;
  }
}

class PrefixSocket implements UdpSocket {
  readonly address = "::";
  readonly port: number;
  readonly #native: NativeSockets;
  readonly #socket: number;
  readonly #prefix: Prefix;
  readonly #options: PrefixUdpOptions;
  readonly #received = new NativeDatagrams(BATCH, LONGEST);
  readonly #sending = new NativeDatagrams(1, 0xffff);
  /** `struct pollfd`. */
  readonly #polled: Buffer = fixedBuffer(8);
  #open = true;
  readonly #closed: Promise<void>;
  #closing: () => void = () => {};

  constructor(native: NativeSockets, socket: number, port: number, prefix: Prefix, options: PrefixUdpOptions) {
    this.port = port;
    this.#native = native;
    this.#socket = socket;
    this.#prefix = prefix;
    this.#options = options;
    this.#polled.writeInt32LE(socket, 0);
    this.#polled.writeInt16LE(POLLIN, 4);
    this.#closed = new Promise((resolve) => {
      this.#closing = resolve;
    });
    this.#wait();
  }

  readonly send = (bytes: Uint8Array, port: number, address: string, local?: string): void => {
    if (!this.#open || port === 0 || local === undefined || !this.#sending.fill(bytes, port, address, local)) return;
    this.#native.sendmsg(this.#socket, this.#sending.headers, MSG_DONTWAIT);
  };

  readonly close = (): Promise<void> => {
    if (this.#open) {
      this.#open = false;
      // Wakes the thread that waits; the number must not become another file's before it has gone.
      this.#native.shutdown(this.#socket, SHUT_RDWR);
    }
    return this.#closed;
  };

  #wait(): void {
    this.#native.poll(this.#polled, 1, WAIT, (error) => {
      if (error instanceof Error) this.#options.onError?.(error);
      this.#take();
    });
  }

  /** Takes a batch; then waits, or takes another when everybody else had a turn. */
  #take(): void {
    const received = this.#received;
    received.clear();
    const came = this.#open ? this.#native.recvmmsg(this.#socket, received.headers, BATCH, MSG_DONTWAIT, null) : 0;
    for (let index = 0; index < came && this.#open; index++) this.#deliver(index);
    if (!this.#open) this.#end();
    else if (came > 0) setImmediate(() => this.#take());
    else this.#wait();
  }

  #deliver(index: number): void {
    const local = this.#received.local(index);
    if (local === undefined || !isWithin(local.bytes, local.at, this.#prefix)) return;
    const bytes = this.#received.payload(index);
    if (bytes === undefined) return;
    const { address, port } = this.#received.remote(index);
    this.#options.onDatagram(bytes, address, port, ipv6Text(local.bytes, local.at));
  }

  #end(): void {
    this.#native.close(this.#socket);
    this.#closing();
  }
}

/** Whether the kernel takes datagrams for all addresses of the prefix as this host's: there is a local route. */
function isRoutedHere(prefix: Prefix): boolean {
  const routes = existsSync(ROUTES) ? readFileSync(ROUTES, "latin1").split("\n") : [];
  return routes.some((route) => {
    const [network = "", length = "", , , , , , , flags = ""] = route.split(/\s+/);
    if ((Number.parseInt(flags, 16) & RTF_LOCAL) === 0) return false;
    const bits = Number.parseInt(length, 16);
    const fixed = prefix.free.reduce((sum, byte) => sum + Math.clz32(byte) - 24, 0);
    if (bits > fixed) return false;
    const first = Buffer.from(network, "hex");
    const free = prefix.first.map((_byte, index) => 0xff >> Math.min(8, Math.max(0, bits - 8 * index)));
    return isWithin(prefix.first, 0, { first, free });
  });
}
