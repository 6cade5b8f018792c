import {
  type NameState,
  NameStatesWriter,
  RegistryHeld,
  type RegistryPlan,
  relativeLength,
  TYPE,
  ZoneContents,
} from "../dns/index.ts";
import type { Seconds } from "../lib/clock.ts";

/** Whether a name is one that our recipe can make. @param name relative to the zone, wire form, lower case, without the root's zero */
export type Owns = (name: Uint8Array) => boolean;

/** A record of a zone, as a transfer gives it. */
export interface HeldRecord {
  /** Wire form, lower case. */
  readonly name: Uint8Array;
  readonly type: number;
  readonly ttl: Seconds;
  readonly data: Uint8Array;
}

/** What of a zone is ours: the addresses of the names that our recipe can make. Everything else in it is nobody's business here. */
export class HeldNames {
  readonly contents: ZoneContents = new ZoneContents();
  /** Names whose records have another TTL than ours, or of which there are several addresses of a family. */
  readonly #odd: ZoneContents = new ZoneContents();
  readonly #zone: Uint8Array;
  readonly #ttl: Seconds;
  readonly #owns: Owns;

  /** @param zone its name in wire form */
  constructor(zone: Uint8Array, ttl: Seconds, owns: Owns) {
    this.#zone = zone;
    this.#ttl = ttl;
    this.#owns = owns;
  }

  /** Takes note of a record if it is ours. */
  add({ name, type, ttl, data }: HeldRecord): void {
    if (type !== TYPE.A && type !== TYPE.AAAA) return;
    const relative = relativeLength(name, name.length, this.#zone);
    if (relative < 1) return;
    const short = name.subarray(0, relative);
    if (!this.#owns(short)) return;
    const before = this.contents.get(short);
    const taken = type === TYPE.A ? before?.ipv4 : before?.ipv6;
    if (ttl !== this.#ttl || taken !== undefined) this.#odd.set({ name: short, ipv4: ODD, ipv6: undefined });
    const ipv4 = type === TYPE.A ? data : before?.ipv4?.slice();
    this.contents.set({ name: short, ipv4, ipv6: type === TYPE.AAAA ? data : before?.ipv6?.slice() });
  }

  /** Whether a name has just these addresses, each once and with our TTL. */
  has(state: NameState): boolean {
    return this.contents.has(state) && this.#odd.get(state.name) === undefined;
  }
}

const ODD = Uint8Array.of(0, 0, 0, 0);

/** What brings a zone from what it holds to what it should hold. */
export interface Changes {
  readonly plan: RegistryPlan;
  /** Packed name states, to be written one after the other: first what is added or changed, then what goes. */
  readonly batches: readonly Uint8Array[];
}

/** Desired minus held, cut into batches. */
export function planChanges(held: HeldNames, desired: ZoneContents, batch: BatchLimits): Changes {
  const batches = new Batches(batch);
  let added = 0;
  let changed = 0;
  let removed = 0;
  for (const state of desired.entries()) {
    if (held.has(state)) continue;
    if (held.contents.get(state.name) === undefined) added++;
    else changed++;
    batches.add(state);
  }
  for (const { name } of held.contents.entries()) {
    if (desired.get(name) !== undefined) continue;
    removed++;
    batches.add({ name, ipv4: undefined, ipv6: undefined });
  }
  return { plan: { added, changed, removed, held: held.contents.size }, batches: batches.end() };
}

/** The share (0-1) of the names held that a plan changes or removes; 0 where none is held. */
export function shareOf({ changed, removed, held }: RegistryPlan): number {
  return held === 0 ? 0 : (changed + removed) / held;
}

/** @param limit the share (0-1) that may be changed or removed @throws RegistryHeld if it is more */
export function checkShare(plan: RegistryPlan, limit: number): void {
  const share = shareOf(plan);
  if (share <= limit) return;
  const percent = (part: number): string => `${Math.round(part * 1000) / 10} %`;
  const why = `${percent(share)} of the live names would be changed or removed, and ${percent(limit)} may be without somebody's confirmation`;
  throw new RegistryHeld(why, plan);
}

/** What goes into one message at most. */
export interface BatchLimits {
  readonly names: number;
  /** Bytes of the message, about. */
  readonly bytes: number;
}

/** Cuts name states into batches that fit a message each. */
export class Batches {
  readonly #limits: BatchLimits;
  readonly #writer = new NameStatesWriter();
  readonly #done: Uint8Array[] = [];
  #bytes = 0;

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  add({ name, ipv4, ipv6 }: NameState): void {
    const bytes = 4 * (name.length + RECORD) + ADDRESSES;
    if (this.#writer.count >= this.#limits.names || this.#bytes + bytes > this.#limits.bytes) this.#cut();
    this.#writer.add(name, name.length, ipv4, ipv6);
    this.#bytes += bytes;
  }

  /** All batches, the last one too. */
  end(): readonly Uint8Array[] {
    this.#cut();
    return this.#done;
  }

  #cut(): void {
    if (this.#writer.count > 0) this.#done.push(this.#writer.take());
    this.#bytes = 0;
  }
}

/** A name takes four records at most, two of which delete: of each the pointer to the zone, type, class, TTL, length; and the addresses. */
const RECORD = 2 + 10;
const ADDRESSES = 4 + 16;
