import { encodeContent } from "./codec.ts";
import { isPackFormat } from "./content-format.ts";
import { UnsupportedContentFormat } from "./errors.ts";
import { BERTH_OBJECT } from "./objects.ts";
import { type Path, parsePath } from "./path.ts";
import type { WriteTemplate } from "./profile-content.ts";
import { fillInstance } from "./profile-instances.ts";
import { place, placeUnseen, type Slots } from "./profile-place.ts";
import type { CompiledProfile } from "./steps.ts";

/**
 * Says a profile in one payload, where that can be said: a Bootstrap-Pack replaces all instances of every object in it,
 * but the bootstrap account, and leaves all other objects as they are (LwM2M Core 1.2, Bootstrap-Pack).
 */
export function packer(writes: readonly WriteTemplate[], slots: Slots): CompiledProfile["pack"] {
  const canPack = sameAsPack(writes, slots.deletes.paths.map(parsePath));
  return (device, { accounts, freshKeys }, format) => {
    if (!isPackFormat(format)) throw new UnsupportedContentFormat(format);
    if (!canPack || (slots.bootstrapAccount !== undefined && !accounts?.some(isSecurityInstance))) return "cannot";
    const placement = accounts === undefined ? placeUnseen(slots) : place(slots, { entries: accounts.map((path) => ({ path })) });
    const instances = writes.flatMap((write) =>
      write.instances.map((template) => fillInstance(template, { device, freshKeys }, placement)),
    );
    return encodeContent(format, [], instances);
  };
}

function isSecurityInstance(path: Path): boolean {
  return path[0] === 0 && path.length === 2;
}

/** Whether replacing the objects that are written leaves of a client what deletes and writes would leave. */
function sameAsPack(writes: readonly WriteTemplate[], deletes: readonly Path[]): boolean {
  const written = new Set(writes.map(({ objectId }) => objectId));
  const emptied = new Set(deletes.filter((path) => path.length === 1).map(([objectId]) => objectId));
  return (
    written.size > 0 &&
    writes.every(({ level }) => level !== "resource") &&
    deletes.every(([objectId]) => objectId !== undefined && written.has(objectId)) &&
    // The Berth object has one instance only, so that writing it replaces all.
    [...written].every((objectId) => objectId === BERTH_OBJECT || emptied.has(objectId))
  );
}
