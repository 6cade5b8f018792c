import { isDeepStrictEqual } from "node:util";
import type { AssignmentEvent } from "../control/index.ts";
import type { Clock } from "../lib/clock.ts";
import { InvalidInput } from "../lib/errors.ts";
import type { Storage } from "../storage/index.ts";

/** The profile of a device that asks for none, and has none of its own. */
const DEFAULT_PROFILE = "default";
/** Names that an error lists. */
const LISTED = 10;

/** A bootstrap profile as it is stored and handed to instances, and what may trouble some clients. */
export interface CheckedProfile {
  readonly profile: unknown;
  readonly warnings: readonly string[];
}

/** Checks a profile, and makes it such that an instance needs nothing else to use it. Throws InvalidInput. */
export type ReadProfile = (input: unknown, what: string) => CheckedProfile;

/** What the profiles work on. */
export interface ProfilesOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly readProfile: ReadProfile;
}

/** The bootstrap profiles by name. Here they are data: what they say is the instances' business. */
export class Profiles {
  readonly #parts: ProfilesOptions;
  readonly #bodies: Map<string, unknown> = new Map();

  constructor(parts: ProfilesOptions) {
    this.#parts = parts;
  }

  async load(): Promise<void> {
    for (const { name, body } of await this.#parts.storage.profiles.all()) this.#bodies.set(name, body);
  }

  /** Stores a profile, and gives it as it is stored, and whether it is another than before. @throws InvalidInput, StorageError */
  async put(name: string, body: unknown): Promise<CheckedProfile & { readonly changed: boolean }> {
    const { storage, clock, readProfile } = this.#parts;
    const checked = readProfile(body, `profile ${name}`);
    await storage.profiles.put(name, checked.profile, clock.now());
    const changed = !isDeepStrictEqual(this.#bodies.get(name), checked.profile);
    this.#bodies.set(name, checked.profile);
    return { ...checked, changed };
  }

  /**
   * The name of the profile for a device: what it asks for; else the one called like its endpoint, as Leshan keeps
   * them; else `default`.
   * @throws InvalidInput if there is no such profile, with those that there are
   */
  choose(endpoint: string, wanted: string | undefined): string {
    const name = wanted ?? (this.#bodies.has(endpoint) ? endpoint : DEFAULT_PROFILE);
    if (this.#bodies.has(name)) return name;
    throw new InvalidInput(`profile: ${name} is not known; ${this.#list()}`);
  }

  events(): Extract<AssignmentEvent, { type: "profile" }>[] {
    return [...this.#bodies].map(([name, profile]) => ({ type: "profile", name, profile }));
  }

  #list(): string {
    const names = [...this.#bodies.keys()];
    if (names.length === 0) return "there is no profile yet";
    const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : "";
    return `there are ${names.slice(0, LISTED).join(", ")}${more}`;
  }
}
