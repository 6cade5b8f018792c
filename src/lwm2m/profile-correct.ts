import type { DiscoverAnswer } from "./discover.ts";
import { type ObjectInstance, resourceValue } from "./node.ts";
import { formatPath } from "./path.ts";
import { serverOf, showsAccount } from "./profile-place.ts";

/** An instance a bootstrap has written, where it is in the client. */
export interface WrittenInstance {
  readonly objectId: number;
  readonly id: number;
  /** Of a server account. */
  readonly shortServerId?: number;
}

/** What would make a client consistent that has answered Finish with 4.06. */
export interface Correction {
  /** Leftovers, by path. */
  readonly remove: readonly string[];
  /** Paths of instances that are missing or not what was written. */
  readonly repeat: ReadonlySet<string>;
}

interface Account {
  readonly id: number;
  readonly shortServerId: number | undefined;
}

/** Mandatory in an instance of /1: without one of them a client cannot use the server (LwM2M Core 1.1, Object 1). */
const MANDATORY: readonly number[] = [0, 1, 6, 7];

/**
 * Finds what does not fit: written instances that are missing, have another short server id or (of /1) lack a mandatory
 * resource; and server accounts nobody wrote that have only one half, or the short server id of another. An instance of
 * /0 without a short server id may be the bootstrap account and is never among what is to be removed.
 */
export function correction(
  written: readonly WrittenInstance[],
  found: DiscoverAnswer,
  servers: readonly ObjectInstance[],
): Correction {
  const present = new Map(found.entries.map((entry) => [formatPath(entry.path), serverOf(entry)]));
  const read = new Map(servers.filter(({ objectId }) => objectId === 1).map((instance) => [instance.id, instance]));
  const repeat = new Set<string>();
  for (const { objectId, id, shortServerId } of written) {
    const path = formatPath([objectId, id]);
    const answer = objectId === 1 ? read.get(id) : undefined;
    const actual = present.get(path) ?? (answer === undefined ? undefined : shortServerIdIn(answer));
    const other = shortServerId !== undefined && actual !== undefined && actual !== shortServerId;
    const lacks = answer !== undefined && MANDATORY.some((resource) => !answer.resources.has(resource));
    if (!present.has(path) || other || lacks) repeat.add(path);
  }
  const accounts = (objectId: number): Account[] =>
    found.entries.flatMap((entry) => {
      const { path } = entry;
      const [object, id] = path;
      if (object !== objectId || id === undefined || path.length !== 2) return [];
      const answer = objectId === 1 ? read.get(id) : undefined;
      return [{ id, shortServerId: serverOf(entry) ?? (answer === undefined ? undefined : shortServerIdIn(answer)) }];
    });
  const [security, server] = [accounts(0), accounts(1)];
  return {
    // Where no instance of /0 is shown to be the bootstrap account, any of them may be.
    remove: [...(showsAccount(found) ? leftovers(0, security, server, written) : []), ...leftovers(1, server, security, written)],
    repeat,
  };
}

function shortServerIdIn(instance: ObjectInstance): number | undefined {
  const value = resourceValue(instance, 0, "integer");
  return value === undefined ? undefined : Number(value);
}

/** Instances of one of /0 and /1 that nobody wrote and that stand in the way. */
function leftovers(
  objectId: number,
  own: readonly Account[],
  others: readonly Account[],
  written: readonly WrittenInstance[],
): string[] {
  // A client that does not say which server an instance is for (LwM2M 1.0) does not say that any is in the way, either.
  const unknown = others.filter(({ shortServerId }) => shortServerId === undefined).length;
  const allKnown = unknown <= (objectId === 1 ? 1 : 0);
  const ours = new Set(written.filter((instance) => instance.objectId === objectId).map(({ id }) => id));
  const halves = new Set(others.map(({ shortServerId }) => shortServerId));
  // The other half of ours may be missing now, and is written again.
  for (const { shortServerId } of written) if (shortServerId !== undefined) halves.add(shortServerId);
  const seen = new Set(written.filter((instance) => instance.objectId === objectId).map(({ shortServerId }) => shortServerId));
  return own.flatMap(({ id, shortServerId }) => {
    if (ours.has(id) || shortServerId === undefined) return [];
    const duplicate = seen.has(shortServerId);
    seen.add(shortServerId);
    return duplicate || (allKnown && !halves.has(shortServerId)) ? [formatPath([objectId, id])] : [];
  });
}
