import { encodeContent } from "./codec.ts";
import { ContentFormat, isPreferredFormat, WRITE_FORMATS } from "./content-format.ts";
import type { DiscoverAnswer } from "./discover.ts";
import type { ObjectInstance } from "./node.ts";
import { formatPath, type Path } from "./path.ts";
import type { BootstrapProfile } from "./profile.ts";
import { profileContent, type WriteTemplate } from "./profile-content.ts";
import { correction, type WrittenInstance } from "./profile-correct.ts";
import { fillInstance, isStatic, shortServerIdOf } from "./profile-instances.ts";
import { packer } from "./profile-pack.ts";
import { type Placement, place, placeUnseen, type Slots } from "./profile-place.ts";
import type { Facts } from "./profile-value.ts";
import type { BootstrapPlan, BootstrapStep, BootstrapWrite, CompiledProfile } from "./steps.ts";

/** How many placements are kept worked out. There are few, but clients have a say in them. */
const KEPT_PLACEMENTS = 100;

/** What to try after the profile's format and the client's: first what every client reads. */
const FORMATS: readonly number[] = [ContentFormat.tlv, ContentFormat.senmlCbor, ContentFormat.senmlJson, ContentFormat.lwm2mCbor];

const FINISH: BootstrapStep = { kind: "finish" };

/**
 * Works out what does not depend on the device, once; writes without placeholders keep their payload for all devices
 * that have the same instance ids free. What stands in the profile as an instance is written as one: every known client takes that.
 * @param profile one that has been parsed, and if objects of XML definitions are in it, resolved
 */
export function compileProfile(profile: BootstrapProfile): CompiledProfile {
  const { writes, slots, freshKeys } = profileContent(profile);
  const fixed = profile.contentFormat === undefined ? undefined : WRITE_FORMATS[profile.contentFormat];
  const kept = new Map<string, PlacedProfile>();
  const placed = (placement: Placement): PlacedProfile => {
    let found = kept.get(placement.key);
    if (found === undefined) {
      found = placeProfile(writes, slots, placement);
      if (kept.size >= KEPT_PLACEMENTS) kept.clear();
      kept.set(placement.key, found);
    }
    return found;
  };
  return {
    discovers: profile.discover,
    freshKeys,
    formats(clientFormat) {
      const first = [fixed, clientFormat].filter((format) => format !== undefined && isPreferredFormat(format));
      return [...new Set([...first, ...FORMATS])] as readonly number[];
    },
    plan(device, { found, freshKeys }) {
      const placement = found === undefined || !profile.discover ? placeUnseen(slots) : place(slots, found);
      return new Plan(placed(placement), { device, freshKeys });
    },
    pack: packer(writes, slots),
  };
}

/** The profile with the ids of one kind of client. */
interface PlacedProfile {
  readonly deletes: readonly BootstrapStep[];
  readonly writes: readonly PlacedWrite[];
}

interface PlacedWrite {
  readonly level: WriteTemplate["level"];
  readonly instances: readonly WrittenInstance[];
  /** @throws ProfileMismatch */
  step(facts: Facts): BootstrapWrite;
}

function placeProfile(writes: readonly WriteTemplate[], slots: Slots, placement: Placement): PlacedProfile {
  return {
    deletes: slots.deletes.paths
      .filter((path) => !placement.spared.has(path))
      .map((path): BootstrapStep => ({ kind: "delete", path })),
    writes: writes.map((write) => placeWrite(write, placement)),
  };
}

function placeWrite(write: WriteTemplate, placement: Placement): PlacedWrite {
  const { level, objectId } = write;
  const instances = write.instances.map((template): WrittenInstance => {
    const shortServerId = level === "resource" ? undefined : shortServerIdOf(template);
    return { objectId, id: placement.idOf(objectId, template.id), ...(shortServerId === undefined ? {} : { shortServerId }) };
  });
  const path = [objectId, ...instances.slice(0, level === "object" ? 0 : 1).map(({ id }) => id)];
  if (level === "resource") path.push(write.resource.id);
  const text = formatPath(path);
  const formats = level === "resource" && write.format !== undefined ? [write.format] : undefined;
  const step = (facts: Facts): BootstrapWrite => {
    const filled = write.instances.map((template) => fillInstance(template, facts, placement));
    return new Write(path, text, filled, formats);
  };
  if (!write.instances.every(({ resources }) => isStatic(resources))) return { level, instances, step };
  const once = step({ device: { endpoint: "", attributes: {} } });
  return { level, instances, step: () => once };
}

class Write implements BootstrapWrite {
  readonly kind = "write";
  readonly path: string;
  readonly formats?: readonly number[];
  readonly #path: Path;
  readonly #instances: readonly ObjectInstance[];
  readonly #payloads: Map<number, Uint8Array> = new Map();

  constructor(path: Path, text: string, instances: readonly ObjectInstance[], formats: readonly number[] | undefined) {
    this.path = text;
    if (formats !== undefined) this.formats = formats;
    this.#path = path;
    this.#instances = instances;
  }

  payload(contentFormat: number): Uint8Array {
    let payload = this.#payloads.get(contentFormat);
    if (payload === undefined) {
      payload = encodeContent(contentFormat, this.#path, this.#instances);
      this.#payloads.set(contentFormat, payload);
    }
    return payload;
  }
}

class Plan implements BootstrapPlan {
  readonly steps: readonly BootstrapStep[];
  readonly #placed: PlacedProfile;

  constructor(placed: PlacedProfile, facts: Facts) {
    this.#placed = placed;
    this.steps = [...placed.deletes, ...placed.writes.map((write) => write.step(facts)), FINISH];
  }

  correct(found: DiscoverAnswer, servers: readonly ObjectInstance[]): readonly BootstrapStep[] {
    const { deletes, writes } = this.#placed;
    const written = writes.map(({ level, instances }, index) => ({ level, instances, step: this.steps[deletes.length + index] }));
    const { remove, repeat } = correction(
      writes.flatMap(({ level, instances }) => (level === "resource" ? [] : instances)),
      found,
      servers,
    );
    if (remove.length === 0 && repeat.size === 0) return [];
    const again = written.flatMap(({ instances, step }) =>
      step !== undefined && instances.some(({ objectId, id }) => repeat.has(formatPath([objectId, id]))) ? [step] : [],
    );
    return [...remove.map((path): BootstrapStep => ({ kind: "delete", path })), ...again, FINISH];
  }
}
