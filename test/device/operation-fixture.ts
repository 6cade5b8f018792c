import assert from "node:assert/strict";
import type { CoapRequest } from "../../src/coap/index.ts";
import {
  factoryTree,
  type ObjectTree,
  type OperationContext,
  type OperationRequest,
  performOperation,
} from "../../src/device/index.ts";
import { formatPath, type ObjectInstance } from "../../src/lwm2m/index.ts";
import { PSK, security, server, write } from "./scripted-server.ts";

export const NOTHING: Uint8Array = new Uint8Array();
export const FACTORY: ObjectTree = factoryTree({ uri: "coaps://bs.example.com", identity: "dev-1", psk: PSK });

/** A request as the device sees it. */
export type Given = Partial<OperationRequest> & Pick<OperationRequest, "method">;

export function request(given: Given): OperationRequest {
  return { path: [], contentFormat: undefined, accept: undefined, payload: NOTHING, ...given };
}

/** A request of the scripts as the device receives it. */
export function received({ method, path, contentFormat, payload = NOTHING }: CoapRequest): OperationRequest {
  return request({ method, path, contentFormat, payload });
}

/** Bootstrap-Write of an instance. */
export function put(instance: ObjectInstance): OperationRequest {
  return received(write(instance));
}

export function del(path: string): OperationRequest {
  return request({ method: "DELETE", path: segments(path) });
}

export const FINISH: OperationRequest = request({ method: "POST", path: ["bs"] });

/** `/1/0` as the options of a request. */
export function segments(path: string): string[] {
  return path === "/" ? [] : path.split("/").slice(1);
}

/** What a device answers, as text. */
export function textOf({ payload = NOTHING }: { readonly payload?: Uint8Array | undefined }): string {
  return Buffer.from(payload).toString();
}

/** The tree after requests that all succeed. */
export function after(tree: ObjectTree, requests: readonly OperationRequest[], context: OperationContext = {}): ObjectTree {
  return requests.reduce((before, next) => {
    const { response, tree: now } = performOperation(before, next, context);
    assert.match(response.code, /^2/, `${next.method} /${next.path.join("/")}: ${textOf(response)}`);
    return now;
  }, tree);
}

/** Code and text of one answer. */
export function answerTo(tree: ObjectTree, asked: OperationRequest, context: OperationContext = {}): string {
  const { response } = performOperation(tree, asked, context);
  return `${response.code} ${textOf(response)}`.trimEnd();
}

export function pathsOf(tree: ObjectTree): string[] {
  return tree.instances().map(({ objectId, id }) => formatPath([objectId, id]));
}

/** A device that has an LwM2M server with the short server id 123. */
export const CONFIGURED: ObjectTree = after(FACTORY, [put(security(123)), put(server(123))]);
