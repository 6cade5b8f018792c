import type { MalformedContent } from "./errors.ts";
import { InstanceBuilder } from "./instance-builder.ts";
import { JsonReader, type JsonScalar } from "./json-reader.ts";
import type { ObjectInstance, ResourceType, ResourceValue } from "./node.ts";
import type { ObjectDefinitions } from "./objects.ts";
import { formatPath, type Path, parsePath } from "./path.ts";
import { typedValue } from "./typed-value.ts";

/** One entry of the array `e`, by its names in the format. */
interface Entry {
  readonly n?: string;
  readonly v?: number | bigint;
  readonly bv?: boolean;
  readonly sv?: string;
  readonly ov?: string;
}

/**
 * Reads LwM2M JSON, Content-Format 11543 (LwM2M 1.0, section 6.4.4): `{"bn":"/3/0/","e":[{"n":"9","v":100}]}`. Names
 * without `bn` continue the path of the request. Times (`bt`, `t`) say nothing about what a resource holds.
 * @throws MalformedContent
 */
export function decodeOmaJson(path: Path, payload: Uint8Array, definitions: ObjectDefinitions): ObjectInstance[] {
  const reader = new JsonReader(payload, "LwM2M JSON");
  const entries: Entry[] = [];
  let base: string | undefined;
  reader.object((name) => {
    if (name === "e") reader.array(() => entries.push(readEntry(reader)));
    else {
      const value = reader.scalar(`field "${name.slice(0, 20)}" has no plain value`);
      if (name === "bn" && typeof value !== "string") throw reader.problem("the base name is not a text");
      if (name === "bn") base = String(value);
    }
  });
  reader.end();
  const builder = new InstanceBuilder("LwM2M JSON");
  for (const entry of entries) {
    const full = readName(reader, base, entry.n ?? "", path);
    const type = definitions.get(full[0] ?? 0)?.resources.get(full[2] ?? 0)?.type;
    builder.add(
      full,
      toValue(entry, type, (why) => reader.problem(`${formatPath(full)} ${why}`)),
    );
  }
  return builder.finish(path);
}

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  n: ["string"],
  v: ["number", "bigint"],
  bv: ["boolean"],
  sv: ["string"],
  ov: ["string"],
};

function readEntry(reader: JsonReader): Entry {
  const entry: Record<string, JsonScalar> = {};
  reader.object((name) => {
    const value = reader.scalar(`field "${name.slice(0, 20)}" has no plain value`);
    const types = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
    if (types === undefined) return;
    if (!types.includes(typeof value)) throw reader.problem(`field "${name}" has the wrong type`);
    entry[name] = value;
  });
  return entry as Entry;
}

function readName(reader: JsonReader, base: string | undefined, own: string, path: Path): Path {
  const request = formatPath(path);
  const between = own === "" || request === "/" ? "" : "/";
  const name = base === undefined ? `${request}${between}${own}` : `${base}${own}`;
  let full: Path;
  try {
    full = parsePath(name);
  } catch {
    throw reader.problem(`the name ${JSON.stringify(name.slice(0, 40))} is not an LwM2M path`);
  }
  if (full.length < 3) throw reader.problem(`${name} names no resource`);
  if (path.some((id, level) => full[level] !== id)) throw reader.problem(`${name} is not below ${request}`);
  return full;
}

function toValue(
  { v, bv, sv, ov }: Entry,
  type: ResourceType | undefined,
  problem: (why: string) => MalformedContent,
): ResourceValue {
  const [data, ...others] = [v, bv, sv, ov].filter((value) => value !== undefined);
  if (data === undefined || others.length > 0) throw problem("needs one value");
  if (ov !== undefined) {
    if ((type ?? "objlnk") !== "objlnk") throw problem(`is of type ${type}`);
    return typedValue(ov, "objlnk", problem);
  }
  if (sv === undefined || type !== "opaque") return typedValue(data, type, problem);
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(sv)) throw problem("is not base64");
  return { type, value: new Uint8Array(Buffer.from(sv, "base64")) };
}
