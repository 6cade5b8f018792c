import type { DeviceEnvironment } from "../../src/device/index.ts";
import { loadOpenSsl } from "../../src/dtls/index.ts";
import { type Instant, type Milliseconds, VirtualClock } from "../../src/lib/clock.ts";
import { type Random, seededRandom } from "../../src/lib/random.ts";
import { type HostAddresses, type Machine, ResolveError } from "../../src/net/index.ts";

export interface Address {
  readonly address: string;
  readonly port: number;
}

type Receiver = (datagram: Uint8Array, from: Address) => void;

const LATENCY: Milliseconds = 10;
const REORDER_DELAY: Milliseconds = 200;

/** A network, a resolver and a clock in memory: everything happens when `run` says so, and nothing sleeps. */
export class World {
  readonly clock: VirtualClock = new VirtualClock();
  /** Unix time at the start of the world. */
  epoch: Instant = Date.UTC(2026, 0, 1, 10, 10);
  readonly random: Random;
  readonly machines: Set<Machine> = new Set();
  /** What is in DNS; other names do not exist. */
  readonly names: Map<string, HostAddresses> = new Map();
  /** Every name asked for, in order. */
  readonly asked: string[] = [];
  resolverFails = false;
  loss = 0;
  duplicate = 0;
  reorder = 0;
  openSockets = 0;
  readonly #receivers: Map<string, Receiver> = new Map();
  readonly #refusing: Set<string> = new Set();
  readonly #events: { at: Instant; run: () => void }[] = [];
  #nextPort = 40_000;

  constructor(seed = 1) {
    this.random = seededRandom(seed);
  }

  wallNow(): Instant {
    return this.epoch + this.clock.now();
  }

  listen(address: string, port: number, receive: Receiver): void {
    this.#receivers.set(`${address}|${port}`, receive);
  }

  /** The host answers that nobody listens there (ICMP). */
  refuse(address: string, port: number): void {
    this.#refusing.add(`${address}|${port}`);
  }

  at(instant: Instant, run: () => void): void {
    this.#events.push({ at: instant, run });
  }

  send(datagram: Uint8Array, from: Address, to: Address): void {
    if (this.random.uniform() < this.loss) return;
    const copies = this.random.uniform() < this.duplicate ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const late = this.random.uniform() < this.reorder ? this.random.uniform() * REORDER_DELAY : 0;
      this.at(this.clock.now() + LATENCY + late, () => this.#receivers.get(`${to.address}|${to.port}`)?.(datagram, from));
    }
  }

  /** Loses every datagram that is on its way. */
  forgetInFlight(): void {
    this.#events.length = 0;
  }

  /** The world as a device sees it; its time of day may be off. */
  environment(clockOffset: Milliseconds = 0): DeviceEnvironment {
    return {
      clock: this.clock,
      wallClock: { now: () => this.wallNow() + clockOffset },
      random: this.random,
      timers: { add: (machine) => void this.machines.add(machine), remove: (machine) => void this.machines.delete(machine) },
      openssl: loadOpenSsl,
      resolve: async (host) => {
        this.asked.push(host);
        if (this.resolverFails) throw new ResolveError("resolver-failed", "the resolver did not answer: ETIMEOUT");
        const found = this.names.get(host) ?? literal(host);
        if (found === undefined) throw new ResolveError("name-not-found", "the name does not exist in DNS or has no address");
        return found;
      },
      openSocket: async ({ peer, onDatagram, onError }) => {
        const here = { address: peer.address.includes(":") ? "fd00::99" : "10.9.9.9", port: this.#nextPort++ };
        let open = true;
        this.openSockets++;
        this.listen(here.address, here.port, (datagram, from) => onDatagram(datagram, from.address, from.port));
        return {
          ...here,
          send: (datagram, port, address) => {
            if (!open) return;
            if (this.#refusing.has(`${address}|${port}`))
              this.at(this.clock.now(), () => open && onError?.(new Error("ECONNREFUSED")));
            else this.send(datagram, here, { address, port });
          },
          close: async () => {
            if (open) this.openSockets--;
            open = false;
            this.#receivers.delete(`${here.address}|${here.port}`);
          },
        };
      },
    };
  }

  /** Lets time pass until `isDone`, or for `limit` ms; gives whether it was done. */
  async run(isDone: () => boolean, limit: Milliseconds = 3_600_000): Promise<boolean> {
    const end = this.clock.now() + limit;
    for (;;) {
      await new Promise(setImmediate); // promises of the resolver and the sockets
      if (isDone()) return true;
      const next = this.#nextInstant();
      if (next === undefined || next > end) {
        this.clock.set(end);
        return isDone();
      }
      this.clock.set(Math.max(next, this.clock.now()));
      this.#runDue();
    }
  }

  #nextInstant(): Instant | undefined {
    let next: Instant | undefined;
    for (const { at } of this.#events) if (next === undefined || at < next) next = at;
    for (const machine of this.machines) {
      const due = machine.nextDeadline();
      if (due !== undefined && (next === undefined || due < next)) next = due;
    }
    return next;
  }

  #runDue(): void {
    const now = this.clock.now();
    const due = this.#events.filter(({ at }) => at <= now);
    for (const event of due) this.#events.splice(this.#events.indexOf(event), 1);
    for (const { run } of due.sort((a, b) => a.at - b.at)) run();
    for (const machine of [...this.machines]) {
      const deadline = machine.nextDeadline();
      if (deadline !== undefined && deadline <= now) machine.tick(now);
    }
  }
}

function literal(host: string): HostAddresses | undefined {
  if (host.startsWith("[")) return { ipv4: [], ipv6: [host.slice(1, -1)] };
  return /^[\d.]+$/.test(host) ? { ipv4: [host], ipv6: [] } : undefined;
}
