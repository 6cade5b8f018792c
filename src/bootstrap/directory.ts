import type { Assignment, AssignmentEvent } from "../control/index.ts";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { type CompiledProfile, compileProfile, parseProfile } from "../lwm2m/index.ts";
import { type Device, deviceOf } from "./device.ts";
import { compileFleet, type FleetNaming } from "./name-check.ts";

/**
 * The devices an instance serves, their profiles and how their names are made: what the balancer's stream of
 * assignments says, and the answers to look-ups. Recipe and profiles are compiled once, when they arrive.
 *
 * When the stream breaks, all of it stays. A new stream is a new generation: what it has not named again by the time
 * it says `synced` is dropped.
 */
export class DeviceDirectory {
  readonly #log: Logger;
  readonly #devices: Map<string, Device> = new Map();
  /** Endpoint by identity, for identities that are not the endpoint itself. */
  readonly #endpoints: Map<string, string> = new Map();
  readonly #profiles: Map<string, CompiledProfile> = new Map();
  #fleet: FleetNaming | undefined;
  #generation = 0;
  /** The last generation that was named in full. */
  #synced = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** How names are made; undefined until the first stream has said so. */
  get fleet(): FleetNaming | undefined {
    return this.#fleet;
  }

  get size(): number {
    return this.#devices.size;
  }

  byEndpoint(endpoint: string): Device | undefined {
    return this.#devices.get(endpoint);
  }

  byIdentity(identity: string): Device | undefined {
    const device = this.#devices.get(this.#endpoints.get(identity) ?? identity);
    return device?.identity === identity ? device : undefined;
  }

  profile(name: string): CompiledProfile | undefined {
    return this.#profiles.get(name);
  }

  /** A new stream begins. */
  beginGeneration(): void {
    this.#generation++;
  }

  /**
   * Takes over one event of the stream. A recipe or profile that cannot be used is logged and changes nothing, so that
   * one bad profile does not keep the others from being served.
   * @param inUse whether the device has a session in progress, in which it may come back with another handshake
   */
  apply(event: AssignmentEvent, inUse: (endpoint: string) => boolean): void {
    switch (event.type) {
      case "fleet":
        this.#attempt("the balancer's recipe cannot be used", {}, () => {
          this.#fleet = compileFleet(event);
        });
        return;
      case "profile":
        this.#attempt("a profile cannot be used", { profile: event.name }, () => {
          this.#profiles.set(event.name, compileProfile(parseProfile(event.profile, `profile ${event.name}`)));
        });
        return;
      case "assign":
        for (const assignment of event.assignments) this.add(assignment);
        return;
      case "revoke":
        for (const endpoint of event.endpoints) this.drop(endpoint);
        return;
      case "synced":
        this.#synced = this.#generation;
        for (const endpoint of this.#devices.keys()) if (!inUse(endpoint)) this.dropIfStale(endpoint);
        return;
      case "ping":
        return;
    }
  }

  add(assignment: Assignment): Device {
    const device = deviceOf(assignment, this.#generation);
    const before = this.#devices.get(device.endpoint);
    if (before !== undefined && before.identity !== device.identity) this.#endpoints.delete(before.identity);
    this.#devices.set(device.endpoint, device);
    if (device.identity !== device.endpoint) this.#endpoints.set(device.identity, device.endpoint);
    return device;
  }

  drop(endpoint: string): void {
    const device = this.#devices.get(endpoint);
    if (device === undefined) return;
    this.#devices.delete(endpoint);
    if (this.#endpoints.get(device.identity) === endpoint) this.#endpoints.delete(device.identity);
  }

  /** Drops a device that the last complete stream has not named. */
  dropIfStale(endpoint: string): void {
    const device = this.#devices.get(endpoint);
    if (device !== undefined && device.generation < this.#synced) this.drop(endpoint);
  }

  #attempt(message: string, fields: Readonly<Record<string, unknown>>, change: () => void): void {
    try {
      change();
    } catch (error) {
      this.#log.error({ ...fields, error: errorText(error) }, message);
    }
  }
}
