import type { DiscoverAnswer, DiscoverEntry } from "./discover.ts";
import { ProfileMismatch } from "./errors.ts";
import { MAX_ID, type Path, parsePath } from "./path.ts";

/** Where what a profile writes goes in one client. */
export interface Placement {
  /** The same for placements that put everything in the same place. */
  readonly key: string;
  /** The id an instance has in the client. */
  idOf(objectId: number, id: number): number;
  /** Deletes left out, as they would hit the bootstrap account. */
  readonly spared: ReadonlySet<string>;
}

/** What of a profile has a place to be found. The ids are those of its templates. */
export interface Slots {
  /** Instances of /0 and /1 with the same id. */
  readonly accounts: readonly ServerSlot[];
  /** Instances of /0, /1 and /21 that stand for themselves. */
  readonly security: readonly number[];
  readonly servers: readonly number[];
  readonly oscore: readonly OscoreSlot[];
  /** What replaces the client's bootstrap account, with an id if the profile says where that is. */
  readonly bootstrapAccount?: { readonly id: number; readonly fixed: boolean };
  readonly deletes: Deletes;
}

export interface ServerSlot {
  readonly id: number;
  readonly fixed: boolean;
  readonly shortServerId: number;
}

export interface OscoreSlot {
  readonly id: number;
  readonly fixed: boolean;
  readonly shortServerId?: number | undefined;
}

/**
 * Ids of what is free to be anywhere start here where the client's bootstrap account is not known: Wakaama keeps it at
 * /0/0, Anjay's demo at /0/1.
 */
export const FIRST_INSTANCE = 10;

/** The objects whose instances may be moved. */
const SECURITY = 0;
const SERVER = 1;
const OSCORE = 21;

/** What the deletes of a profile leave of a client. */
export class Deletes {
  readonly paths: readonly string[];
  readonly #parsed: readonly Path[];
  /** Those of one instance. */
  readonly #instances: readonly { readonly text: string; readonly objectId: number; readonly id: number }[];

  constructor(paths: readonly string[]) {
    this.paths = paths;
    this.#parsed = paths.map(parsePath);
    this.#instances = paths.flatMap((text) => {
      const [objectId, id] = parsePath(text);
      return objectId === undefined || id === undefined ? [] : [{ text, objectId, id }];
    });
  }

  /** Whether an instance goes with the object, with everything, or by itself. */
  hits(objectId: number, id: number): boolean {
    for (const [object, instance] of this.#parsed) {
      if (object === undefined || (object === objectId && (instance === undefined || instance === id))) return true;
    }
    return false;
  }

  /** Deletes of one instance that must not be sent. */
  of(isGuarded: (objectId: number, id: number) => boolean): ReadonlySet<string> {
    return new Set(this.#instances.filter(({ objectId, id }) => isGuarded(objectId, id)).map(({ text }) => text));
  }
}

/** Everything where the profile has it: the client has not said what it has. */
export function placeUnseen({ bootstrapAccount, deletes }: Slots): Placement {
  if (bootstrapAccount === undefined) return AS_WRITTEN;
  if (!bootstrapAccount.fixed) throw accountNotFound("does not say what it has (Bootstrap-Discover)");
  return placement(
    new Map(),
    deletes.of((objectId, id) => objectId === SECURITY && id === bootstrapAccount.id),
  );
}

const AS_WRITTEN: Placement = { key: "", idOf: (_objectId, id) => id, spared: new Set() };

function accountNotFound(why: string): ProfileMismatch {
  return new ProfileMismatch(
    `bootstrapServer: this client ${why}, so where its bootstrap account is cannot be known; set bootstrapServer.instance if you know`,
  );
}

/** One object of the client: which ids are in use, and which must not be touched. */
class ClientObject {
  /** Instances without a short server id; in /0 and /21 the bootstrap account is one of them. */
  readonly guarded: number[] = [];
  /** Instances that survive the deletes, and later those that are written. */
  readonly taken: Set<number> = new Set();
  readonly #survivors: Map<number, number> = new Map();

  found(id: number, shortServerId: number | undefined, deleted: boolean): void {
    if (shortServerId === undefined) this.guarded.push(id);
    if (deleted) return;
    this.taken.add(id);
    if (shortServerId !== undefined && !this.#survivors.has(shortServerId)) this.#survivors.set(shortServerId, id);
  }

  /** The surviving instance of a server that nobody has written over yet. */
  survivor(shortServerId: number): number | undefined {
    return this.#survivors.get(shortServerId);
  }

  /** Somebody writes this instance, so that nobody else may write over it. */
  take(id: number): void {
    this.taken.add(id);
    for (const [shortServerId, survivor] of this.#survivors) if (survivor === id) this.#survivors.delete(shortServerId);
  }
}

/** The lowest id from `start` on that is free in all of the objects. */
function lowestFree(start: number, ...objects: readonly ClientObject[]): number {
  let id = start;
  while (objects.some(({ taken }) => taken.has(id))) id += 1;
  if (id >= MAX_ID) throw new ProfileMismatch("the client has no instance id left");
  return id;
}

/** The server an instance of /0, /1 or /21 is for; none for those of the bootstrap account, as far as the client says. */
export function serverOf({ ssid }: DiscoverEntry): number | undefined {
  // 0 and 65535 are reserved, so they are no server either.
  return ssid === 0 || ssid === MAX_ID ? undefined : ssid;
}

/** Whether the client shows an instance of /0 that is for no server: one of those is its bootstrap account. */
export function showsAccount({ entries }: DiscoverAnswer): boolean {
  return entries.some((entry) => entry.path[0] === SECURITY && entry.path.length === 2 && serverOf(entry) === undefined);
}

/** What a client has that bears on where things go, and what has been given a place. */
class ClientObjects {
  readonly security: ClientObject = new ClientObject();
  readonly server: ClientObject = new ClientObject();
  readonly oscore: ClientObject = new ClientObject();
  readonly showsAccount: boolean;
  /** Where free ids start. */
  readonly lowest: number;
  readonly moved: Map<number, number> = new Map();

  constructor(found: DiscoverAnswer, deletes: Deletes) {
    this.showsAccount = showsAccount(found);
    this.lowest = this.showsAccount ? 0 : FIRST_INSTANCE;
    for (const entry of found.entries) {
      const [objectId, id] = entry.path;
      const object = this.#object(objectId);
      if (object === undefined || objectId === undefined || id === undefined || entry.path.length !== 2) continue;
      const shortServerId = this.showsAccount || object === this.server ? serverOf(entry) : undefined;
      const guarded = shortServerId === undefined && object !== this.server;
      object.found(id, shortServerId, !guarded && deletes.hits(objectId, id));
    }
  }

  /** Gives an instance its place. */
  put(objectId: number, id: number, to: number): void {
    this.#object(objectId)?.take(to);
    if (id !== to) this.moved.set(slot(objectId, id), to);
  }

  isGuarded(objectId: number, id: number): boolean {
    return this.#object(objectId)?.guarded.includes(id) === true;
  }

  #object(objectId: number | undefined): ClientObject | undefined {
    if (objectId === SECURITY) return this.security;
    if (objectId === SERVER) return this.server;
    return objectId === OSCORE ? this.oscore : undefined;
  }
}

/**
 * Finds a place for everything in a client that has said what it has. The bootstrap account is an instance of /0 without
 * short server id, and with it may go an instance of /21 without one; nothing but a bootstrap account is ever written there.
 * An account for a server the client has already takes its place; others get the lowest id that is free in /0 and in /1.
 * A client that shows no such instance keeps all it shows in /0 and /21, and the lowest id is {@link FIRST_INSTANCE}.
 * @throws ProfileMismatch when the bootstrap account is to be replaced and it is not clear which it is
 */
export function place(slots: Slots, found: DiscoverAnswer): Placement {
  const client = new ClientObjects(found, slots.deletes);
  const { bootstrapAccount } = slots;
  if (bootstrapAccount !== undefined) {
    const id = accountId(bootstrapAccount, client.showsAccount ? client.security.guarded : []);
    client.put(SECURITY, bootstrapAccount.id, id);
    client.security.guarded.push(id);
  }
  const displaced = placeFixed(slots, client);
  placeServers(
    slots.accounts.filter(({ fixed }) => !fixed),
    client,
  );
  for (const { id, objectIds } of displaced) {
    const to = lowestFree(id, ...objectIds.map((objectId) => (objectId === SECURITY ? client.security : client.server)));
    for (const objectId of objectIds) client.put(objectId, id, to);
  }
  placeOscore(slots.oscore, client);
  return placement(
    client.moved,
    slots.deletes.of((objectId, id) => client.isGuarded(objectId, id)),
  );
}

/** Takes the places the profile says; those that would hit the bootstrap account are returned, to go elsewhere. */
function placeFixed(slots: Slots, client: ClientObjects): { readonly id: number; readonly objectIds: readonly number[] }[] {
  const wanted = [
    ...slots.accounts.filter(({ fixed }) => fixed).map(({ id }) => ({ id, objectIds: [SECURITY, SERVER] })),
    ...slots.security.map((id) => ({ id, objectIds: [SECURITY] })),
  ];
  const displaced = wanted.filter(({ id }) => client.isGuarded(SECURITY, id));
  for (const each of wanted) {
    if (!displaced.includes(each)) for (const objectId of each.objectIds) client.put(objectId, each.id, each.id);
  }
  for (const id of slots.servers) client.put(SERVER, id, id);
  for (const { id, fixed } of slots.oscore) if (fixed && !client.isGuarded(OSCORE, id)) client.put(OSCORE, id, id);
  return displaced;
}

/** First the servers the client has an account for, then those that need a place. */
function placeServers(servers: readonly ServerSlot[], client: ClientObjects): void {
  const { security, server, lowest } = client;
  const known = servers.map(({ id, shortServerId }) => {
    const at = { security: security.survivor(shortServerId), server: server.survivor(shortServerId) };
    if (at.security !== undefined) client.put(SECURITY, id, at.security);
    if (at.server !== undefined) client.put(SERVER, id, at.server);
    return at;
  });
  servers.forEach(({ id }, index) => {
    const at = known[index];
    if (at?.security === undefined && at?.server === undefined) {
      const to = lowestFree(lowest, security, server);
      client.put(SECURITY, id, to);
      client.put(SERVER, id, to);
    } else if (at.security === undefined) {
      // The same id as in /1, if it can be.
      const same = at.server !== undefined && at.server >= lowest && !security.taken.has(at.server) ? at.server : undefined;
      client.put(SECURITY, id, same ?? lowestFree(lowest, security));
    } else if (at.server === undefined) {
      client.put(SERVER, id, server.taken.has(at.security) ? lowestFree(lowest, server) : at.security);
    }
  });
}

function placeOscore(contexts: readonly OscoreSlot[], client: ClientObjects): void {
  const { oscore, lowest } = client;
  for (const { id, fixed, shortServerId } of contexts) {
    if (fixed && !client.isGuarded(OSCORE, id)) continue;
    const own = shortServerId === undefined ? undefined : oscore.survivor(shortServerId);
    client.put(OSCORE, id, own ?? lowestFree(fixed ? id : lowest, oscore));
  }
}

function accountId(wanted: { readonly id: number; readonly fixed: boolean }, candidates: readonly number[]): number {
  const [only, ...others] = candidates;
  if (only !== undefined && others.length === 0) return only;
  if (wanted.fixed && (only === undefined || candidates.includes(wanted.id))) return wanted.id;
  throw accountNotFound(
    only === undefined ? "shows no bootstrap account" : `shows ${candidates.length} instances of /0 without a short server id`,
  );
}

function slot(objectId: number, id: number): number {
  return objectId * (MAX_ID + 1) + id;
}

function placement(moved: ReadonlyMap<number, number>, spared: ReadonlySet<string>): Placement {
  if (moved.size === 0 && spared.size === 0) return AS_WRITTEN;
  let key = "";
  for (const [from, to] of moved) key += `${from}:${to},`;
  for (const path of spared) key += path;
  return { key, idOf: (objectId, id) => moved.get(slot(objectId, id)) ?? id, spared };
}
