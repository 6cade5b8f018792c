import type { DeviceView } from "../control/index.ts";
import type { Milliseconds } from "../lib/clock.ts";
import { type ControlClient, pause, ResolveError, resolveHost } from "../net/index.ts";

/** What became of the devices of an instance that was killed. */
export interface KillReport {
  readonly instance: string;
  /** Devices that it was to serve, or was serving. */
  readonly affected: number;
  /** From the kill until no name of these led to it any more, s; null if some still did when the watch ended. */
  readonly outOfDnsSeconds: number | null;
  /** From the kill until the last of these devices had completed, s; null if one has not. */
  readonly lastCompletedSeconds: number | null;
}

/** The instance to kill, and where DNS and the balancer are asked. */
export interface KillOptions {
  readonly id: string;
  readonly address: string;
  /** `address:port` of the nameserver. */
  readonly nameserver: string;
  readonly client: ControlClient;
  readonly kill: () => void;
}

/** How often DNS is asked for the names that still lead there. */
const LOOK_EVERY: Milliseconds = 100;
/** Far longer than it may take; whoever waits is told so then. */
const LOOK_FOR: Milliseconds = 60_000;
/** Names asked for at a time. */
const AT_ONCE = 50;

/** Kills an instance, and watches how its devices get another one. */
export class KillOne {
  readonly #options: KillOptions;
  readonly #completed: Map<string, number> = new Map();
  readonly #killedAt: number = performance.now();
  readonly #watched: Promise<{ readonly affected: readonly DeviceView[]; readonly outOfDns: number | null }>;

  constructor(options: KillOptions) {
    this.#options = options;
    options.kill();
    this.#watched = this.#watch();
    // Whoever asks for the report is told; until then a failure is nobody's.
    this.#watched.catch(() => {});
  }

  /** A device has completed. */
  completed(endpoint: string): void {
    this.#completed.set(endpoint, performance.now());
  }

  /** Call it when all devices are done. */
  async report(): Promise<KillReport> {
    const { affected, outOfDns } = await this.#watched;
    const times = affected.map(({ endpoint }) => this.#completed.get(endpoint) ?? Number.NaN);
    const last = affected.length === 0 ? this.#killedAt : Math.max(...times);
    return {
      instance: this.#options.id,
      affected: affected.length,
      outOfDnsSeconds: outOfDns === null ? null : seconds(outOfDns - this.#killedAt),
      lastCompletedSeconds: Number.isNaN(last) ? null : seconds(last - this.#killedAt),
    };
  }

  async #watch(): Promise<{ readonly affected: readonly DeviceView[]; readonly outOfDns: number | null }> {
    const affected = await this.#devices();
    let names = affected.flatMap((device) => device.names ?? []);
    while (names.length > 0) {
      if (performance.now() - this.#killedAt > LOOK_FOR) return { affected, outOfDns: null };
      names = await this.#leadingThere(names);
      if (names.length > 0) await pause(LOOK_EVERY);
    }
    return { affected, outOfDns: performance.now() };
  }

  /** The devices that the instance had when it was killed: those that completed there before are none of them. */
  async #devices(): Promise<DeviceView[]> {
    const { client, id } = this.#options;
    const devices: DeviceView[] = [];
    for (const state of ["pending", "commenced"] as const) {
      for (let after: string | null = ""; after !== null; ) {
        const query = { state, limit: 1000, names: true, ...(after === "" ? {} : { after }) };
        const page: { devices: readonly DeviceView[]; next: string | null } = await client.call("devices", { query });
        devices.push(...page.devices.filter(({ instance }) => instance === id));
        after = page.next;
      }
    }
    // Its last words may not have reached the balancer.
    return devices.filter(({ endpoint }) => !this.#completed.has(endpoint));
  }

  async #leadingThere(names: readonly string[]): Promise<string[]> {
    const { address, nameserver } = this.#options;
    const there: string[] = [];
    for (let start = 0; start < names.length; start += AT_ONCE) {
      const some = names.slice(start, start + AT_ONCE);
      const answers = await Promise.all(some.map((name) => addressesOf(name, nameserver)));
      there.push(...some.filter((_, place) => answers[place]?.includes(address)));
    }
    return there;
  }
}

async function addressesOf(name: string, nameserver: string): Promise<readonly string[]> {
  try {
    return (await resolveHost(name, [nameserver])).ipv4;
  } catch (error) {
    if (error instanceof ResolveError && error.code === "name-not-found") return [];
    throw error;
  }
}

function seconds(span: Milliseconds): number {
  return Number((span / 1000).toFixed(2));
}
