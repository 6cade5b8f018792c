import { type CoapResponse, Code, type IncomingRequest, type ResponseCode } from "../coap/index.ts";
import { utf8 } from "../lib/bytes.ts";
import { BerthError } from "../lib/errors.ts";
import {
  ContentFormat,
  type DiscoverEntry,
  decodeContent,
  encodeContent,
  encodeDiscover,
  findInconsistencies,
  isWriteFormat,
  type ObjectInstance,
  objectInstance,
  type Path,
  parsePath,
  resourceValue,
} from "../lwm2m/index.ts";
import { isBootstrapAccount } from "./account.ts";
import { ACCESS_CONTROL_OBJECT, DEVICE_OBJECT, DEVICE_OBJECTS, SECURITY_OBJECT, SERVER_OBJECT } from "./objects.ts";
import type { ObjectTree } from "./tree.ts";

/** What a request of the bootstrap server says; its sender and message do not matter. */
export type OperationRequest = Pick<
  IncomingRequest<{ readonly key: string }>,
  "method" | "path" | "contentFormat" | "accept" | "payload"
>;

/** What became of a request: the answer, the tree after it, and whether it was a Finish that was accepted. */
export interface OperationResult {
  readonly response: CoapResponse;
  readonly tree: ObjectTree;
  readonly finished: boolean;
}

/** LwM2M version told in the answer to Discover. */
const VERSION = "1.1";
/** More than a device of the field can hold, and little enough that a hostile server cannot fill the memory. */
const MAX_INSTANCES = 100;
/** Objects Bootstrap-Read may read. */
const READABLE: readonly number[] = [SERVER_OBJECT, ACCESS_CONTROL_OBJECT];
const SSID: Readonly<Record<number, number>> = { [SECURITY_OBJECT]: 10, [SERVER_OBJECT]: 0 };

/**
 * Does one operation of the bootstrap interface (LwM2M Core 1.1, section 6.1.7) on `tree` and answers with a code
 * of the specification's table for it, and 4.05 for methods the interface does not have.
 */
export function performOperation(tree: ObjectTree, request: OperationRequest): OperationResult {
  try {
    return perform(tree, request);
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    return refuse(tree, Code.badRequest, error.message);
  }
}

function perform(tree: ObjectTree, request: OperationRequest): OperationResult {
  if (request.method === "POST") return finish(tree, request.path);
  const path = parsePath(`/${request.path.join("/")}`);
  switch (request.method) {
    case "GET":
      return request.accept === ContentFormat.linkFormat ? discover(tree, path) : read(tree, path, request.accept);
    case "PUT":
      return write(tree, path, request.contentFormat, request.payload);
    case "DELETE":
      return remove(tree, path);
    default:
      return refuse(tree, Code.methodNotAllowed, "");
  }
}

/** Bootstrap-Discover: `/` or an object. The bootstrap account is the one instance of /0 without short server id. */
function discover(tree: ObjectTree, path: Path): OperationResult {
  const [objectId] = path;
  if (path.length > 1) return refuse(tree, Code.badRequest, "Discover takes / or an object");
  if (objectId !== undefined && !DEVICE_OBJECTS.has(objectId)) return refuse(tree, Code.notFound, "no such object");
  const entries: DiscoverEntry[] = [];
  for (const id of objectId === undefined ? [...DEVICE_OBJECTS.keys()] : [objectId]) {
    const instances = tree.instances(id);
    if (instances.length === 0) entries.push({ path: [id] });
    for (const instance of instances) entries.push(discoverEntry(instance));
  }
  return answer(tree, Code.content, ContentFormat.linkFormat, encodeDiscover({ lwm2m: VERSION, entries }));
}

function discoverEntry(instance: ObjectInstance): DiscoverEntry {
  const path = [instance.objectId, instance.id];
  const ssidResource = SSID[instance.objectId];
  if (ssidResource === undefined || isBootstrapAccount(instance)) return { path };
  const ssid = resourceValue(instance, ssidResource, "integer");
  const uri = instance.objectId === SECURITY_OBJECT ? resourceValue(instance, 0, "string") : undefined;
  return { path, ...(ssid === undefined ? {} : { ssid: Number(ssid) }), ...(uri === undefined ? {} : { uri }) };
}

/** Bootstrap-Read: /1 and /2 and their instances; everything else stays hidden, the keys in /0 above all. */
function read(tree: ObjectTree, path: Path, accept: number = ContentFormat.tlv): OperationResult {
  const [objectId, instanceId] = path;
  if (objectId === undefined || path.length > 2) return refuse(tree, Code.badRequest, "Read takes an object or an instance");
  if (!DEVICE_OBJECTS.has(objectId)) return refuse(tree, Code.notFound, "no such object");
  if (!READABLE.includes(objectId)) return refuse(tree, Code.methodNotAllowed, "only /1 and /2 can be read");
  if (!isWriteFormat(accept)) return refuse(tree, Code.notAcceptable, "");
  const instances = tree.instances(objectId).filter(({ id }) => instanceId === undefined || id === instanceId);
  if (instanceId !== undefined && instances.length === 0) return refuse(tree, Code.notFound, "no such instance");
  return answer(tree, Code.content, accept, encodeContent(accept, path, instances));
}

/**
 * Bootstrap-Write: an object's instances, an instance, or one resource. What an instance held before is gone
 * (optional resources that are not in the payload are not instantiated); unknown resources are passed over.
 */
function write(tree: ObjectTree, path: Path, format: number | undefined, payload: Uint8Array): OperationResult {
  const [objectId, instanceId] = path;
  if (objectId === undefined || path.length > 3)
    return refuse(tree, Code.badRequest, "Write takes an object, an instance or a resource");
  if (!DEVICE_OBJECTS.has(objectId)) return refuse(tree, Code.badRequest, "no such object");
  if (format === undefined) return refuse(tree, Code.badRequest, "the Content-Format is missing");
  if (!isWriteFormat(format)) return refuse(tree, Code.unsupportedContentFormat, "");
  let written = decodeContent(format, path, payload, DEVICE_OBJECTS).map(onlyKnown);
  if (instanceId !== undefined && path.length === 3) {
    const before = tree.get(objectId, instanceId)?.resources.values() ?? [];
    written = written.map((part) => objectInstance(objectId, instanceId, [...before, ...part.resources.values()]));
  }
  const after = tree.with(...written);
  if (after.instances(objectId).length > MAX_INSTANCES)
    return refuse(tree, Code.internalServerError, "no room for another instance");
  return { response: { code: Code.changed }, tree: after, finished: false };
}

function onlyKnown(instance: ObjectInstance): ObjectInstance {
  const known = DEVICE_OBJECTS.get(instance.objectId)?.resources;
  const fits = [...instance.resources.values()].filter(({ id, kind }) => {
    const resource = known?.get(id);
    return resource?.type !== undefined && (resource.multiple || kind === "single");
  });
  return objectInstance(instance.objectId, instance.id, fits);
}

/**
 * Bootstrap-Delete: `/`, an object, or an instance. `/` and objects keep the bootstrap account and /3/0; alone they
 * cannot be deleted at all. An instance that is not there has been deleted already, as far as the server can tell.
 */
function remove(tree: ObjectTree, path: Path): OperationResult {
  const [objectId, instanceId] = path;
  if (path.length > 2) return refuse(tree, Code.badRequest, "Delete takes /, an object or an instance");
  if (objectId !== undefined && !DEVICE_OBJECTS.has(objectId)) return refuse(tree, Code.badRequest, "no such object");
  const named = (instance: ObjectInstance): boolean =>
    path.length === 0 || (instance.objectId === objectId && (instanceId === undefined || instance.id === instanceId));
  if (path.length === 2 && tree.instances().some((instance) => named(instance) && isKept(instance))) {
    return refuse(tree, Code.badRequest, "the bootstrap account and the Device object cannot be deleted");
  }
  return {
    response: { code: Code.deleted },
    tree: tree.filter((instance) => !named(instance) || isKept(instance)),
    finished: false,
  };
}

function isKept(instance: ObjectInstance): boolean {
  return isBootstrapAccount(instance) || (instance.objectId === DEVICE_OBJECT && instance.id === 0);
}

/** Bootstrap-Finish: the configuration counts if the device can work with it. */
function finish(tree: ObjectTree, path: readonly string[]): OperationResult {
  if (path.length !== 1 || path[0] !== "bs") return refuse(tree, Code.badRequest, "Finish goes to /bs");
  const problems = findInconsistencies(tree.instances());
  if (problems.length > 0) return refuse(tree, Code.notAcceptable, problems.join("; "));
  return { response: { code: Code.changed }, tree, finished: true };
}

function answer(tree: ObjectTree, code: ResponseCode, contentFormat: number, payload: Uint8Array): OperationResult {
  return { response: { code, contentFormat, payload }, tree, finished: false };
}

function refuse(tree: ObjectTree, code: ResponseCode, why: string): OperationResult {
  return { response: { code, payload: utf8(why) }, tree, finished: false };
}
