import { InvalidInput } from "../../lib/errors.ts";
import type { DeviceFacts } from "./facts.ts";

/** Where the devices it matches are to be served: the first rule that matches a device counts. */
export interface SitingRule {
  /** Endpoint client names, with `*` for any text and `?` for one character. */
  readonly endpoint?: string | undefined;
  readonly group?: string | undefined;
  /** All of these, with these values. */
  readonly attributes?: Readonly<Record<string, string>> | undefined;
  /** Instances of this pool. */
  readonly pool?: string | undefined;
  /** These instances. */
  readonly instances?: readonly string[] | undefined;
  /** If none of them serves the devices have no name, instead of being served by any other. */
  readonly strict?: boolean | undefined;
}

/** The attributes of devices that say where they are to be served; absent ones say nothing. */
export interface SitingColumns {
  /** Id of an instance: a static pin. */
  readonly pin?: string | undefined;
  readonly pool?: string | undefined;
  readonly region?: string | undefined;
  /** Degrees; both or neither. */
  readonly latitude?: string | undefined;
  readonly longitude?: string | undefined;
}

/** What decides which instances may serve a device. */
export interface SitingOptions {
  readonly rules: readonly SitingRule[];
  readonly columns: SitingColumns;
}

/** What a device's facts say of where it is to be served. Devices of which they say the same share one object. */
export interface Siting {
  readonly pin?: string;
  readonly pools?: readonly string[];
  readonly instances?: readonly string[];
  readonly strict: boolean;
  readonly region?: string;
  /** Latitude and longitude in whole degrees, some 100 km: enough to tell which instance is nearest. */
  readonly location?: readonly [number, number];
}

/** Of a device that any instance may serve. */
export const ANYWHERE: Siting = { strict: false };

/** Reads devices' facts; pure. */
export class Siter {
  readonly #rules: readonly { readonly matches: (facts: DeviceFacts) => boolean; readonly rule: SitingRule }[];
  readonly #columns: SitingColumns;
  readonly #known: Map<string, Siting> = new Map();

  constructor({ rules, columns }: SitingOptions) {
    this.#rules = rules.map((rule) => ({ matches: matcherOf(rule), rule }));
    this.#columns = columns;
  }

  /** @throws InvalidInput for coordinates that are none */
  siting(facts: DeviceFacts): Siting {
    const { pin, pool, region } = this.#columns;
    const of = (column: string | undefined): string | undefined =>
      column === undefined ? undefined : facts.attributes[column] || undefined;
    const rule = this.#rules.find(({ matches }) => matches(facts))?.rule;
    const location = this.#location(facts);
    const pinned = of(pin);
    const ownPool = of(pool);
    const ownRegion = of(region);
    const pools = ownPool ?? rule?.pool;
    const siting: Siting = {
      ...(pinned === undefined ? {} : { pin: pinned }),
      ...(pools === undefined ? {} : { pools: [pools] }),
      ...(ownPool !== undefined || rule?.instances === undefined ? {} : { instances: rule.instances }),
      strict: rule?.strict === true,
      ...(ownRegion === undefined ? {} : { region: ownRegion }),
      ...(location === undefined ? {} : { location }),
    };
    const key = JSON.stringify(siting);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#known.set(key, siting);
    return siting;
  }

  #location({ attributes }: DeviceFacts): readonly [number, number] | undefined {
    const { latitude, longitude } = this.#columns;
    const degrees = (column: string | undefined, most: number): number | undefined => {
      const text = column === undefined ? undefined : attributes[column]?.trim();
      if (column === undefined || text === undefined || text === "") return undefined;
      const value = Number(text);
      if (Math.abs(value) <= most) return Math.round(value);
      throw new InvalidInput(`${column}: "${text}" is no number of degrees from -${most} to ${most}`);
    };
    const [north, east] = [degrees(latitude, 90), degrees(longitude, 180)];
    if ((north === undefined) !== (east === undefined)) {
      throw new InvalidInput(`${latitude} and ${longitude}: give both, or neither`);
    }
    return north === undefined || east === undefined ? undefined : [north, east];
  }
}

function matcherOf({ endpoint, group, attributes = {} }: SitingRule): (facts: DeviceFacts) => boolean {
  const pattern = endpoint === undefined ? undefined : globOf(endpoint);
  const wanted = Object.entries(attributes);
  return (facts) =>
    (pattern === undefined || pattern.test(facts.endpoint)) &&
    (group === undefined || facts.group === group) &&
    wanted.every(([name, value]) => facts.attributes[name] === value);
}

function globOf(pattern: string): RegExp {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s");
}
