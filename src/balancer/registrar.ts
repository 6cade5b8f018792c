import type { PastBootstrap } from "../control/index.ts";
import type { Clock } from "../lib/clock.ts";
import type { NotificationMark, ProgressChange, Storage } from "../storage/index.ts";
import { lowestLive } from "./counting.ts";
import type { Departures } from "./departures.ts";
import { atHome, type Device, NOWHERE, type Progress } from "./device.ts";
import type { Feed } from "./feed.ts";
import type { Fleet } from "./fleet.ts";
import type { History } from "./history.ts";
import type { Instances } from "./instances.ts";
import type { Publisher } from "./publisher.ts";
import { NAME_WORK, Slices } from "./slices.ts";

/** Devices written to the database at a time. */
const CHUNK = 1000;

/** What the registrar works on. */
export interface RegistrarOptions {
  readonly fleet: Fleet;
  readonly instances: Instances;
  readonly publisher: Publisher;
  readonly departures: Departures;
  readonly feed: Feed;
  readonly history: History;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly breathe: () => Promise<void>;
}

/**
 * The one place where a device's progress changes: in the database, in memory, in DNS and in the instances'
 * assignments. Its methods that change something are called in turn, never side by side.
 */
export class Registrar {
  readonly #parts: RegistrarOptions;
  /** In effect, and not yet in the database. */
  readonly #unsaved: Set<Device> = new Set();

  constructor(parts: RegistrarOptions) {
    this.#parts = parts;
  }

  /**
   * Stores new progress with the notifications it came from, all or nothing, and only then lets it take effect.
   * @param ended bootstraps that are over with it, the latest first
   */
  async commit(
    changes: ReadonlyMap<Device, Progress>,
    marks: readonly NotificationMark[],
    ended: ReadonlyMap<Device, readonly PastBootstrap[]>,
  ): Promise<void> {
    const { storage, history, breathe } = this.#parts;
    const records = [...changes].map(([device, progress]) => this.#record(device, progress, ended.get(device)));
    await storage.devices.saveProgress(records, marks);
    const slices = new Slices(breathe);
    for (const [device, progress] of changes) {
      if (slices.spend(2 * NAME_WORK)) await slices.rest();
      this.#unsaved.delete(device);
      history.done(device);
      this.#apply(device, progress);
    }
  }

  /**
   * Changes progress in memory and DNS at once; {@link save} stores it later. For what a balancer that crashed in
   * between would decide again.
   */
  change(device: Device, progress: Progress): void {
    if (progress === device.progress) return;
    const { history } = this.#parts;
    const past = history.ended(device, device.progress, progress);
    if (past !== undefined) history.keep(device, past);
    this.#unsaved.add(device);
    this.#apply(device, progress);
  }

  /** Moves a device that is not in progress. Returns false if it stays, as it shares its name with one that is elsewhere. */
  move(device: Device, to: number): boolean {
    const { home } = device.progress;
    this.change(device, atHome(device.progress, to));
    return device.progress.home !== home;
  }

  /** Gives a device its names anew, as its secret is another. */
  rename(device: Device): void {
    const shown = this.#parts.publisher.name(device);
    if (device.progress.state === "pending" && shown !== device.progress.home) this.move(device, shown);
  }

  /** How many devices {@link save} has to store. */
  get unsaved(): number {
    return this.#unsaved.size;
  }

  /** Stores some of what was changed. What cannot be stored now will be the next time. */
  async save(): Promise<void> {
    const devices: Device[] = [];
    for (const device of this.#unsaved) {
      if (devices.length === CHUNK) break;
      devices.push(device);
    }
    await this.#parts.storage.devices.saveProgress(devices.map((device) => this.#record(device, device.progress)));
    for (const device of devices) {
      this.#unsaved.delete(device);
      this.#parts.history.done(device);
    }
  }

  /** A device leaves the fleet: nothing about it is to be stored or told any more. */
  forget(device: Device): void {
    const { publisher, departures, fleet, feed, history } = this.#parts;
    this.#unsaved.delete(device);
    history.done(device);
    departures.forget(device);
    publisher.drop(device);
    publisher.forget(device.row);
    fleet.remove(device);
    feed.revokeFromAll(device.endpoint);
  }

  /** Tells instances to forget devices that no resolver leads to them any more, or names of devices they still have. */
  async revokeDue(): Promise<void> {
    const { departures, instances, feed, breathe } = this.#parts;
    const slices = new Slices(breathe);
    for (const { device, instances: left } of departures.takeDue()) {
      if (slices.spend(NAME_WORK)) await slices.rest();
      for (const instance of left) {
        const id = instances.at(instance)?.id;
        if (instance !== device.progress.home) feed.revoke(id, device.endpoint);
        else if (this.isOf(device, instance)) feed.assign(id, device);
      }
    }
  }

  /** Whether a device is an instance's own: allocated to it, or moved away a moment ago. */
  isOf(device: Device, instance: number): boolean {
    if (device.progress.state === "completed") return false;
    return device.progress.home === instance || this.#parts.departures.has(device, instance);
  }

  /** Whether the instance may serve the device (S2): it is its own, or a name it shares leads there (N10). */
  mayServe(device: Device, instance: number): boolean {
    if (this.isOf(device, instance)) return true;
    const { departures, publisher } = this.#parts;
    if (!publisher.pointsAt(device, instance)) return false;
    // The instance has it on loan: it is taken back like one that was moved away, and may be asked for again.
    departures.add(device, instance);
    return true;
  }

  #apply(device: Device, progress: Progress): void {
    const { fleet, publisher, departures, feed } = this.#parts;
    const before = device.progress;
    if (progress.state === "completed") {
      publisher.drop(device);
      fleet.setProgress(device, progress);
      feed.revokeFromAll(device.endpoint);
      return;
    }
    const recounted = lowestLive(progress) !== lowestLive(before);
    if (recounted) publisher.recount(device, () => fleet.setProgress(device, progress));
    else fleet.setProgress(device, progress);
    const moved = progress.home !== before.home;
    if (progress.home === NOWHERE) publisher.drop(device);
    else if (progress.state === "pending") {
      const unnamed = before.state !== "pending" || before.home === NOWHERE;
      const shown = unnamed ? publisher.name(device) : publisher.point(device);
      if (shown !== progress.home) fleet.setProgress(device, { ...progress, home: shown });
    } else if (moved) publisher.point(device);
    // Resolvers may still hold a name that was withdrawn: its instance hears of it when they do not any more.
    if ((recounted || device.progress.home !== before.home) && before.home !== NOWHERE) departures.add(device, before.home);
    if (device.progress.home === before.home) return;
    feed.assign(this.#parts.instances.at(device.progress.home)?.id, device);
  }

  #record(device: Device, progress: Progress, ended: readonly PastBootstrap[] = []): ProgressChange {
    const { state, home, session, commencedAt, completedAt, attempts, failures, failure, counter, skipped } = progress;
    return {
      endpoint: device.endpoint,
      state,
      instance: this.#parts.instances.at(home)?.id ?? null,
      session,
      commencedAt,
      completedAt,
      attempts,
      failures,
      failure,
      counter,
      skipped,
      updatedAt: this.#parts.clock.now(),
      ended: [...ended, ...this.#parts.history.waiting(device)],
    };
  }
}
