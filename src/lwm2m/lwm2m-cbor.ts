import { type Token, Type } from "cborg";
import { CborReader } from "./cbor-reader.ts";
import { cborData, encodeCbor } from "./cbor-writer.ts";
import { InstanceBuilder } from "./instance-builder.ts";
import type { ObjectInstance, Resource } from "./node.ts";
import type { ObjectDefinitions } from "./objects.ts";
import { formatPath, isValidId, type Path } from "./path.ts";
import { typedValue } from "./typed-value.ts";

/**
 * LwM2M CBOR, Content-Format 11544 (LwM2M Core 1.2.1, section 7.4.4). Maps inside maps, whose keys are an id or an array
 * of ids; the ids on the way to a value, one behind the other, are its path and start with the Object ID:
 * `{[3, 0]: {9: 100}}` is `{3: {0: {9: 100}}}`.
 */
type Nested = Map<number | readonly number[], unknown>;

/** The payload for `path`: one entry with the path as its key, below it a map for each level; at the root maps only. */
export function encodeLwm2mCbor(path: Path, instances: Iterable<ObjectInstance>): Uint8Array {
  const objects: Nested = new Map();
  for (const { objectId, id, resources } of instances) {
    const object = (objects.get(objectId) as Nested | undefined) ?? new Map<number, unknown>();
    objects.set(objectId, object);
    object.set(id, new Map([...resources.values()].map((resource) => [resource.id, resourceData(resource)])));
  }
  if (path.length === 0) return encodeCbor(objects);
  let below: unknown = objects;
  for (const id of path) below = below instanceof Map ? below.get(id) : undefined;
  const [only] = path;
  return encodeCbor(new Map(below === undefined ? [] : [[path.length === 1 ? only : path, below]]));
}

function resourceData(resource: Resource): unknown {
  if (resource.kind === "single") return cborData(resource.value);
  return new Map([...resource.instances].map(([id, value]) => [id, cborData(value)]));
}

/**
 * The object instances, or parts of them, that a payload written to or read from `path` holds.
 * @throws MalformedContent
 */
export function decodeLwm2mCbor(path: Path, payload: Uint8Array, definitions: ObjectDefinitions): ObjectInstance[] {
  const reader = new CborReader(payload, "LwM2M CBOR");
  const builder = new InstanceBuilder("LwM2M CBOR");
  const readMap = (head: Token, above: Path): void => {
    const keys = new Set<string>();
    reader.each(head, (key) => {
      const full = readKey(reader, key, above);
      const name = formatPath(full);
      if (keys.has(name)) throw reader.problem(`${name} is there twice`);
      keys.add(name);
      if (path.some((id, level) => level < full.length && full[level] !== id))
        throw reader.problem(`${name} is not below ${formatPath(path)}`);
      const value = reader.next();
      if (Type.equals(value.type, Type.map)) {
        if (full.length === 4) throw reader.problem(`${name} has a map below it`);
        if (full.length > 1) builder.open(full);
        readMap(value, full);
      } else {
        if (full.length < 3) throw reader.problem(`${name} is no resource, but has a value`);
        const type = definitions.get(full[0] ?? 0)?.resources.get(full[2] ?? 0)?.type;
        builder.add(
          full,
          typedValue(reader.scalar(value, name), type, (why) => reader.problem(`${name} ${why}`)),
        );
      }
    });
  };
  const head = reader.next();
  if (!Type.equals(head.type, Type.map)) throw reader.problem("the payload is not a map");
  readMap(head, []);
  reader.end();
  return builder.finish(path);
}

/** The path a key leads to from `above`. Ids are bounded by the level they come to stand at, and so is their number. */
function readKey(reader: CborReader, key: Token, above: Path): Path {
  const path = [...above];
  const add = (token: Token): void => {
    const id: unknown = Type.equals(token.type, Type.uint) ? token.value : undefined;
    if (path.length === 4 || typeof id !== "number" || !isValidId(id, path.length))
      throw reader.problem(`a key below ${formatPath(above)} is no id or path`);
    path.push(id);
  };
  if (!Type.equals(key.type, Type.array)) add(key);
  else reader.each(key, add);
  if (path.length === above.length) throw reader.problem(`a key below ${formatPath(above)} is empty`);
  return path;
}
