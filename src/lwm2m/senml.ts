import { MalformedContent, UnencodableValue } from "./errors.ts";
import { InstanceBuilder } from "./instance-builder.ts";
import { isInteger64, type ObjectInstance, type ResourceValue } from "./node.ts";
import type { ObjectDefinitions } from "./objects.ts";
import { formatPath, type Path, parsePath } from "./path.ts";
import type { SenmlRecord } from "./senml-pack.ts";
import { linkText, readLink, typedValue } from "./typed-value.ts";

/** A path has 24 characters at most; a bound keeps a long base name from being multiplied by the records under it. */
const MAX_NAME_LENGTH = 64;

/**
 * The records of `instances`, named below `path` as base name, or at the root below each Instance, as in the example
 * of a Bootstrap-Pack (LwM2M Core 1.2, 6.1.7.7). A multiple resource without instances has no record.
 */
export function toRecords(path: Path, instances: Iterable<ObjectInstance>): SenmlRecord[] {
  const records: SenmlRecord[] = [];
  let base: string | undefined;
  const add = (full: Path, value: ResourceValue): void => {
    const level = path.length === 0 ? 2 : path.length;
    const name = full.slice(level).join("/");
    const bn = formatPath(full.slice(0, level)) + (name === "" ? "" : "/");
    records.push({ ...(bn === base ? {} : { bn }), ...(name === "" ? {} : { n: name }), ...toFields(value) });
    base = bn;
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
      return { vlo: linkText(value.value) };
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
  const builder = new InstanceBuilder("SenML");
  let base = "";
  for (const record of records) {
    base = record.bn ?? base;
    const name = base + (record.n ?? "");
    if (name.length > MAX_NAME_LENGTH) throw new MalformedContent(`SenML: a name has ${name.length} characters`);
    if (record.n === undefined && fieldCount(record) === 0) continue; // a record of base fields only
    const full = readName(name, path);
    builder.add(full, toValue(record, full, definitions));
  }
  return builder.finish(path);
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

function fieldCount({ v, vs, vb, vd, vlo }: SenmlRecord): number {
  return [v, vs, vb, vd, vlo].filter((field) => field !== undefined).length;
}

function toValue(record: SenmlRecord, path: Path, definitions: ObjectDefinitions): ResourceValue {
  const { v, vs, vb, vd, vlo } = record;
  const problem = (why: string): MalformedContent => new MalformedContent(`SenML: ${formatPath(path)} ${why}`);
  const [objectId = 0, , resourceId = 0] = path;
  const defined = definitions.get(objectId)?.resources.get(resourceId)?.type;
  const data = v ?? vs ?? vb ?? vd;
  if (fieldCount(record) !== 1) throw problem("needs one value");
  if (data !== undefined && defined !== "objlnk") return typedValue(data, defined, problem);
  if (vlo === undefined || (defined ?? "objlnk") !== "objlnk") throw problem(`is of type ${defined}`);
  return { type: "objlnk", value: readLink(vlo, problem) };
}
