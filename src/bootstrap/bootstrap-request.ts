import { Code, type IncomingRequest } from "../coap/index.ts";
import { ContentFormat, isPackFormat, isPreferredFormat, type Path, parsePath } from "../lwm2m/index.ts";
import type { Caller } from "./caller.ts";
import { isRefusal, type Refusal, refuse } from "./refusal.ts";

/** What a device asks for. */
export type DeviceRequest = BootstrapRequest | PackRequest;

/** A Bootstrap-Request, `POST /bs?ep=..&pct=..` (LwM2M Core 1.1, section 6.1.7.1). */
export interface BootstrapRequest {
  readonly kind: "request";
  /** The endpoint client name; a device may leave it out when its security identity says it. */
  readonly endpoint: string | undefined;
  /** `pct`, the Content-Format the device prefers. */
  readonly format: number | undefined;
}

/** A Bootstrap-Pack-Request, `GET /bspack?ep=..&acc=..` (LwM2M Core 1.2, section 6.1.7.7). */
export interface PackRequest {
  readonly kind: "pack";
  readonly endpoint: string | undefined;
  /** The Content-Format of the Pack. */
  readonly format: number;
  /** `acc`, the instances of the device's bootstrap account. */
  readonly accounts: readonly Path[] | undefined;
}

/** The format of a Pack for a device that does not say which it takes: the one LwM2M 1.2 names first, and Anjay asks for. */
const PACK_FORMAT: number = ContentFormat.senmlCbor;

/** Reads a request of a device, or says what is wrong with it. @param resource the last part of its path */
export function readRequest(request: IncomingRequest<Caller>, resource: string | undefined): DeviceRequest | Refusal {
  const { method } = request;
  if (resource === "bs" && method === "POST") return readBootstrapRequest(request);
  if (resource === "bspack" && method === "GET") return readPackRequest(request);
  if (resource !== "bs" && resource !== "bspack") return { code: Code.notFound, why: "there is no such path" };
  return { code: Code.methodNotAllowed, why: `${method} is not allowed on /${resource}` };
}

function readBootstrapRequest(request: IncomingRequest<Caller>): BootstrapRequest | Refusal {
  const given = parametersOf(request);
  if (isRefusal(given)) return given;
  const { ep, pct } = given;
  if (pct !== undefined && !/^\d+$/.test(pct)) return refuse("pct is not a number", "pct is not a content format");
  const format = pct === undefined ? undefined : Number(pct);
  if (isMissing(ep, request.peer)) return ENDPOINT_MISSING;
  if (format !== undefined && !isPreferredFormat(format)) {
    return { code: Code.unsupportedContentFormat, why: "the device prefers a content format that is not supported" };
  }
  return { kind: "request", endpoint: ep, format };
}

function readPackRequest(request: IncomingRequest<Caller>): PackRequest | Refusal {
  const given = parametersOf(request);
  if (isRefusal(given)) return given;
  const { ep, acc } = given;
  const accounts = acc === undefined ? undefined : readAccounts(acc);
  if (accounts === "malformed") return refuse("acc is not a list of object instances", "acc cannot be read");
  if (isMissing(ep, request.peer)) return ENDPOINT_MISSING;
  const format = request.accept ?? PACK_FORMAT;
  if (!isPackFormat(format)) {
    return { code: Code.notAcceptable, why: "the device accepts no content format a Bootstrap-Pack can have" };
  }
  return { kind: "pack", endpoint: ep, format, accounts };
}

interface Parameters {
  readonly ep?: string;
  readonly pct?: string;
  readonly acc?: string;
}

/** The parameters of a request. One that is given twice could be read in two ways, and `ep` says who is served. */
function parametersOf(request: IncomingRequest<Caller>): Parameters | Refusal {
  if (!request.confirmable) return refuse("CON CoAP type expected", "the request is not confirmable");
  const found: Record<string, string> = {};
  for (const argument of request.query) {
    const [, name, value] = /^(ep|pct|acc)=(.*)$/s.exec(argument) ?? [];
    if (name === undefined || value === undefined) continue;
    if (found[name] !== undefined) return refuse(`${name} is given twice`, `${name} is given twice`);
    found[name] = value;
  }
  return found;
}

const ENDPOINT_MISSING: Refusal = refuse("endpoint name missing", "the request names no endpoint");

/** Over DTLS the endpoint name may be left out, as the identity says it. */
function isMissing(endpoint: string | undefined, { proven }: Caller): boolean {
  return endpoint === "" || (endpoint === undefined && proven === undefined);
}

/** CoRE links without attributes (LwM2M Core 1.2.1): `</0/0>,</21/0>`. */
function readAccounts(acc: string): readonly Path[] | "malformed" {
  const paths: Path[] = [];
  for (const link of acc.split(",")) {
    const [, text] = /^ *<(\/\d{1,5}\/\d{1,5})> *$/.exec(link) ?? [];
    if (text === undefined) return "malformed";
    try {
      paths.push(parsePath(text));
    } catch {
      return "malformed";
    }
  }
  return paths;
}
