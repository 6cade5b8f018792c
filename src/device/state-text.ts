import { createHash } from "node:crypto";
import { z } from "zod";
import { errorText, InvalidInput } from "../lib/errors.ts";
import { parseWith } from "../lib/schema.ts";
import {
  formatPath,
  multiple,
  type ObjectInstance,
  objectInstance,
  parsePath,
  type Resource,
  type ResourceValue,
  single,
  toInteger,
} from "../lwm2m/index.ts";
import type { DeviceState } from "./state.ts";
import { ObjectTree } from "./tree.ts";

/** How a value is written: its type, and what says it in JSON. Numbers JSON cannot hold exactly are text. */
type ValueText =
  | { readonly string: string }
  | { readonly boolean: boolean }
  | { readonly integer: string }
  | { readonly unsigned: string }
  | { readonly time: string }
  | { readonly float: string }
  | { readonly opaque: string }
  | { readonly objlnk: string };

type ResourceText = ValueText | { readonly instances: Readonly<Record<string, ValueText>> };

interface StateText {
  readonly version: 1;
  /** ISO 8601. */
  readonly accountExpires?: string;
  /** By path of the instance, then by resource id. */
  readonly objects: Readonly<Record<string, Readonly<Record<string, ResourceText>>>>;
}

const id = z.string().regex(/^(0|[1-9]\d{0,4})$/, "is no id");
const whole = z.string().regex(/^-?\d{1,20}$/, "is no whole number");
const ValueSchema: z.ZodType<ValueText> = z.union([
  z.strictObject({ string: z.string() }),
  z.strictObject({ boolean: z.boolean() }),
  z.strictObject({ integer: whole }),
  z.strictObject({ unsigned: whole }),
  z.strictObject({ time: whole }),
  z.strictObject({ float: z.string().regex(/^(-?\d+(\.\d+)?(e[+-]\d+)?|NaN|-?Infinity)$/, "is no number") }),
  z.strictObject({ opaque: z.base64() }),
  z.strictObject({ objlnk: z.string().regex(/^\d{1,5}:\d{1,5}$/, "is no object link") }),
]);
const StateSchema: z.ZodType<StateText> = z.strictObject({
  version: z.literal(1),
  accountExpires: z.iso.datetime().exactOptional(),
  objects: z.record(
    z.string().regex(/^\/\d{1,5}\/\d{1,5}$/, "is no path of an instance"),
    z.record(id, z.union([ValueSchema, z.strictObject({ instances: z.record(id, ValueSchema) })])),
  ),
});

/** The device's state as JSON, with a digest on a last line of its own: a key with one wrong bit would be one forever. */
export function stateText({ tree, accountExpires }: DeviceState): string {
  const objects: Record<string, Record<string, ResourceText>> = {};
  for (const { objectId, id: instanceId, resources } of tree.instances()) {
    const written = [...resources.values()].map((resource) => [resource.id, resourceText(resource)]);
    objects[formatPath([objectId, instanceId])] = Object.fromEntries(written) as Record<string, ResourceText>;
  }
  const state: StateText = {
    version: 1,
    ...(accountExpires === undefined ? {} : { accountExpires: new Date(accountExpires).toISOString() }),
    objects,
  };
  const text = `${JSON.stringify(state, undefined, 1)}\n`;
  return `${text}sha-256 ${digest(text)}\n`;
}

/**
 * Reads what {@link stateText} wrote.
 * @param what the file's path, for errors
 * @throws InvalidInput for any other text; it does not repeat values, which may be keys
 */
export function parseState(text: string, what: string): DeviceState {
  const [, body = "", expected] = /^(.*\n)sha-256 ([0-9a-f]{64})\n$/s.exec(text) ?? [];
  if (expected === undefined) throw new InvalidInput(`${what}: is no state file of a device, or its end is missing`);
  if (digest(body) !== expected) throw new InvalidInput(`${what}: is damaged: it does not have the digest it was saved with`);
  let input: unknown;
  try {
    input = JSON.parse(body);
  } catch (error) {
    throw new InvalidInput(`${what}: ${errorText(error)}`);
  }
  const { accountExpires, objects } = parseWith(StateSchema, input, what, ["objects"]);
  const tree = new ObjectTree(Object.entries(objects).map(([path, resources]) => toInstance(path, resources)));
  return { tree, ...(accountExpires === undefined ? {} : { accountExpires: Date.parse(accountExpires) }) };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function resourceText(resource: Resource): ResourceText {
  if (resource.kind === "single") return valueText(resource.value);
  return { instances: Object.fromEntries([...resource.instances].map(([key, value]) => [key, valueText(value)])) };
}

function valueText(given: ResourceValue): ValueText {
  switch (given.type) {
    case "string":
      return { string: given.value };
    case "boolean":
      return { boolean: given.value };
    case "opaque":
      return { opaque: Buffer.from(given.value).toString("base64") };
    case "objlnk":
      return { objlnk: `${given.value.objectId}:${given.value.instanceId}` };
    case "float":
      return { float: Object.is(given.value, -0) ? "-0" : String(given.value) };
    default:
      return { [given.type]: String(given.value) } as ValueText;
  }
}

function toInstance(path: string, resources: Readonly<Record<string, ResourceText>>): ObjectInstance {
  const [objectId = 0, instanceId = 0] = parsePath(path);
  return objectInstance(
    objectId,
    instanceId,
    Object.entries(resources).map(([key, text]) => {
      if (!("instances" in text)) return single(Number(key), toValue(text));
      return multiple(
        Number(key),
        Object.entries(text.instances).map(([at, value]) => [Number(at), toValue(value)] as const),
      );
    }),
  );
}

function toValue(text: ValueText): ResourceValue {
  if ("string" in text) return { type: "string", value: text.string };
  if ("boolean" in text) return { type: "boolean", value: text.boolean };
  if ("opaque" in text) return { type: "opaque", value: new Uint8Array(Buffer.from(text.opaque, "base64")) };
  if ("float" in text) return { type: "float", value: Number(text.float) };
  if ("objlnk" in text) {
    const [objectId = 0, instanceId = 0] = text.objlnk.split(":").map(Number);
    return { type: "objlnk", value: { objectId, instanceId } };
  }
  if ("integer" in text) return { type: "integer", value: toInteger(BigInt(text.integer)) };
  if ("unsigned" in text) return { type: "unsigned", value: toInteger(BigInt(text.unsigned)) };
  return { type: "time", value: toInteger(BigInt(text.time)) };
}
