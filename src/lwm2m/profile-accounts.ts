import { InvalidInput } from "../lib/errors.ts";
import { BERTH_OBJECT, BERTH_RESOURCES } from "./objects.ts";
import type { BootstrapAccount, BootstrapProfile, OscoreSettings, ResourceSettings, ServerAccount } from "./profile.ts";
import { type InstancePlace, type InstanceTemplate, placeText, type TemplateMaker } from "./profile-instances.ts";
import { FIRST_INSTANCE, type OscoreSlot, type ServerSlot } from "./profile-place.ts";
import { freshKeyWanted, keyMaterial, type MakeTemplate, oscoreResources, securityModeOf } from "./profile-security.ts";
import { textTemplate } from "./profile-value.ts";
import type { FreshKeyWanted } from "./steps.ts";

/** What one entry of `servers`, or `bootstrapServer`, comes to. */
export interface ContentPart {
  readonly instances: readonly InstanceTemplate[];
  readonly account?: ServerSlot;
  readonly oscore?: OscoreSlot | undefined;
  readonly freshKey?: FreshKeyWanted | undefined;
}

/** Ids for what the profile gives none; a client that says what it has may get others. */
export class FreeIds {
  readonly #taken: Set<string> = new Set();

  constructor({ servers, bootstrapServer, objects }: BootstrapProfile) {
    for (const { instance } of [...servers, ...(bootstrapServer === undefined ? [] : [bootstrapServer])]) {
      if (instance !== undefined) this.#taken.add(`0/${instance}`).add(`1/${instance}`);
    }
    for (const [path, setting] of Object.entries(objects)) {
      const [, objectId, id] = path.split("/");
      for (const one of id === undefined ? Object.keys(setting) : [id]) this.#taken.add(`${objectId}/${one}`);
    }
  }

  /** The next id that is free in all of the objects. */
  next(...objectIds: readonly number[]): number {
    let id = FIRST_INSTANCE;
    while (objectIds.some((objectId) => this.#taken.has(`${objectId}/${id}`))) id += 1;
    for (const objectId of objectIds) this.#taken.add(`${objectId}/${id}`);
    return id;
  }
}

/** The instances of a server account: /0, perhaps /21, /1. */
export function serverPart(maker: TemplateMaker, ids: FreeIds, server: ServerAccount, origin: string): ContentPart {
  const { security, shortServerId } = server;
  const id = server.instance ?? ids.next(0, 1);
  const fixed = server.instance !== undefined;
  const oscore = oscorePart(maker, ids, security.oscore, origin);
  const keys = keyMaterial(security, shortServerId);
  const access = { 0: server.uri, 1: false, 2: securityModeOf(security), 10: shortServerId, ...oscore?.link };
  const behaviour = { 0: shortServerId, 1: server.lifetime, 6: server.notificationStoring, 7: server.binding };
  const where = `${placeText(0, id, fixed)}/3`;
  return {
    instances: [
      withFurther(maker, { objectId: 0, id, fixed, origin }, access, server.securityResources, keys),
      ...(oscore === undefined ? [] : [oscore.instance]),
      withFurther(maker, { objectId: 1, id, fixed, origin }, behaviour, server.serverResources),
    ],
    account: { id, fixed, shortServerId },
    oscore: oscore === undefined ? undefined : { id: oscore.instance.id, fixed: false, shortServerId },
    freshKey: maker.attempt(origin, where, () => freshKeyWanted(security, shortServerId, `${origin}: ${where}`)),
  };
}

/** The bootstrap account that takes the place of the client's own, and what belongs to it. */
export function accountPart(maker: TemplateMaker, ids: FreeIds, account: BootstrapAccount): ContentPart {
  const origin = "bootstrapServer";
  const { security, recipe, nameSecret } = account;
  const id = account.instance ?? ids.next(0);
  const fixed = account.instance !== undefined;
  const oscore = oscorePart(maker, ids, security.oscore, origin);
  const own = { 1: true, 2: securityModeOf(security), ...oscore?.link };
  const made = [[0, staticUri(account)], ...keyMaterial(security, 0)] as const;
  if (recipe === undefined && nameSecret !== undefined)
    maker.problems.push(`${origin}.nameSecret: belongs to a recipe, and there is none`);
  return {
    instances: [
      ...(oscore === undefined ? [] : [oscore.instance]),
      ...(recipe === undefined ? [] : [berthInstance(maker, recipe, nameSecret, id)]),
      withFurther(maker, { objectId: 0, id, fixed, origin }, own, account.securityResources, made),
    ],
    oscore: oscore === undefined ? undefined : { id: oscore.instance.id, fixed: false },
  };
}

function withFurther(
  maker: TemplateMaker,
  place: InstancePlace,
  own: ResourceSettings,
  further: ResourceSettings,
  made: readonly (readonly [number, MakeTemplate])[] = [],
): InstanceTemplate {
  const { objectId, id, fixed, origin } = place;
  for (const resourceId of Object.keys(further)) {
    if (resourceId in own || made.some(([madeId]) => madeId === Number(resourceId)))
      maker.problems.push(`${origin}: ${placeText(objectId, id, fixed)}/${resourceId} is set twice`);
  }
  return maker.instance(place, { ...own, ...further }, made);
}

function oscorePart(
  maker: TemplateMaker,
  ids: FreeIds,
  oscore: OscoreSettings | undefined,
  origin: string,
): { readonly instance: InstanceTemplate; readonly link: ResourceSettings } | undefined {
  if (oscore === undefined) return undefined;
  const id = ids.next(21);
  const instance = maker.instance({ objectId: 21, id, fixed: false, origin }, oscoreResources(oscore));
  return { instance, link: { 17: `21:${id}` } };
}

/** The Berth object: how the device makes its temporary names, and for which account. */
function berthInstance(maker: TemplateMaker, recipe: unknown, nameSecret: string | undefined, account: number): InstanceTemplate {
  const settings = {
    [BERTH_RESOURCES.securityInstance]: `0:${account}`,
    ...(nameSecret === undefined ? {} : { [BERTH_RESOURCES.nameSecret]: nameSecret }),
  };
  // The braces of a recipe are its own.
  const text: MakeTemplate = () => ({ type: "string", known: { type: "string", value: JSON.stringify(recipe) } });
  const place = { objectId: BERTH_OBJECT, id: 0, fixed: true, origin: "bootstrapServer" };
  return maker.instance(place, settings, [[BERTH_RESOURCES.recipe, text]]);
}

/** What the device fills in each time it makes a temporary URI. */
const LEFT_TO_THE_DEVICE: ReadonlySet<string> = new Set(["token", "endpoint", "time", "counter", "random"]);
const MAX_URI = 255;

/** The URI of the account. In a static URI all placeholders but the attributes are the device's own. */
function staticUri({ uri, recipe }: BootstrapAccount): MakeTemplate {
  const isStatic = recipe !== undefined || /\{(token|time|counter|random)\}/.test(uri);
  return (where) =>
    textTemplate(
      uri,
      "string",
      (value) => {
        if (value.length > MAX_URI) throw new InvalidInput(`has ${value.length} characters; ${MAX_URI} are allowed`);
        return { type: "string", value };
      },
      where,
      isStatic ? LEFT_TO_THE_DEVICE : undefined,
    );
}
