import { type CoapResponse, Code, type IncomingRequest, type ResponseCode } from "../coap/index.ts";
import { utf8 } from "../lib/bytes.ts";
import { BerthError } from "../lib/errors.ts";
import {
  BERTH_OBJECT,
  ContentFormat,
  decodeContent,
  encodeContent,
  encodeDiscover,
  isPreferredFormat,
  type ObjectDefinitions,
  type ObjectInstance,
  objectInstance,
  type Path,
  parsePath,
} from "../lwm2m/index.ts";
import { accountInstances, bootstrapAccounts, isBootstrapAccount, withoutAccount } from "./account.ts";
import { discoverAnswer } from "./discover.ts";
import { settle } from "./finish.ts";
import { ACCESS_CONTROL_OBJECT, DEVICE_OBJECT, DEVICE_OBJECTS, SERVER_OBJECT } from "./objects.ts";
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

/** Versions of LwM2M a device can speak. */
export type LwM2mVersion = "1.0" | "1.1" | "1.2";

/** What decides how a device answers, beside what it holds. */
export interface OperationContext {
  /** Default 1.1. Discover says it, in the form it has; 1.0 has no Read. */
  readonly version?: LwM2mVersion;
  /** The objects the device has. Default: those of the bootstrap interface, Device and the Berth object. */
  readonly objects?: ObjectDefinitions;
  /** What the device held when the bootstrap began; by it a new bootstrap account is told from the old. Default: what it holds. */
  readonly before?: ObjectTree;
  /** Throws a {@link BerthError} that says why the device could not bootstrap again from a tree. */
  check?(tree: ObjectTree): void;
}

/** More than a device of the field can hold, and little enough that a hostile server cannot fill the memory. */
export const MAX_INSTANCES = 100;
/** Objects Bootstrap-Read may read. */
const READABLE: readonly number[] = [SERVER_OBJECT, ACCESS_CONTROL_OBJECT];

/**
 * Does one operation of the bootstrap interface (LwM2M Core 1.1, section 6.1.7) on `tree` and answers with a code
 * of the specification's table for it, and 4.05 for methods the interface does not have.
 */
export function performOperation(tree: ObjectTree, request: OperationRequest, context: OperationContext = {}): OperationResult {
  try {
    return perform(tree, request, context);
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    const unsupported = error.code === "unsupported-content-format";
    return refuse(tree, unsupported ? Code.unsupportedContentFormat : Code.badRequest, error.message);
  }
}

function perform(tree: ObjectTree, request: OperationRequest, context: OperationContext): OperationResult {
  if (request.method === "POST") return finish(tree, request.path, context);
  const path = parsePath(`/${request.path.join("/")}`);
  switch (request.method) {
    case "GET":
      return request.accept === ContentFormat.linkFormat
        ? discover(tree, path, context)
        : read(tree, path, request.accept, context);
    case "PUT":
      return write(tree, path, request, context);
    case "DELETE":
      return remove(tree, path, context);
    default:
      return refuse(tree, Code.methodNotAllowed, "");
  }
}

/** Bootstrap-Discover: `/` or an object. */
function discover(tree: ObjectTree, path: Path, context: OperationContext): OperationResult {
  const { version = "1.1", objects = DEVICE_OBJECTS } = context;
  const [objectId] = path;
  if (path.length > 1) return refuse(tree, Code.badRequest, "Discover takes / or an object");
  if (objectId !== undefined && !objects.has(objectId)) return refuse(tree, Code.notFound, "no such object");
  const found = discoverAnswer(tree, objectId === undefined ? [...objects.keys()] : [objectId], version, objects);
  return answer(tree, ContentFormat.linkFormat, encodeDiscover(found));
}

/** Bootstrap-Read: /1 and /2 and their instances; everything else stays hidden, the keys in /0 above all. */
function read(
  tree: ObjectTree,
  path: Path,
  accept: number = ContentFormat.tlv,
  { version = "1.1", objects = DEVICE_OBJECTS }: OperationContext,
): OperationResult {
  const [objectId, instanceId] = path;
  if (version === "1.0") return refuse(tree, Code.methodNotAllowed, "LwM2M 1.0 has no Bootstrap-Read");
  if (objectId === undefined || path.length > 2) return refuse(tree, Code.badRequest, "Read takes an object or an instance");
  if (!objects.has(objectId)) return refuse(tree, Code.notFound, "no such object");
  if (!READABLE.includes(objectId)) return refuse(tree, Code.methodNotAllowed, "only /1 and /2 can be read");
  if (!isPreferredFormat(accept)) return refuse(tree, Code.notAcceptable, "");
  const instances = tree.instances(objectId).filter(({ id }) => instanceId === undefined || id === instanceId);
  if (instanceId !== undefined && instances.length === 0) return refuse(tree, Code.notFound, "no such instance");
  return answer(tree, accept, encodeContent(accept, path, instances));
}

/**
 * Bootstrap-Write: an object's instances, an instance, or one resource. What an instance held before is gone
 * (optional resources that are not in the payload are not instantiated); unknown resources are passed over.
 */
function write(
  tree: ObjectTree,
  path: Path,
  { contentFormat, payload }: OperationRequest,
  { objects = DEVICE_OBJECTS }: OperationContext,
): OperationResult {
  const [objectId, instanceId] = path;
  const object = objectId === undefined ? undefined : objects.get(objectId);
  if (objectId === undefined || path.length > 3)
    return refuse(tree, Code.badRequest, "Write takes an object, an instance or a resource");
  if (object === undefined) return refuse(tree, Code.badRequest, "no such object");
  if (contentFormat === undefined) return refuse(tree, Code.badRequest, "the Content-Format is missing");
  let written = decodeContent(contentFormat, path, payload, objects).map((instance) => onlyKnown(instance, objects));
  if (!object.multiple && written.some(({ id }) => id !== 0))
    return refuse(tree, Code.badRequest, "the object has one instance, with the id 0");
  if (instanceId !== undefined && path.length === 3) {
    const before = tree.get(objectId, instanceId)?.resources.values() ?? [];
    written = written.map((part) => objectInstance(objectId, instanceId, [...before, ...part.resources.values()]));
  }
  const after = tree.with(...written);
  if (after.instances(objectId).length > MAX_INSTANCES)
    return refuse(tree, Code.internalServerError, "no room for another instance");
  return { response: { code: Code.changed }, tree: after, finished: false };
}

/** An instance without what the device knows nothing of, which is no error (LwM2M Core 1.1, section 6.1.7.4). */
export function onlyKnown(instance: ObjectInstance, objects: ObjectDefinitions): ObjectInstance {
  const known = objects.get(instance.objectId)?.resources;
  const fits = [...instance.resources.values()].filter(({ id, kind }) => {
    const resource = known?.get(id);
    return resource?.type !== undefined && (resource.multiple || kind === "single");
  });
  return objectInstance(instance.objectId, instance.id, fits);
}

/**
 * Bootstrap-Delete: `/`, an object, or an instance. `/` and objects keep what {@link keptInstances} says; alone that
 * cannot be deleted at all, but for a bootstrap account in whose place there is another. An instance that is not there
 * has been deleted already, as far as the server can tell.
 */
function remove(tree: ObjectTree, path: Path, { objects = DEVICE_OBJECTS }: OperationContext): OperationResult {
  const [objectId, instanceId] = path;
  if (path.length > 2) return refuse(tree, Code.badRequest, "Delete takes /, an object or an instance");
  if (objectId !== undefined && !objects.has(objectId)) return refuse(tree, Code.badRequest, "no such object");
  const kept = keptInstances(tree);
  const deleted = (now: ObjectTree): OperationResult => ({ response: { code: Code.deleted }, tree: now, finished: false });
  if (objectId !== undefined && instanceId !== undefined) {
    const named = tree.get(objectId, instanceId);
    if (named === undefined) return deleted(tree);
    if (isBootstrapAccount(named) && bootstrapAccounts(tree).length > 1) return deleted(withoutAccount(tree, named));
    if (kept.has(named)) return refuse(tree, Code.badRequest, "the bootstrap account and the Device object cannot be deleted");
    return deleted(tree.filter((instance) => instance !== named));
  }
  // With everything else gone, the Berth object still tells how the bootstrap server is found; whoever names it means it.
  const named = (instance: ObjectInstance): boolean =>
    objectId === undefined ? instance.objectId !== BERTH_OBJECT : instance.objectId === objectId;
  return deleted(tree.filter((instance) => !named(instance) || kept.has(instance)));
}

/** What no Delete touches: the bootstrap account with all it links to, and /3/0. */
export function keptInstances(tree: ObjectTree): Set<ObjectInstance> {
  const device = tree.get(DEVICE_OBJECT, 0);
  const kept = new Set(bootstrapAccounts(tree).flatMap((account) => accountInstances(tree, account)));
  return device === undefined ? kept : kept.add(device);
}

/** Bootstrap-Finish: the configuration counts if the device can work with it. */
function finish(tree: ObjectTree, path: readonly string[], context: OperationContext): OperationResult {
  if (path.length !== 1 || path[0] !== "bs") return refuse(tree, Code.badRequest, "Finish goes to /bs");
  const settled = settle(tree, context);
  if ("problems" in settled) return refuse(tree, Code.notAcceptable, settled.problems.join("; "));
  return { response: { code: Code.changed }, tree: settled.tree, finished: true };
}

function answer(tree: ObjectTree, contentFormat: number, payload: Uint8Array): OperationResult {
  return { response: { code: Code.content, contentFormat, payload }, tree, finished: false };
}

function refuse(tree: ObjectTree, code: ResponseCode, why: string): OperationResult {
  return { response: { code, payload: utf8(why) }, tree, finished: false };
}
