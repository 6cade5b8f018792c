import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import type { Device } from "./device.ts";

interface Departure {
  readonly instances: readonly number[];
  readonly until: Instant;
}

/**
 * Devices that were moved a moment ago: resolvers may still lead them to the instances they had, which go on serving
 * them until no resolver can.
 */
export class Departures {
  readonly #time: Clock;
  readonly #linger: Milliseconds;
  /** In the order in which they end, as all last equally long. */
  readonly #open: Map<Device, Departure> = new Map();

  /**
   * @param time never goes back
   * @param linger how long resolvers may lead to an instance a name has left, ms
   */
  constructor(time: Clock, linger: Milliseconds) {
    this.#time = time;
    this.#linger = linger;
  }

  /** The device may be led to the instance for a while yet. */
  add(device: Device, instance: number): void {
    const before = this.#open.get(device)?.instances ?? [];
    this.#open.delete(device);
    const instances = before.includes(instance) ? before : [...before, instance];
    this.#open.set(device, { instances, until: this.#time.now() + this.#linger });
  }

  /** Whether the device was moved away from the instance a moment ago. */
  has(device: Device, instance: number): boolean {
    const { instances = [], until = 0 } = this.#open.get(device) ?? {};
    return instances.includes(instance) && this.#time.now() < until;
  }

  forget(device: Device): void {
    this.#open.delete(device);
  }

  get due(): boolean {
    const first = this.#open.values().next().value;
    return first !== undefined && first.until <= this.#time.now();
  }

  /** Takes out those that are over, one by one. */
  *takeDue(): Generator<{ readonly device: Device; readonly instances: readonly number[] }> {
    for (const [device, { instances, until }] of this.#open) {
      if (until > this.#time.now()) return;
      this.#open.delete(device);
      yield { device, instances };
    }
  }
}
