import { MalformedContent, UnencodableValue } from "./errors.ts";
import type { ObjectInstance, Resource, ResourceValue } from "./node.ts";
import type { ObjectDefinitions } from "./objects.ts";
import { formatPath, MAX_ID, type Path } from "./path.ts";
import { decodeValue, encodeValue } from "./tlv-values.ts";

/**
 * TLV, Content-Format 11542 (LwM2M 1.0, section 6.4.3; the same since). Each element is a type byte, an id of one or two
 * bytes, a length in the type byte or in one to three bytes of its own, and a value:
 *
 *     bits 7-6  kind of id, see KIND        bit 5  id has two bytes
 *     bits 4-3  bytes of the length field   bits 2-0  the length itself, if that field has none
 */
const KIND = { objectInstance: 0, resourceInstance: 1, multipleResource: 2, resource: 3 } as const;
const LONG_ID = 0x20;
const MAX_LENGTH = 0xff_ffff;

function element(kind: number, id: number, value: Uint8Array): Uint8Array {
  const length = value.length;
  if (length > MAX_LENGTH) throw new UnencodableValue(`TLV holds at most ${MAX_LENGTH} bytes in one element, not ${length}`);
  const idSize = id > 0xff ? 2 : 1;
  const lengthSize = length < 8 ? 0 : length <= 0xff ? 1 : length <= 0xffff ? 2 : 3;
  const bytes = Buffer.allocUnsafe(1 + idSize + lengthSize + length);
  bytes[0] = (kind << 6) | (idSize === 2 ? LONG_ID : 0) | (lengthSize << 3) | (lengthSize === 0 ? length : 0);
  let at = bytes.writeUIntBE(id, 1, idSize);
  if (lengthSize > 0) at = bytes.writeUIntBE(length, at, lengthSize);
  bytes.set(value, at);
  return bytes;
}

/** The payload for `path`: of an Object its Instances, of an Instance its Resources, below that the one element. */
export function encodeTlv(path: Path, instances: Iterable<ObjectInstance>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const instance of instances) {
    if (path.length === 1) parts.push(element(KIND.objectInstance, instance.id, encodeResources(instance.resources.values())));
    else if (path.length === 4) parts.push(...[...instance.resources.values()].flatMap(instanceElements));
    else parts.push(encodeResources(instance.resources.values()));
  }
  return new Uint8Array(Buffer.concat(parts));
}

function encodeResources(resources: Iterable<Resource>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const resource of resources) {
    if (resource.kind === "single") parts.push(element(KIND.resource, resource.id, encodeValue(resource.value)));
    else parts.push(element(KIND.multipleResource, resource.id, Buffer.concat(instanceElements(resource))));
  }
  return Buffer.concat(parts);
}

function instanceElements(resource: Resource): Uint8Array[] {
  if (resource.kind === "single") return [];
  return [...resource.instances].map(([id, value]) => element(KIND.resourceInstance, id, encodeValue(value)));
}

interface Element {
  readonly kind: number;
  readonly id: number;
  readonly value: Uint8Array;
}

/** The elements `bytes` are made of, one behind the other; `path` is where they stand, for errors. */
function elements(bytes: Uint8Array, path: Path): Element[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Element[] = [];
  const ids = new Set<number>();
  let at = 0;
  while (at < view.length) {
    const type = view[at] ?? 0;
    const idSize = (type & LONG_ID) === 0 ? 1 : 2;
    const lengthSize = (type >> 3) & 3;
    const start = at + 1 + idSize + lengthSize;
    if (start > view.length) throw new MalformedContent(`${formatPath(path)}: TLV ends within the head of an element`);
    const id = view.readUIntBE(at + 1, idSize);
    const length = lengthSize === 0 ? type & 7 : view.readUIntBE(at + 1 + idSize, lengthSize);
    if (length > view.length - start) {
      throw new MalformedContent(
        `${formatPath(path)}: element ${id} says it has ${length} bytes, but ${view.length - start} are left`,
      );
    }
    if (ids.has(id)) throw new MalformedContent(`${formatPath(path)}: element ${id} is there twice`);
    ids.add(id);
    found.push({ kind: type >> 6, id, value: view.subarray(start, start + length) });
    at = start + length;
  }
  return found;
}

/**
 * The object instances, or the part of one, that a payload written to or read from `path` holds. A resource that
 * `definitions` do not know becomes opaque and is kept. Elements nest three deep at most, by the kinds of them.
 * @throws MalformedContent
 */
export function decodeTlv(path: Path, payload: Uint8Array, definitions: ObjectDefinitions): ObjectInstance[] {
  const [objectId, instanceId, resourceId] = path;
  if (objectId === undefined) throw new MalformedContent("TLV cannot hold more than one object");
  const found = elements(payload, path);
  if (instanceId === undefined) {
    return found.map((part) => {
      expectKind(part, KIND.objectInstance, path);
      if (part.id === MAX_ID) throw new MalformedContent(`${formatPath(path)}: ${MAX_ID} is not an object instance id`);
      return decodeInstance(objectId, part.id, elements(part.value, [...path, part.id]), definitions);
    });
  }
  if (resourceId !== undefined && path.length === 3) expectOnly(found, resourceId, path);
  if (path.length === 4) return [decodeResourceInstance(path, found, definitions)];
  const [first] = found;
  if (found.length === 1 && first?.kind === KIND.objectInstance && path.length === 2) {
    expectOnly(found, instanceId, path);
    return [decodeInstance(objectId, instanceId, elements(first.value, path), definitions)];
  }
  return [decodeInstance(objectId, instanceId, found, definitions)];
}

function decodeInstance(objectId: number, id: number, parts: readonly Element[], definitions: ObjectDefinitions): ObjectInstance {
  const resources = new Map<number, Resource>();
  for (const part of parts) {
    const path = [objectId, id, part.id];
    if (part.kind === KIND.multipleResource) {
      const instances = new Map<number, ResourceValue>();
      for (const child of elements(part.value, path)) {
        expectKind(child, KIND.resourceInstance, path);
        instances.set(child.id, readValue([...path, child.id], child.value, definitions));
      }
      resources.set(part.id, { kind: "multiple", id: part.id, instances });
    } else {
      expectKind(part, KIND.resource, [objectId, id]);
      resources.set(part.id, { kind: "single", id: part.id, value: readValue(path, part.value, definitions) });
    }
  }
  return { objectId, id, resources };
}

function decodeResourceInstance(path: Path, found: readonly Element[], definitions: ObjectDefinitions): ObjectInstance {
  const [objectId = 0, id = 0, resourceId = 0, instanceId = 0] = path;
  const part = expectOnly(found, instanceId, path);
  expectKind(part, KIND.resourceInstance, path);
  const value = readValue(path, part.value, definitions);
  const resource: Resource = { kind: "multiple", id: resourceId, instances: new Map([[instanceId, value]]) };
  return { objectId, id, resources: new Map([[resourceId, resource]]) };
}

function readValue(path: Path, bytes: Uint8Array, definitions: ObjectDefinitions): ResourceValue {
  const [objectId = 0, , resourceId = 0] = path;
  const type = definitions.get(objectId)?.resources.get(resourceId)?.type ?? "opaque";
  return decodeValue(type, bytes, () => formatPath(path));
}

function expectKind(part: Element, kind: number, path: Path): void {
  if (part.kind !== kind)
    throw new MalformedContent(`${formatPath(path)}: element ${part.id} is of kind ${part.kind}, not ${kind}`);
}

function expectOnly(found: readonly Element[], id: number, path: Path): Element {
  const [first] = found;
  if (first === undefined || found.length !== 1 || first.id !== id) {
    throw new MalformedContent(`${formatPath(path)}: expected one element with id ${id}`);
  }
  return first;
}
