import assert from "node:assert/strict";
import { type Registry, RegistryHeld, readNameStates, type Written, ZoneContents, ZoneTable } from "../../src/dns/index.ts";
import { VirtualClock } from "../../src/lib/clock.ts";
import type { LogFields } from "../../src/lib/log.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { Observer, Publication, type Published } from "../../src/registry/index.ts";

export const ZONE = "bs.example.com";
export const host = (number: number): string => `n${number}.${ZONE}`;

/** A registry that does as it is told to, or throws what it is told to. */
export class FakeRegistry implements Registry {
  contents: ZoneContents = new ZoneContents();
  readonly writes: number[] = [];
  fails: Error | undefined;
  replaced = 0;
  closed = false;
  /** How long a write takes, by the clock that the test moves, ms. */
  takes = 0;
  clock: VirtualClock | undefined;
  /** What a write or comparison waits for. */
  until: Promise<unknown> = Promise.resolve();

  async replace(all: AsyncIterable<Uint8Array>, limit: number): Promise<Written> {
    const desired = new ZoneContents();
    for await (const states of all) for (const state of readNameStates(states)) desired.set(state);
    await this.until;
    if (this.fails !== undefined) throw this.fails;
    const removed = [...this.contents.entries()].filter(({ name }) => desired.get(name) === undefined).length;
    const plan = { added: desired.size, changed: 0, removed, held: this.contents.size };
    if (removed > limit * this.contents.size) throw new RegistryHeld(`${removed} of ${this.contents.size} names would go`, plan);
    this.contents = desired;
    this.replaced++;
    return { changed: desired.size, serial: null, names: desired.size };
  }

  async write(states: Uint8Array): Promise<Written> {
    await this.until;
    if (this.fails !== undefined) throw this.fails;
    this.clock?.advance(this.takes);
    const all = [...readNameStates(states)];
    for (const state of all) this.contents.set(state);
    this.writes.push(all.length);
    return { changed: all.length, serial: null, names: this.contents.size };
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** A zone table, a registry, and what brings the one into the other. */
export class World {
  readonly clock: VirtualClock = new VirtualClock(1_000_000);
  readonly table: ZoneTable = new ZoneTable({ zone: ZONE, seed: new Uint8Array(16).fill(3), followed: true });
  readonly registry: FakeRegistry;
  readonly publication: Publication;
  readonly log: string[] = [];
  leads = true;
  suspended = 0;
  steps: readonly string[] = ["1"];
  saved: Published | undefined;
  /** The share of devices whose state is not in the database yet. */
  unstored = 0;

  constructor(registry: FakeRegistry = new FakeRegistry(), before?: Published) {
    this.registry = registry;
    registry.clock = this.clock;
    this.saved = before;
    const { feed } = this.table;
    assert.ok(feed !== undefined);
    const keep = (fields: LogFields, message: string): void => void this.log.push(`${message} ${JSON.stringify(fields)}`);
    const log = { debug: keep, info: keep, warn: keep, error: keep };
    const ask = (): Promise<never> => Promise.reject(new Error("nobody is asked here"));
    const observer = new Observer({ zone: ZONE, servers: [], clock: this.clock, random: seededRandom(1), ask, log });
    this.publication = new Publication({
      kind: "rfc2136",
      feed,
      size: () => this.table.size,
      unstored: () => this.unstored,
      registry,
      observer,
      mayWrite: () => this.leads,
      suspend: () => {
        this.suspended++;
      },
      pace: 100,
      largest: 5000,
      inTime: 30_000,
      brake: 0.3,
      steps: () => this.steps,
      store: {
        load: async () => this.saved,
        save: async (published) => {
          this.saved = published;
        },
      },
      clock: this.clock,
      breathe: async () => {},
      pause: async () => {},
      log,
    });
    this.table.setInstance(0, { ipv4: "192.0.2.1" });
    this.table.setInstance(1, { ipv4: "192.0.2.2" });
    this.table.publish(this.table.beginGeneration(1, 100));
  }

  set(from: number, to: number, instance: number = 0): void {
    for (let number = from; number < to; number++) this.table.set(1, host(number), instance);
  }

  /** Lets time pass until all that can be done is done. */
  async pass(span: number = 200): Promise<void> {
    for (let passed = 0; passed < span; passed += 50) {
      this.clock.advance(50);
      this.publication.tick();
      for (let turn = 0; turn < 50; turn++) await Promise.resolve();
    }
  }
}
