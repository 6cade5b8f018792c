import type { DeviceInput } from "../../control/index.ts";
import { toHex } from "../../lib/bytes.ts";
import type { Clock, Instant, Milliseconds } from "../../lib/clock.ts";
import { BerthError, errorText } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { SteadyClock } from "../../lib/steady-clock.ts";
import type { Machine } from "../../net/index.ts";
import { type ImportedDevice, parseDevice, type Storage } from "../../storage/index.ts";
import type { Balancer } from "../balancer.ts";
import type { Stroke } from "../brake.ts";
import { type Device, isNamed } from "../device.ts";
import { renames } from "../import.ts";
import { NAME_WORK, Slices } from "../slices.ts";
import { Brought } from "./brought.ts";
import type { RejectedEntry, SecretSource, SourceAnswer } from "./source.ts";

/** Options of {@link SourceFollower.start}. */
export interface SourceFollowerOptions {
  readonly source: SecretSource;
  /** How often it is asked. */
  readonly every: Milliseconds;
  readonly balancer: Pick<Balancer, "import" | "removeAll" | "fleet" | "audit" | "brake">;
  readonly storage: Storage;
  readonly clock: Clock;
  /** Lets others run between two slices of long work. */
  readonly breathe: () => Promise<void>;
  readonly log: Logger;
}

/** Devices that are changed at a time: more would be long in the way of what instances tell. */
const BATCH = 1000;
/** The longest time between two attempts while a source fails, unless it is asked less often anyway. */
const LONGEST_WAIT: Milliseconds = 10 * 60_000;
/** Entries of which the log says why they are no use, each time that there are new ones; the rest it counts. */
const TOLD = 20;
/** What comparing a device with what is known of it costs. */
const COMPARE_WORK = NAME_WORK;

/** What an answer asks for. */
interface Plan {
  /** Devices that come, or change without other names. */
  readonly wanted: readonly DeviceInput[];
  /** Devices whose names change with their secrets. */
  readonly renamed: readonly DeviceInput[];
  readonly rejected: readonly RejectedEntry[];
  readonly gone: readonly string[];
  /** Whether it would be the same plan as long as the source says the same. */
  readonly settled: boolean;
}

/**
 * Keeps the fleet to what a source says (B1): its devices come, change and go with it. Devices that came from elsewhere are none
 * of its business, and while it fails, or says what cannot be believed, its own stay as they were.
 */
export class SourceFollower implements Machine {
  readonly #options: SourceFollowerOptions;
  readonly #brought: Brought;
  readonly #time: Clock;
  readonly #ended: AbortController = new AbortController();
  #next: Instant;
  #running: Promise<void> | undefined;
  #failures = 0;
  /** Of the last answer, while there is nothing of it left to do. */
  #tag: string | undefined;
  /** What the log has said of entries that are no use. */
  #told: ReadonlySet<string> = new Set();

  private constructor(options: SourceFollowerOptions, brought: Brought) {
    this.#options = options;
    this.#brought = brought;
    this.#time = new SteadyClock(options.clock);
    this.#next = this.#time.now();
  }

  /** Reads which devices the source brought before; it is asked at the first tick. @throws StorageError */
  static async start(options: SourceFollowerOptions): Promise<SourceFollower> {
    return new SourceFollower(options, await Brought.load(options.storage, options.source.name));
  }

  nextDeadline(): Instant {
    // By the time of day, as the caller measures, though that may be set back.
    return this.#options.clock.now() + this.#next - this.#time.now();
  }

  tick(): void {
    if (this.#running !== undefined || this.#ended.signal.aborted || this.#time.now() < this.#next) return;
    this.#running = this.#poll().finally(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when the source is not being asked, and nothing of its answer is left to do. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Breaks off what is under way; what was taken stays. */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.#running;
    this.#options.source.close();
  }

  async #poll(): Promise<void> {
    const { source, every, log } = this.#options;
    const { name } = source;
    try {
      if (this.#tag !== undefined && !(await this.#isComplete())) this.#tag = undefined;
      const answer = await source.poll(this.#tag, this.#ended.signal);
      if (!answer.unchanged) await this.#follow(answer);
      if (this.#failures > 0) log.info({ source: name, failures: this.#failures }, "the source of devices answers again");
      this.#failures = 0;
      this.#next = this.#time.now() + every;
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      this.#tag = undefined;
      const wait = Math.min(every * 2 ** this.#failures, Math.max(every, LONGEST_WAIT));
      this.#failures++;
      this.#next = this.#time.now() + wait;
      const code = error instanceof BerthError ? error.code : undefined;
      const fields = { source: name, code, error: errorText(error), failures: this.#failures, devices: this.#brought.size };
      log.warn({ ...fields, again: wait }, "a source of devices failed; the devices it brought stay as they were");
    }
  }

  async #follow(answer: SourceAnswer & { unchanged: false }): Promise<void> {
    const { source, balancer, log } = this.#options;
    this.#tag = undefined;
    const { wanted, renamed, rejected, gone, settled } = await this.#plan(answer);
    const stroke = this.#strokeOf(gone, renamed.length, answer.devices.length + answer.rejected.length);
    const allowed = balancer.brake.allows(stroke);
    // What goes first makes room: its identity may be that of a device that comes.
    const removed = allowed ? await this.#remove(gone) : 0;
    const taken = await this.#import(allowed ? [...wanted, ...renamed] : wanted);
    if (allowed) balancer.brake.release(stroke.what);
    const all = [...rejected, ...taken.rejected];
    this.#tell(all);
    const { inserted, updated } = taken;
    if (inserted + updated > 0) {
      const note = { kind: "source", trigger: "source", reason: "devices follow their source" } as const;
      balancer.audit.note({ ...note, subject: source.name, counts: { inserted, updated } });
    }
    if (inserted + updated + removed > 0) {
      log.info({ source: source.name, inserted, updated, removed, rejected: all.length }, "devices follow their source");
    }
    // What the balancer rejected may fit later, as when a profile comes.
    if (settled && allowed && taken.rejected.length === 0 && answer.tag !== undefined) this.#tag = answer.tag;
  }

  /** Whether all devices that the source brought are still there: an operator may have removed some. */
  async #isComplete(): Promise<boolean> {
    const slices = new Slices(this.#options.breathe);
    for (const endpoint of this.#brought) {
      if (slices.spend(1)) await slices.rest();
      if (this.#options.balancer.fleet.byEndpoint(endpoint) === undefined) return false;
    }
    return true;
  }

  async #plan({ devices, rejected }: SourceAnswer & { unchanged: false }): Promise<Plan> {
    const slices = new Slices(this.#options.breathe);
    const [wanted, renamed, bad]: [DeviceInput[], DeviceInput[], RejectedEntry[]] = [[], [], [...rejected]];
    let settled = true;
    const named = new Set(rejected.map(({ endpoint }) => endpoint));
    for (const device of devices) {
      if (slices.spend(COMPARE_WORK)) await slices.rest();
      const { endpoint } = device;
      named.add(endpoint);
      try {
        const known = this.#options.balancer.fleet.byEndpoint(endpoint);
        const record = parseDevice(device);
        if (known !== undefined && isAs(known, record)) continue;
        if (known === undefined) wanted.push(device);
        else if (this.#brought.has(endpoint)) (renames(known, record) ? renamed : wanted).push(device);
        else {
          bad.push({ endpoint, reason: "it came from elsewhere, with other credentials; it is left as it is" });
          settled = false;
        }
      } catch (error) {
        bad.push({ endpoint, reason: errorText(error) });
      }
    }
    const gone: string[] = [];
    for (const endpoint of this.#brought) {
      if (slices.spend(1)) await slices.rest();
      if (!named.has(endpoint)) gone.push(endpoint);
    }
    return { wanted, renamed, rejected: bad, gone, settled };
  }

  /** A server that lost its store, or reads it in, answers with few clients or none: that is not to cost the fleet. */
  #strokeOf(gone: readonly string[], renamed: number, named: number): Stroke {
    const { source, balancer } = this.#options;
    const { fleet } = balancer;
    const leaving = gone.filter((endpoint) => {
      const device = fleet.byEndpoint(endpoint);
      return device !== undefined && isNamed(device);
    }).length;
    return {
      what: `source ${source.name}`,
      trigger: "source",
      does: `it removes ${gone.length} devices that it names no more, and gives ${renamed} other names, as it changes their secrets`,
      shares: [
        { part: leaving + renamed, whole: fleet.named, of: "devices with names" },
        { part: gone.length + renamed, whole: this.#brought.size, of: "devices that it brought" },
      ],
      absurd: gone.length > 0 && named === 0 ? "an empty list is taken for a fault" : undefined,
    };
  }

  async #remove(endpoints: readonly string[]): Promise<number> {
    const { balancer, source } = this.#options;
    let removed = 0;
    for (const batch of batchesOf(endpoints)) {
      this.#ended.signal.throwIfAborted();
      removed += await balancer.removeAll(batch, { trigger: "source", reason: `source ${source.name} names them no more` });
      for (const endpoint of batch) this.#brought.delete(endpoint);
    }
    await this.#brought.save();
    return removed;
  }

  async #import(devices: readonly DeviceInput[]): Promise<{ inserted: number; updated: number; rejected: RejectedEntry[] }> {
    const { balancer } = this.#options;
    let [inserted, updated] = [0, 0];
    const rejected: RejectedEntry[] = [];
    // Noted before they come: a device that nobody brought would never go.
    for (const { endpoint } of devices) this.#brought.add(endpoint);
    await this.#brought.save();
    for (const batch of batchesOf(devices)) {
      this.#ended.signal.throwIfAborted();
      const reply = await balancer.import(batch, { judged: true });
      inserted += reply.inserted;
      updated += reply.updated;
      for (const { index, reason } of reply.rejected) {
        const { endpoint = "" } = batch[index] ?? {};
        rejected.push({ endpoint, reason });
        if (balancer.fleet.byEndpoint(endpoint) === undefined) this.#brought.delete(endpoint);
      }
    }
    await this.#brought.save();
    return { inserted, updated, rejected };
  }

  /** Says once why an entry is no use, for as long as it is so. */
  #tell(rejected: readonly RejectedEntry[]): void {
    const keys = rejected.map(({ endpoint = "", reason }) => `${endpoint}\n${reason}`);
    const fresh = rejected.filter((_, index) => !this.#told.has(keys[index] ?? ""));
    this.#told = new Set(keys);
    if (fresh.length === 0) return;
    const fields = { source: this.#options.source.name, rejected: rejected.length, new: fresh.length };
    this.#options.log.warn(
      { ...fields, entries: fresh.slice(0, TOLD) },
      "entries of a source of devices are no use; the rest is taken",
    );
  }
}

/** Whether a device is already what a source says; what the source leaves open is not looked at. */
function isAs(known: Device, record: ImportedDevice): boolean {
  const { mode, identity, psk, secret, publicKey, profile = known.kind.profile, group } = record;
  const nameSecret = secret ?? publicKey;
  return (
    mode === known.kind.mode &&
    identity === known.identity &&
    profile === known.kind.profile &&
    group === known.kind.group &&
    (psk && toHex(psk)) === known.psk &&
    (nameSecret && toHex(nameSecret)) === known.secret
  );
}

function* batchesOf<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < all.length; from += BATCH) yield all.slice(from, from + BATCH);
}
