import { StaticUriInvalid } from "./errors.ts";

/** The parts of a URI a device or instance needs to reach it and to recognise it (RFC 3986 section 3). */
export interface Target {
  readonly uri: string;
  /** Lower case, without the colon. */
  readonly scheme: string;
  /** Lower case; an IPv6 literal in brackets, as it stands in the URI. */
  readonly host: string;
  readonly port?: number;
  /** With its leading slash, or empty. Percent-encoded as in the URI. */
  readonly path: string;
  /** Without the question mark; undefined when the URI has none. */
  readonly query?: string;
}

const URI = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?$/;
const AUTHORITY = /^(.*@)?(\[[0-9A-Fa-f:.]+\]|[^:[\]]*)(?::([0-9]*))?$/;
/** pchar of RFC 3986 section 3.3, and the slash. */
const PATH_AND_QUERY = /^(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*$/;

/** Longest LwM2M Server URI this system makes or takes (N5), and the longest host name and label (RFC 1035 section 2.3.4). */
export const MAX_URI = 255;
export const MAX_NAME = 253;
const MAX_LABEL = 63;

/** A URI in parts, of which host, path and query may hold placeholders such as `{token}`. */
export interface Template {
  readonly scheme: string;
  readonly host: string;
  /** With its colon, or empty. */
  readonly port: string;
  readonly path: string;
  readonly query?: string;
}

/**
 * Splits a static URI without checking its host.
 * @throws StaticUriInvalid for what is no absolute URI with a host, and for user information and fragments, which
 *   CoAP URIs do not have (RFC 7252 section 6.1)
 */
export function splitUri(uri: string): Template {
  const fail = (why: string): never => {
    // What stands before an @ may be a password.
    throw new StaticUriInvalid(`static URI "${uri.replace(/\/\/.*@/, "//...@")}": ${why}`);
  };
  const [, scheme = "", authority = "", path = "", query, fragment] =
    URI.exec(uri) ?? fail("write it as coaps://host[:port][/path][?query]");
  const [, user, host = "", port] = AUTHORITY.exec(authority) ?? fail("there is no host with an optional port behind //");
  if (user !== undefined) fail("user information has no place in a bootstrap URI");
  if (fragment !== undefined) fail("a fragment (#) has no place in a bootstrap URI");
  if (host === "") fail("it has no host");
  if (port !== undefined && !(port !== "" && Number(port) >= 1 && Number(port) <= 0xffff)) fail(`"${port}" is no port`);
  for (const part of [path, query ?? ""]) {
    if (!PATH_AND_QUERY.test(part.replaceAll(/\{[a-z]+\}/g, "")))
      fail(`"${part}" holds a character that RFC 3986 does not allow there; percent-encode it`);
    if (!isUtf8(part)) fail(`"${part}" is no UTF-8 behind its percent-encoding`);
  }
  return {
    scheme: scheme.toLowerCase(),
    host: host.replaceAll(/\{[^}]*\}|[^{]+/g, (part) => (part.startsWith("{") ? part : part.toLowerCase())),
    port: port === undefined ? "" : `:${port}`,
    path,
    ...(query === undefined ? {} : { query }),
  };
}

function isUtf8(part: string): boolean {
  try {
    decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

/** Whether a host is an IP address: `[...]`, or in dotted decimal. */
export function isIpLiteral(host: string): boolean {
  return host.startsWith("[") || (/^\d+(\.\d+){3}$/.test(host) && host.split(".").every((part) => Number(part) <= 255));
}

/** Whether the host of a URI is an IP address; it is not where there is no host. */
export function hasIpHost(uri: string): boolean {
  const [, , authority = ""] = URI.exec(uri) ?? [];
  const [, , host = ""] = AUTHORITY.exec(authority) ?? [];
  return isIpLiteral(host);
}

/** What is wrong with a lower-case host name (N5: LDH labels of RFC 1123 section 2.1, lengths), or undefined. */
export function hostProblem(host: string): string | undefined {
  if (host.length > MAX_NAME) return `the host name has ${host.length} characters, at most ${MAX_NAME} are allowed`;
  for (const label of host.split(".")) {
    if (label === "") return "the host name has an empty label (two dots in a row, or one at an end)";
    if (label.length > MAX_LABEL)
      return `a label of the host name has ${label.length} characters, at most ${MAX_LABEL} are allowed`;
    if (!/^[a-z0-9-]*$/.test(label)) return "a host name may hold letters, digits and hyphens only";
    if (label.startsWith("-") || label.endsWith("-")) return "a label of the host name starts or ends with a hyphen";
  }
  // RFC 3986 section 3.2.2 and every resolver read four numbers as an address, and some read fewer so.
  if (/(^|\.)\d+$/.test(host)) return "the last label is all digits, so the host would be read as an IP address";
  return undefined;
}

/**
 * The parts of a URI without placeholders, such as the static URI itself, to which a device falls back.
 * @throws StaticUriInvalid
 */
export function parseTarget(uri: string): Target {
  const parts = splitUri(uri);
  const problem = isIpLiteral(parts.host) ? undefined : hostProblem(parts.host);
  if (problem !== undefined) throw new StaticUriInvalid(`static URI "${uri}": ${problem}`);
  if (/[{}]/.test(uri)) throw new StaticUriInvalid(`static URI "${uri}": placeholders have no place here`);
  return toTarget(parts);
}

/** Puts the parts together again: nothing is added or dropped. */
export function toTarget({ scheme, host, port, path, query }: Template): Target {
  return {
    uri: `${scheme}://${host}${port}${path}${query === undefined ? "" : `?${query}`}`,
    scheme,
    host,
    ...(port === "" ? {} : { port: Number(port.slice(1)) }),
    path,
    ...(query === undefined ? {} : { query }),
  };
}
