import type { CoapRequest } from "../coap/index.ts";
import { isPackFormat } from "../lwm2m/index.ts";
import { isIpLiteral, type Target } from "../naming/index.ts";

const COAP_PORT = 5683;
const COAPS_PORT = 5684;

/** The port a bootstrap URI means (RFC 7252 sections 6.1 and 6.2). */
export function portOf(target: Target): number {
  return target.port ?? (target.scheme === "coaps" ? COAPS_PORT : COAP_PORT);
}

/** What a device asks of its bootstrap server. */
export type Question =
  /** Its whole configuration in one answer. */
  | { readonly kind: "pack"; readonly format: number }
  /** To be configured, preferably in this format (`pct`); LwM2M 1.0 has none. */
  | { readonly kind: "bootstrap"; readonly format: number | undefined };

/**
 * What to ask, one after the other until the server agrees: for a Pack, then to be configured in each format, at last in
 * whichever the server likes.
 * @param formats what the device prefers, best first
 */
export function questions(formats: readonly number[], pack: boolean): Question[] {
  const packFormat = pack ? formats.find(isPackFormat) : undefined;
  return [
    ...(packFormat === undefined ? [] : [{ kind: "pack", format: packFormat } as const]),
    ...[...formats, undefined].map((format) => ({ kind: "bootstrap", format }) as const),
  ];
}

/**
 * The Bootstrap-Request (LwM2M Core 1.1, section 6.1.7.1), `POST /bs?ep=..&pct=..`, or the Bootstrap-Pack-Request
 * (1.2, section 6.1.7.7), `GET /bspack?ep=..&acc=..`. Path and query of the URI come first, as a token may stand in them
 * (N5); Uri-Host says which name was used (RFC 7252 section 6.4).
 * @param links the bootstrap account, for a Pack
 */
export function toRequest(question: Question, target: Target, endpoint: string, links: string): CoapRequest {
  const segments = target.path.split("/").filter((segment) => segment !== "");
  const query = target.query === undefined || target.query === "" ? [] : target.query.split("&");
  const path = segments.map(unescaped);
  const start = [...query.map(unescaped), `ep=${endpoint}`];
  // Uri-Host is for names (RFC 7252 section 6.4).
  const uriHost = isIpLiteral(target.host) ? {} : { uriHost: target.host };
  if (question.kind === "pack") {
    return { method: "GET", path: [...path, "bspack"], query: [...start, `acc=${links}`], accept: question.format, ...uriHost };
  }
  const pct = question.format === undefined ? [] : [`pct=${question.format}`];
  return { method: "POST", path: [...path, "bs"], query: [...start, ...pct], ...uriHost };
}

/** What is escaped in a URI but is no UTF-8 stays as it is written: CoAP has strings only. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
