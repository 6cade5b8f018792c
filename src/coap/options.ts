import type { NamedOption, OptionName } from "coap-packet";
import { InvalidInput } from "../lib/errors.ts";
import { type Block, blockOf, blockValue } from "./block.ts";
import { Code, type ResponseCode } from "./constants.ts";
import type { ReceivedOption } from "./message.ts";
import type { CoapRequest, CoapResponse } from "./types.ts";

/** What the options of a request say (RFC 7252 section 5.10, RFC 7959 section 2). */
export interface RequestOptions {
  readonly path: string[];
  readonly query: string[];
  uriHost: string | undefined;
  contentFormat: number | undefined;
  accept: number | undefined;
  block1: Block | undefined;
  block2: Block | undefined;
  size1: number | undefined;
  /** The code to answer with when an option forbids that the request is handled. */
  refusal: ResponseCode | undefined;
}

/** What the options of a response say. */
export interface ResponseOptions {
  contentFormat: number | undefined;
  maxAge: number | undefined;
  etag: Buffer | undefined;
  block1: Block | undefined;
  block2: Block | undefined;
  /** Whether there is a critical option that is not understood (RFC 7252 section 5.4.1). */
  unusable: boolean;
}

/** RFC 7252 section 5.10: the longest value of the string options. */
const MAX_STRING = 255;
const MAX_UINT16 = 2;
const MAX_UINT32 = 4;
const MAX_BLOCK = 3;
const MAX_ETAG = 8;

/** The options coap-packet knows by name whose number is even: whoever does not understand them ignores them. */
const ELECTIVE: ReadonlySet<string | number> = new Set<OptionName>([
  ...(["ETag", "Observe", "Location-Path", "Content-Format", "Max-Age"] as const),
  ...(["Hop-Limit", "Location-Query", "Size2", "Size1", "No-Response"] as const),
]);

/** Odd numbers are critical (RFC 7252 section 5.4.1). */
function isCritical(name: string | number): boolean {
  const number = Number(name);
  return Number.isNaN(number) ? !ELECTIVE.has(name) : number % 2 === 1;
}

/**
 * Reads the options of a request. One that is too long or occurs too often counts as not understood (RFC 7252 sections
 * 5.4.3 and 5.4.5): a critical one makes the request 4.02, an elective one is ignored.
 */
export function readRequestOptions(options: readonly ReceivedOption[]): RequestOptions {
  const found: RequestOptions = {
    path: [],
    query: [],
    uriHost: undefined,
    contentFormat: undefined,
    accept: undefined,
    block1: undefined,
    block2: undefined,
    size1: undefined,
    refusal: undefined,
  };
  for (const option of options) {
    found.refusal = readRequestOption(found, option);
    if (found.refusal !== undefined) break;
  }
  return found;
}

function readRequestOption(found: RequestOptions, { name, value }: ReceivedOption): ResponseCode | undefined {
  const { length } = value;
  switch (name) {
    case "Uri-Path":
      if (length > MAX_STRING) return Code.badOption;
      found.path.push(text(value));
      return undefined;
    case "Uri-Query":
      if (length > MAX_STRING) return Code.badOption;
      found.query.push(text(value));
      return undefined;
    case "Uri-Host":
      if (length === 0 || length > MAX_STRING || found.uriHost !== undefined) return Code.badOption;
      found.uriHost = text(value);
      return undefined;
    case "Uri-Port":
      return length > MAX_UINT16 ? Code.badOption : undefined;
    case "Content-Format":
      if (length <= MAX_UINT16) found.contentFormat ??= readUint(value);
      return undefined;
    case "Accept":
      if (length > MAX_UINT16 || found.accept !== undefined) return Code.badOption;
      found.accept = readUint(value);
      return undefined;
    case "Block1":
      if (length > MAX_BLOCK || found.block1 !== undefined) return Code.badOption;
      found.block1 = blockOf(readUint(value));
      return found.block1 === undefined ? Code.badRequest : undefined;
    case "Block2":
      if (length > MAX_BLOCK || found.block2 !== undefined) return Code.badOption;
      found.block2 = blockOf(readUint(value));
      return found.block2 === undefined ? Code.badRequest : undefined;
    case "Size1":
      if (length <= MAX_UINT32) found.size1 ??= readUint(value);
      return undefined;
    case "Proxy-Uri":
    case "Proxy-Scheme":
      return Code.proxyingNotSupported;
    default:
      return isCritical(name) ? Code.badOption : undefined;
  }
}

/** Reads the options of a response. */
export function readResponseOptions(options: readonly ReceivedOption[]): ResponseOptions {
  const found: ResponseOptions = {
    contentFormat: undefined,
    maxAge: undefined,
    etag: undefined,
    block1: undefined,
    block2: undefined,
    unusable: false,
  };
  for (const { name, value } of options) {
    const { length } = value;
    if (name === "Content-Format" && length <= MAX_UINT16) found.contentFormat ??= readUint(value);
    else if (name === "Max-Age" && length <= MAX_UINT32) found.maxAge ??= readUint(value);
    else if (name === "ETag" && length <= MAX_ETAG) found.etag ??= value;
    else if (name === "Block1" && length <= MAX_BLOCK) found.block1 ??= blockOf(readUint(value));
    else if (name === "Block2" && length <= MAX_BLOCK) found.block2 ??= blockOf(readUint(value));
    else if (isCritical(name)) found.unusable = true;
  }
  return found;
}

/** The options of a response that only block-wise transfer needs. */
export interface BlockOptions {
  readonly block1?: Block | undefined;
  readonly block2?: Block | undefined;
  /** The largest body that would be taken. */
  readonly size1?: number | undefined;
  readonly etag?: Buffer | undefined;
}

/**
 * The options of a request but for Block1 and Block2, in the order of their numbers.
 * @throws InvalidInput when a value is longer than its option allows
 */
export function writeRequestOptions(request: CoapRequest): NamedOption[] {
  const options: NamedOption[] = [];
  if (request.uriHost !== undefined) options.push(stringOption("Uri-Host", request.uriHost));
  for (const segment of request.path) options.push(stringOption("Uri-Path", segment));
  if (request.contentFormat !== undefined) options.push(uintOption("Content-Format", request.contentFormat));
  if (request.query !== undefined) for (const argument of request.query) options.push(stringOption("Uri-Query", argument));
  if (request.accept !== undefined) options.push(uintOption("Accept", request.accept));
  return options;
}

/** The options of a response, in the order of their numbers. */
export function writeResponseOptions(response: CoapResponse, blocks: BlockOptions): NamedOption[] {
  const options: NamedOption[] = [];
  if (blocks.etag !== undefined) options.push({ name: "ETag", value: blocks.etag });
  if (response.contentFormat !== undefined) options.push(uintOption("Content-Format", response.contentFormat));
  if (response.maxAge !== undefined) options.push(uintOption("Max-Age", response.maxAge));
  if (blocks.block2 !== undefined) options.push(blockOption("Block2", blocks.block2));
  if (blocks.block1 !== undefined) options.push(blockOption("Block1", blocks.block1));
  if (blocks.size1 !== undefined) options.push(uintOption("Size1", blocks.size1));
  return options;
}

/** The option that says which block a message carries or asks for. */
export function blockOption(name: "Block1" | "Block2", block: Block): NamedOption {
  return uintOption(name, blockValue(block));
}

function stringOption(name: OptionName, text: string): NamedOption {
  const value = Buffer.from(text, "utf8");
  if (value.length > MAX_STRING) throw new InvalidInput(`${name}: ${value.length} bytes, at most ${MAX_STRING} are allowed`);
  return { name, value };
}

function uintOption(name: OptionName, value: number): NamedOption {
  return { name, value: writeUint(value) };
}

function text(value: Buffer): string {
  return value.toString("utf8");
}

/** An unsigned integer of 0 to 4 bytes, most significant first (RFC 7252 section 3.2). */
function readUint(value: Buffer): number {
  return value.length === 0 ? 0 : value.readUIntBE(0, value.length);
}

/** The shortest form of an unsigned integer below 2^32; zero is no byte at all. */
function writeUint(value: number): Buffer {
  let length = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) length++;
  const bytes = Buffer.alloc(length);
  if (length > 0) bytes.writeUIntBE(value, 0, length);
  return bytes;
}
