import { createHmac } from "node:crypto";
import { toHex, utf8 } from "../lib/bytes.ts";
import { InternalError } from "../lib/errors.ts";
import { CombineOffset, ParameterMissing } from "./errors.ts";
import type { Combine, Parameter, Recipe } from "./recipe.ts";
import type { Step } from "./steps.ts";

/** The seed of the random variable is the name key; this keeps its use apart from any other. */
const RANDOM_LABEL = "berth/random/v1|";

/** Text of one parameter, as it stands in the message and, when placed there plainly, in the URI. */
function parameterText(parameter: Parameter, key: Uint8Array, endpoint: string, step: Step): string {
  switch (parameter.kind) {
    case "endpoint":
      if (endpoint === "")
        throw new ParameterMissing("the recipe has an endpoint parameter: the endpoint name must not be empty");
      return endpoint;
    case "time":
      if (step.time === undefined || !Number.isSafeInteger(step.time))
        throw new ParameterMissing("the step lacks a rounded time");
      return String(step.time);
    case "counter":
      return counterText(step);
    case "random":
      return randomText(key, step, parameter.length);
  }
}

/** {@link parameterText} of the parameter with this number in the recipe. */
export function parameterAt(recipe: Recipe, index: number, key: Uint8Array, endpoint: string, step: Step): string {
  const parameter = recipe.parameters[index];
  if (parameter === undefined) throw new InternalError(`the recipe has no parameter ${index}`);
  return parameterText(parameter, key, endpoint, step);
}

function counterText({ counter }: Step): string {
  if (counter === undefined) throw new ParameterMissing("the step lacks a counter");
  if (!Number.isSafeInteger(counter) || counter < 0)
    throw new ParameterMissing(`counter: ${counter} is not a whole number from 0 to 2^53-1`);
  return String(counter);
}

/** The random variable both sides generate alike (N3): the first bytes of HMAC-SHA-256(key, label and counter), in hex. */
function randomText(key: Uint8Array, step: Step, length: number): string {
  return toHex(
    createHmac("sha256", key)
      .update(RANDOM_LABEL + counterText(step))
      .digest()
      .subarray(0, length),
  );
}

/** The hashed parameters in their stated order, the separator between them (N3). Hashed as UTF-8. */
export function messageText(recipe: Recipe, key: Uint8Array, endpoint: string, step: Step): string {
  let text: string | undefined;
  for (const parameter of recipe.parameters) {
    if (!parameter.hashed) continue;
    const next = parameterText(parameter, key, endpoint, step);
    text = text === undefined ? next : text + recipe.separator + next;
  }
  return text ?? "";
}

/**
 * The input of a hash function (N2).
 * @throws CombineOffset when the offset lies beyond what it points into
 */
export function combine(how: Combine | undefined, secret: Uint8Array, message: Uint8Array): Uint8Array {
  switch (how?.order) {
    case undefined:
    case "secret-first":
      return insert(message, secret, 0, "parameters");
    case "parameters-first":
      return insert(secret, message, 0, "secret");
    case "parameters-in-secret":
      return insert(secret, message, how.offset, "secret");
    case "secret-in-parameters":
      return insert(message, secret, how.offset, "parameters");
  }
}

function insert(outer: Uint8Array, inner: Uint8Array, offset: number, what: string): Uint8Array {
  if (offset > outer.byteLength)
    throw new CombineOffset(`combine.offset: ${offset} lies beyond the ${what} (${outer.byteLength} bytes)`);
  const bytes = new Uint8Array(outer.byteLength + inner.byteLength);
  bytes.set(outer.subarray(0, offset));
  bytes.set(inner, offset);
  bytes.set(outer.subarray(offset), offset + inner.byteLength);
  return bytes;
}

/** {@link messageText} in bytes. */
export function messageBytes(recipe: Recipe, key: Uint8Array, endpoint: string, step: Step): Uint8Array {
  return utf8(messageText(recipe, key, endpoint, step));
}
