import type { DeviceState } from "../control/index.ts";
import { InternalError } from "../lib/errors.ts";
import { type Device, NEW_PROGRESS, NOWHERE, type Progress } from "./device.ts";

/** What is known of a device before it has done anything. */
export type DeviceFacts = Pick<Device, "endpoint" | "identity" | "psk" | "secret" | "profile" | "attributes">;

/** All devices in memory, with the counts that decisions need, kept as they change. */
export class Fleet {
  readonly #rows: (Device | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #byEndpoint: Map<string, Device> = new Map();
  readonly #byIdentity: Map<string, Device> = new Map();
  readonly #counts: Record<DeviceState, number> = { pending: 0, commenced: 0, completed: 0 };
  /** Per instance index. */
  readonly #countsOf: Record<DeviceState, number>[] = [];
  readonly #commenced: Set<Device> = new Set();

  /** Devices by row; a removed one leaves a hole. */
  get rows(): readonly (Device | undefined)[] {
    return this.#rows;
  }

  /** Devices whose session is in progress. */
  get commenced(): ReadonlySet<Device> {
    return this.#commenced;
  }

  get counts(): Readonly<Record<DeviceState, number>> {
    return this.#counts;
  }

  byEndpoint(endpoint: string): Device | undefined {
    return this.#byEndpoint.get(endpoint);
  }

  byIdentity(identity: string): Device | undefined {
    return this.#byIdentity.get(identity);
  }

  /** Devices of an instance by state. */
  countsOf(instance: number): Readonly<Record<DeviceState, number>> {
    return this.#countsOf[instance] ?? { pending: 0, commenced: 0, completed: 0 };
  }

  /** All devices that are not completed. */
  *open(): Generator<Device> {
    for (const device of this.#rows) if (device !== undefined && device.progress.state !== "completed") yield device;
  }

  /** Takes a new device in. @throws InternalError if its endpoint is there already */
  add(facts: DeviceFacts, progress: Progress = NEW_PROGRESS): Device {
    if (this.#byEndpoint.has(facts.endpoint)) throw new InternalError(`${facts.endpoint} is in the fleet already`);
    const row = this.#free.pop() ?? this.#rows.length;
    const device: Device = { ...facts, row, progress, movedFrom: NOWHERE, movedAt: 0 };
    this.#rows[row] = device;
    this.#byEndpoint.set(device.endpoint, device);
    this.#byIdentity.set(device.identity, device);
    this.#count(device, 1);
    return device;
  }

  /** Gives a known device new credentials, profile and attributes. */
  update(device: Device, facts: DeviceFacts): void {
    if (this.#byIdentity.get(device.identity) === device) this.#byIdentity.delete(device.identity);
    device.identity = facts.identity;
    device.psk = facts.psk;
    device.secret = facts.secret;
    device.profile = facts.profile;
    device.attributes = facts.attributes;
    this.#byIdentity.set(device.identity, device);
  }

  remove(device: Device): void {
    this.#count(device, -1);
    this.#rows[device.row] = undefined;
    this.#free.push(device.row);
    this.#byEndpoint.delete(device.endpoint);
    if (this.#byIdentity.get(device.identity) === device) this.#byIdentity.delete(device.identity);
  }

  setProgress(device: Device, progress: Progress): void {
    this.#count(device, -1);
    device.progress = progress;
    this.#count(device, 1);
  }

  #count(device: Device, by: 1 | -1): void {
    const { state, home } = device.progress;
    this.#counts[state] += by;
    if (state === "commenced") by === 1 ? this.#commenced.add(device) : this.#commenced.delete(device);
    if (home === NOWHERE) return;
    while (this.#countsOf.length <= home) this.#countsOf.push({ pending: 0, commenced: 0, completed: 0 });
    const counts = this.#countsOf[home];
    if (counts !== undefined) counts[state] += by;
  }
}
