import type { DeviceState, SecurityMode } from "../control/index.ts";
import type { Clock, Instant } from "../lib/clock.ts";
import { InternalError } from "../lib/errors.ts";
import type { Siting } from "./allocation/siting.ts";
import { type Device, type DeviceKind, NEW_PROGRESS, NOWHERE, type Progress } from "./device.ts";

/** What is known of a device before it has done anything. */
export type DeviceFacts = Pick<Device, "endpoint" | "identity" | "psk" | "secret" | "attributes"> & DeviceKind;

/** Modes whose handshake proves an identity; in the others a device is known by its endpoint name. */
const HAS_IDENTITY: ReadonlySet<SecurityMode> = new Set<SecurityMode>(["psk", "rpk"]);

type Counts = Record<DeviceState, number>;

/** All devices in memory, with the counts that decisions need, kept as they change. */
export class Fleet {
  readonly #time: Clock;
  readonly #rows: (Device | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #byEndpoint: Map<string, Device> = new Map();
  /** Only those whose identity is not their endpoint, which are few. */
  readonly #byIdentity: Map<string, Device> = new Map();
  readonly #kinds: Map<Siting, Map<string, DeviceKind>> = new Map();
  readonly #counts: Counts = { pending: 0, commenced: 0, completed: 0 };
  /** Per instance index. */
  readonly #countsOf: Counts[] = [];
  readonly #commenced: Map<Device, Instant> = new Map();

  /** @param time never goes back */
  constructor(time: Clock) {
    this.#time = time;
  }

  /** Devices by row; a removed one leaves a hole, which another may fill. */
  get rows(): readonly (Device | undefined)[] {
    return this.#rows;
  }

  /** Devices in progress, each with the time at which it was learned that its session began; the oldest first. */
  get commenced(): ReadonlyMap<Device, Instant> {
    return this.#commenced;
  }

  get counts(): Readonly<Counts> {
    return this.#counts;
  }

  /** How many have names: they are not completed, and have an instance. */
  get named(): number {
    return this.#countsOf.reduce((sum, { pending, commenced }) => sum + pending + commenced, 0);
  }

  byEndpoint(endpoint: string): Device | undefined {
    return this.#byEndpoint.get(endpoint);
  }

  /** The device that proves this identity: by a PSK, or by a raw public key of which it is the fingerprint. */
  byIdentity(identity: string): Device | undefined {
    const device = this.#byIdentity.get(identity) ?? this.#byEndpoint.get(identity);
    return device?.identity === identity && HAS_IDENTITY.has(device.kind.mode) ? device : undefined;
  }

  /** Devices of an instance by state. */
  countsOf(instance: number): Readonly<Counts> {
    return this.#countsOf[instance] ?? { pending: 0, commenced: 0, completed: 0 };
  }

  /** Whether a device that was found a while ago is still there. */
  has(device: Device): boolean {
    return this.#rows[device.row] === device;
  }

  /** Takes a new device in. @throws InternalError if its endpoint is there already */
  add(facts: DeviceFacts, progress: Progress = NEW_PROGRESS): Device {
    if (this.#byEndpoint.has(facts.endpoint)) throw new InternalError(`${facts.endpoint} is in the fleet already`);
    const row = this.#free.pop() ?? this.#rows.length;
    const { endpoint, identity, psk, secret, attributes } = facts;
    const kind = this.#kindOf(facts);
    // Written out, as a million objects made by spreading take twice the memory.
    const device: Device = { endpoint, identity, psk, secret, kind, attributes, row, progress };
    this.#rows[row] = device;
    this.#byEndpoint.set(device.endpoint, device);
    if (device.identity !== device.endpoint) this.#byIdentity.set(device.identity, device);
    if (progress.state === "commenced") this.#commenced.set(device, this.#time.now());
    this.#count(progress, 1);
    return device;
  }

  /** Gives a known device a new mode, new keys, profile and attributes. */
  update(device: Device, { identity, psk, secret, attributes, ...kind }: DeviceFacts): void {
    this.#forgetIdentity(device);
    Object.assign(device, { identity, psk, secret, attributes, kind: this.#kindOf(kind) });
    if (identity !== device.endpoint) this.#byIdentity.set(identity, device);
  }

  remove(device: Device): void {
    this.#count(device.progress, -1);
    this.#commenced.delete(device);
    this.#rows[device.row] = undefined;
    this.#free.push(device.row);
    this.#byEndpoint.delete(device.endpoint);
    this.#forgetIdentity(device);
  }

  setProgress(device: Device, progress: Progress): void {
    const before = device.progress;
    this.#count(before, -1);
    device.progress = progress;
    this.#count(progress, 1);
    if (progress.state === "commenced" && before.state === "commenced" && progress.session === before.session) return;
    this.#commenced.delete(device);
    if (progress.state === "commenced") this.#commenced.set(device, this.#time.now());
  }

  #kindOf({ mode, profile, group, siting }: DeviceKind): DeviceKind {
    // No group is empty, and neither holds a line feed.
    const key = `${mode} ${profile}\n${group ?? ""}`;
    const kinds = this.#kinds.get(siting) ?? new Map<string, DeviceKind>();
    const kind = kinds.get(key) ?? { mode, profile, group, siting };
    kinds.set(key, kind);
    this.#kinds.set(siting, kinds);
    return kind;
  }

  #forgetIdentity(device: Device): void {
    if (this.#byIdentity.get(device.identity) === device) this.#byIdentity.delete(device.identity);
  }

  #count({ state, home }: Progress, by: 1 | -1): void {
    this.#counts[state] += by;
    if (home === NOWHERE) return;
    while (this.#countsOf.length <= home) this.#countsOf.push({ pending: 0, commenced: 0, completed: 0 });
    const counts = this.#countsOf[home];
    if (counts !== undefined) counts[state] += by;
  }
}
