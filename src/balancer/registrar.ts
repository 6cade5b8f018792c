import type { Clock, Milliseconds } from "../lib/clock.ts";
import type { NotificationMark, ProgressChange, Storage } from "../storage/index.ts";
import { allocateEvenly, leastLoaded, type Move } from "./allocation.ts";
import { type Device, NOWHERE, type Progress } from "./device.ts";
import { assignmentOf, type Feed } from "./feed.ts";
import type { Fleet } from "./fleet.ts";
import type { Instances } from "./instances.ts";
import type { Publisher } from "./publisher.ts";

/** Devices written to the database at a time. */
const CHUNK = 1000;

/** What the registrar works on. */
export interface RegistrarOptions {
  readonly fleet: Fleet;
  readonly instances: Instances;
  readonly publisher: Publisher;
  readonly feed: Feed;
  readonly storage: Storage;
  readonly clock: Clock;
  /** How long an instance goes on serving a device whose names were moved away: resolvers may still lead there, ms. */
  readonly linger: Milliseconds;
  readonly breathe: () => Promise<void>;
}

/** Takes a device's assignment back from the instance it was moved from, once no resolver can lead there. */
interface Revocation {
  readonly at: number;
  readonly instance: number;
  readonly device: Device;
}

/**
 * The one place where a device's progress changes: in the database, in memory, in DNS and in the instances'
 * assignments. Its methods are called in turn, never side by side.
 */
export class Registrar {
  readonly #parts: RegistrarOptions;
  readonly #revocations: Revocation[] = [];
  /** Moved in memory and DNS, not yet in the database. */
  readonly #unsaved: Set<Device> = new Set();

  constructor(parts: RegistrarOptions) {
    this.#parts = parts;
  }

  /** Stores new progress with the notifications it came from, all or nothing, and only then lets it take effect. */
  async commit(changes: ReadonlyMap<Device, Progress>, marks: readonly NotificationMark[] = []): Promise<void> {
    const records = [...changes].map(([device, progress]) => this.#record(device, progress));
    await this.#parts.storage.devices.saveProgress(records, marks);
    for (const [device, progress] of changes) this.#apply(device, progress);
  }

  /** Gives devices a first instance each, the least loaded one. */
  async place(devices: readonly Device[]): Promise<void> {
    const { fleet, instances } = this.#parts;
    const serving = instances.serving();
    const load = (index: number): number => fleet.countsOf(index).pending + fleet.countsOf(index).commenced;
    for (const device of devices) {
      if (device.progress.state !== "pending" || device.progress.home !== NOWHERE) continue;
      const home = leastLoaded(serving, load);
      if (home !== NOWHERE) this.move({ device, to: home });
    }
    await this.save();
  }

  /** Spreads all devices that are not in progress evenly over the serving instances, with as few moves as can be (B3, B11). */
  async rebalance(): Promise<number> {
    const moves = allocateEvenly(this.#parts.fleet.open(), this.#parts.instances.serving());
    for (const [index, move] of moves.entries()) {
      if (index % CHUNK === CHUNK - 1) await this.#parts.breathe();
      this.move(move);
    }
    await this.save();
    return moves.length;
  }

  /** Moves a device in memory and DNS at once; {@link save} stores it. A crash before only means that it is moved again. */
  move({ device, to }: Move): void {
    this.#apply(device, { ...device.progress, home: to });
    this.#unsaved.add(device);
  }

  /** Stores what {@link move} did. */
  async save(): Promise<void> {
    const devices = [...this.#unsaved];
    this.#unsaved.clear();
    for (let start = 0; start < devices.length; start += CHUNK) {
      const records = devices.slice(start, start + CHUNK).map((device) => this.#record(device, device.progress));
      await this.#parts.storage.devices.saveProgress(records);
    }
  }

  /** Tells instances to forget devices that were moved away long enough ago. */
  revokeDue(): void {
    const { clock, instances, feed, publisher } = this.#parts;
    while (this.#revocations[0] !== undefined && this.#revocations[0].at <= clock.now()) {
      const due = this.#revocations.shift();
      if (due === undefined) return;
      const { device, instance } = due;
      if (device.progress.home === instance || publisher.pointsAt(device, instance)) continue;
      feed.tell(instances.at(instance)?.id ?? "", { type: "revoke", endpoints: [device.endpoint] });
    }
  }

  /** Whether the instance may serve the device (S2): its names lead there, or did until a moment ago. */
  mayServe(instance: number, device: Device): boolean {
    const { clock, linger, publisher } = this.#parts;
    if (device.progress.home === instance || publisher.pointsAt(device, instance)) return true;
    return device.movedFrom === instance && clock.now() - device.movedAt <= linger;
  }

  #apply(device: Device, progress: Progress): void {
    const { fleet, publisher, feed } = this.#parts;
    const before = device.progress;
    if (before === progress) return;
    fleet.setProgress(device, progress);
    if (progress.state === "completed") {
      publisher.drop(device);
      feed.tellAll({ type: "revoke", endpoints: [device.endpoint] });
      return;
    }
    if (progress.state === "commenced" && before.state === "pending" && progress.home === before.home) return;
    const named = before.home !== NOWHERE && before.state === progress.state;
    const shown = progress.state === "pending" && !named ? publisher.name(device) : publisher.point(device);
    if (shown !== device.progress.home) {
      fleet.setProgress(device, { ...device.progress, home: shown });
      this.#unsaved.add(device);
    }
    if (device.progress.home !== before.home) this.#tellMoved(device, before.home);
    else if (before.state === "completed") this.#assign(device);
  }

  #tellMoved(device: Device, from: number): void {
    const { clock, linger } = this.#parts;
    this.#assign(device);
    if (from === NOWHERE) return;
    device.movedFrom = from;
    device.movedAt = clock.now();
    this.#revocations.push({ at: device.movedAt + linger, instance: from, device });
  }

  #assign(device: Device): void {
    const { feed, instances } = this.#parts;
    feed.tell(instances.at(device.progress.home)?.id ?? "", { type: "assign", assignments: [assignmentOf(device)] });
  }

  #record(device: Device, progress: Progress): ProgressChange {
    const { state, home, session, commencedAt, completedAt, attempts, failures, failure } = progress;
    return {
      endpoint: device.endpoint,
      state,
      instance: this.#parts.instances.at(home)?.id ?? null,
      session,
      step: null,
      commencedAt,
      completedAt,
      attempts,
      failures,
      failure,
      updatedAt: this.#parts.clock.now(),
    };
  }
}
