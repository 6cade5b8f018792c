import { MalformedContent, UnencodableValue } from "./errors.ts";
import { isInteger64, type ObjectInstance, type Resource, type ResourceValue, toInteger } from "./node.ts";
import type { ObjectDefinitions } from "./objects.ts";
import { formatPath, MAX_ID, type Path, parsePath } from "./path.ts";
import type { SenmlRecord } from "./senml-pack.ts";

/** A path has 24 characters at most; a bound keeps a long base name from being multiplied by the records under it. */
const MAX_NAME_LENGTH = 64;

/** The records of `instances`, named below `path` as base name. A multiple resource without instances has no record. */
export function toRecords(path: Path, instances: Iterable<ObjectInstance>): SenmlRecord[] {
  const records: SenmlRecord[] = [];
  const add = (full: Path, value: ResourceValue): void => {
    const name = full.slice(path.length).join("/");
    const base = records.length > 0 ? {} : { bn: name === "" || path.length === 0 ? formatPath(path) : `${formatPath(path)}/` };
    records.push({ ...base, ...(name === "" ? {} : { n: name }), ...toFields(value) });
  };
  for (const instance of instances) {
    for (const resource of instance.resources.values()) {
      const at = [instance.objectId, instance.id, resource.id];
      if (resource.kind === "single") add(at, resource.value);
      else for (const [id, value] of resource.instances) add([...at, id], value);
    }
  }
  return records;
}

function toFields(value: ResourceValue): SenmlRecord {
  switch (value.type) {
    case "string":
      return { vs: value.value };
    case "boolean":
      return { vb: value.value };
    case "opaque":
      return { vd: value.value };
    case "objlnk":
      return { vlo: `${value.value.objectId}:${value.value.instanceId}` };
    case "float":
      return { v: value.value };
    default:
      if (!isInteger64(value.type, value.value)) throw new UnencodableValue(`a value of type ${value.type} does not fit 64 bits`);
      return { v: value.value };
  }
}

/**
 * The object instances, or parts of them, that `records` hold, all at or below `path`. A resource that
 * `definitions` do not know gets the type its SenML field suggests.
 * @throws MalformedContent
 */
export function fromRecords(path: Path, records: readonly SenmlRecord[], definitions: ObjectDefinitions): ObjectInstance[] {
  const instances = new Map<string, { objectId: number; id: number; resources: Map<number, Resource> }>();
  let base = "";
  for (const record of records) {
    base = record.bn ?? base;
    const name = base + (record.n ?? "");
    if (name.length > MAX_NAME_LENGTH) throw new MalformedContent(`SenML: a name has ${name.length} characters`);
    if (record.n === undefined && !hasValue(record)) continue; // a record of base fields only
    const full = readName(name, path);
    const [objectId = 0, id = 0, resourceId = 0, resourceInstanceId] = full;
    const key = `${objectId}/${id}`;
    const instance = instances.get(key) ?? { objectId, id, resources: new Map<number, Resource>() };
    instances.set(key, instance);
    const value = toValue(record, full, definitions);
    const before = instance.resources.get(resourceId);
    if (resourceInstanceId === undefined) {
      if (before !== undefined) throw new MalformedContent(`SenML: ${name} is there twice`);
      instance.resources.set(resourceId, { kind: "single", id: resourceId, value });
    } else {
      if (before?.kind === "single" || before?.instances.has(resourceInstanceId))
        throw new MalformedContent(`SenML: ${name} is there twice`);
      const known = (before?.instances as Map<number, ResourceValue> | undefined) ?? new Map<number, ResourceValue>();
      instance.resources.set(resourceId, { kind: "multiple", id: resourceId, instances: known.set(resourceInstanceId, value) });
    }
  }
  const [objectId, id] = path;
  if (instances.size === 0 && path.length === 2 && objectId !== undefined && id !== undefined)
    return [{ objectId, id, resources: new Map() }];
  return [...instances.values()];
}

function readName(name: string, path: Path): Path {
  let full: Path;
  try {
    full = parsePath(name);
  } catch (cause) {
    throw new MalformedContent(`SenML: the name ${JSON.stringify(name)} is not an LwM2M path`, { cause });
  }
  if (full.length < 3) throw new MalformedContent(`SenML: ${name} names no resource`);
  if (path.some((id, level) => full[level] !== id)) throw new MalformedContent(`SenML: ${name} is not below ${formatPath(path)}`);
  return full;
}

function hasValue(record: SenmlRecord): boolean {
  return fieldCount(record) > 0;
}

function fieldCount({ v, vs, vb, vd, vlo }: SenmlRecord): number {
  return [v, vs, vb, vd, vlo].filter((field) => field !== undefined).length;
}

function toValue(record: SenmlRecord, path: Path, definitions: ObjectDefinitions): ResourceValue {
  const { v, vs, vb, vd, vlo } = record;
  const problem = (why: string): MalformedContent => new MalformedContent(`SenML: ${formatPath(path)} ${why}`);
  if (fieldCount(record) !== 1) throw problem("needs one value");
  const [objectId = 0, , resourceId = 0] = path;
  const defined = definitions.get(objectId)?.resources.get(resourceId)?.type;
  if (vs !== undefined && (defined ?? "string") === "string") return { type: "string", value: vs };
  if (vb !== undefined && (defined ?? "boolean") === "boolean") return { type: "boolean", value: vb };
  if (vd !== undefined && (defined ?? "opaque") === "opaque") return { type: "opaque", value: vd };
  if (vlo !== undefined && (defined ?? "objlnk") === "objlnk") return { type: "objlnk", value: readLink(vlo, problem) };
  if (v !== undefined) {
    const type = defined ?? guessType(v);
    if (type === "float") return { type, value: Number(v) };
    if (type === "integer" || type === "unsigned" || type === "time") {
      if (!isInteger64(type, v)) throw problem(`does not fit the type ${type}`);
      return { type, value: toInteger(Object.is(v, -0) ? 0 : v) };
    }
  }
  throw problem(`is of type ${defined}`);
}

function guessType(v: number | bigint): "integer" | "unsigned" | "float" {
  if (Object.is(v, -0)) return "float";
  if (isInteger64("integer", v)) return "integer";
  return isInteger64("unsigned", v) ? "unsigned" : "float";
}

function readLink(text: string, problem: (why: string) => MalformedContent): { objectId: number; instanceId: number } {
  const match = /^(\d{1,5}):(\d{1,5})$/.exec(text);
  const [objectId, instanceId] = [Number(match?.[1]), Number(match?.[2])];
  if (!(objectId <= MAX_ID && instanceId <= MAX_ID)) throw problem("is not an object link");
  return { objectId, instanceId };
}
