import type { CoapRequest } from "../coap/index.ts";
import type { Target } from "../naming/index.ts";

const COAP_PORT = 5683;
const COAPS_PORT = 5684;

/** The port a bootstrap URI means (RFC 7252 sections 6.1 and 6.2). */
export function portOf(target: Target): number {
  return target.port ?? (target.scheme === "coaps" ? COAPS_PORT : COAP_PORT);
}

/** Whether a host is a literal address: it goes into no Uri-Host and no SNI. */
export function isLiteral(host: string): boolean {
  return host.startsWith("[") || /^\d+(\.\d+){3}$/.test(host);
}

/**
 * The Bootstrap-Request (LwM2M Core 1.1, section 6.1.7.1): `POST /bs?ep=..&pct=..`. Path and query of the URI come
 * first, as a token may stand in them (N5); Uri-Host says which name was used (RFC 7252 section 6.4).
 * @param format the Content-Format the client prefers (`pct`); LwM2M 1.0 has none
 */
export function bootstrapRequest(target: Target, endpoint: string, format: number | undefined): CoapRequest {
  const segments = target.path.split("/").filter((segment) => segment !== "");
  const query = target.query === undefined || target.query === "" ? [] : target.query.split("&");
  return {
    method: "POST",
    path: [...segments.map(unescaped), "bs"],
    query: [...query.map(unescaped), `ep=${endpoint}`, ...(format === undefined ? [] : [`pct=${format}`])],
    ...(isLiteral(target.host) ? {} : { uriHost: target.host }),
  };
}

/** What is escaped in a URI but is no UTF-8 stays as it is written: CoAP has strings only. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
