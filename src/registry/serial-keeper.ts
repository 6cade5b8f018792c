import { nextSerial, serialIsNewer } from "../dns/index.ts";
import type { Clock } from "../lib/clock.ts";

/** What a hidden primary has to remember over a restart. */
export interface PrimaryMemory {
  /** No serial behind it was used. */
  readonly serial: number;
  /** Names in the zone, about. */
  readonly names: number;
}

/** Where that is kept: one place for all balancers of a zone, as their secondaries see one line of serials. */
export interface PrimaryStore {
  load(): Promise<PrimaryMemory | undefined>;
  save(memory: PrimaryMemory): Promise<void>;
}

/** Serials that are set aside at a time, so that not every step waits for the store. */
const BLOCK = 256;

/** The serials of a zone: each newer than all before it, also those before a restart or of another balancer (RFC 1982). */
export class SerialKeeper {
  readonly #store: PrimaryStore;
  readonly #clock: Clock;
  /** What was used last. */
  current = 1;
  /** Up to here serials are set aside; undefined before the first `resume`. */
  #reserved: number | undefined;
  #names = 0;

  constructor(store: PrimaryStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Goes on from where whoever used serials last may have got, at least from the time in seconds: that is ahead of what is
   * remembered where an old backup was restored.
   * @returns what was remembered, and whether nobody else was at it since we were
   */
  async resume(): Promise<{ readonly names: number; readonly ours: boolean }> {
    const memory = await this.#store.load();
    const ours = memory !== undefined && memory.serial === this.#reserved;
    if (!ours) {
      const seconds = Math.floor(this.#clock.now() / 1000) >>> 0;
      this.current = memory === undefined || serialIsNewer(seconds, memory.serial) ? seconds : memory.serial;
      this.#reserved = this.current;
    }
    this.#names = memory?.names ?? 0;
    return { names: this.#names, ours };
  }

  /** Goes on from a serial that somebody has, if it is newer. @returns whether it is */
  goPast(serial: number): boolean {
    if (!serialIsNewer(serial, this.current)) return false;
    this.current = serial;
    this.#reserved = serial;
    return true;
  }

  /**
   * Gives back what was set aside and is not used: otherwise each restart would cost a block, and serials would run ahead of the time,
   * by which they go on where an old backup was restored. Nothing may be under way.
   */
  async release(): Promise<void> {
    if (this.#reserved === undefined || this.#reserved === this.current) return;
    const memory = await this.#store.load();
    // Another may be at it by now.
    if (memory?.serial !== this.#reserved) return;
    await this.#store.save({ serial: this.current, names: this.#names });
    this.#reserved = this.current;
  }

  /** Makes sure that the next serial may be used, and that the number of names is remembered about. */
  async prepare(names: number): Promise<void> {
    const next = nextSerial(this.current);
    let reserved = this.#reserved ?? this.current;
    if (serialIsNewer(next, reserved)) reserved = (next + BLOCK) >>> 0;
    else if (Math.abs(names - this.#names) * 10 <= this.#names) return;
    await this.#store.save({ serial: reserved, names });
    this.#reserved = reserved;
    this.#names = names;
  }

  /** Takes the next serial, after `prepare`. */
  advance(): void {
    this.current = nextSerial(this.current);
  }
}
