import { utf8 } from "../lib/bytes.ts";
import { MalformedContent } from "./errors.ts";
import { formatPath, type Path, parsePath } from "./path.ts";

/** What a client says of itself in its answer to Bootstrap-Discover (LwM2M 1.0, section 5.2.7.3, and later). */
export interface DiscoverAnswer {
  /** LwM2M version of the client, such as `1.1`. */
  readonly lwm2m?: string;
  readonly entries: readonly DiscoverEntry[];
}

/** An Object or Object Instance the client has. */
export interface DiscoverEntry {
  readonly path: Path;
  /** Short Server ID; the bootstrap account, alone among the instances of /0, has none. */
  readonly ssid?: number;
  /** LwM2M Server URI of an instance of /0. */
  readonly uri?: string;
  /** Version of the Object. */
  readonly ver?: string;
}

const ENABLER = /\s*lwm2m\s*=\s*(?:"([^"]*)"|([^",;\s]*))\s*/y;
const TARGET = /\s*<([^<>]*)>\s*/y;
const ATTRIBUTE = /;\s*([^\s=;,"<>]+)\s*(?:=\s*(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([^",;\s<>]*))\s*)?/sy;

/**
 * Reads link format (RFC 6690), Content-Format 40, in the form of LwM2M 1.1 and later, `</>;lwm2m=1.1,</0/0>,...`,
 * and in that of 1.0, `lwm2m="1.0",</0>,</0/1>`. Links that are not LwM2M paths and attributes that are not
 * named in {@link DiscoverEntry} are passed over.
 * @throws MalformedContent
 */
export function decodeDiscover(payload: Uint8Array): DiscoverAnswer {
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("utf8");
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  const enabler = match(ENABLER);
  let lwm2m = enabler?.[1] ?? enabler?.[2];
  const entries: DiscoverEntry[] = [];
  let first = enabler === null;
  while (at < text.length) {
    if (!first) {
      if (text[at] !== ",") throw new MalformedContent(`link format: expected "," at character ${at}`);
      at += 1;
    }
    first = false;
    const target = match(TARGET);
    if (target === null) throw new MalformedContent(`link format: expected "<" at character ${at}`);
    const attributes = new Map<string, string>();
    for (let found = match(ATTRIBUTE); found !== null; found = match(ATTRIBUTE)) {
      attributes.set(found[1] ?? "", found[2]?.replaceAll(/\\(.)/gs, "$1") ?? found[3] ?? "");
    }
    if (target[1] === "/") lwm2m = attributes.get("lwm2m") ?? lwm2m ?? "";
    else entries.push(...toEntry(target[1] ?? "", attributes));
  }
  return { ...(lwm2m === undefined || lwm2m === "" ? {} : { lwm2m }), entries };
}

function toEntry(target: string, attributes: ReadonlyMap<string, string>): DiscoverEntry[] {
  let path: Path;
  try {
    // The examples of LwM2M 1.0 write </0/1/> as well.
    path = parsePath(target.replace(/(.)\/$/, "$1"));
  } catch {
    return [];
  }
  const [ssid, uri, ver] = [attributes.get("ssid"), attributes.get("uri"), attributes.get("ver")];
  if (ssid !== undefined && !/^\d{1,5}$/.test(ssid))
    throw new MalformedContent(`link format: ${target} has an ssid that is no number`);
  return [
    {
      path,
      ...(ssid === undefined ? {} : { ssid: Number(ssid) }),
      ...(uri === undefined ? {} : { uri }),
      ...(ver === undefined ? {} : { ver }),
    },
  ];
}

/** The link format of an answer, in the form of its LwM2M version: 1.0 has its own. */
export function encodeDiscover(answer: DiscoverAnswer): Uint8Array {
  const links: string[] = [];
  if (answer.lwm2m === "1.0") links.push('lwm2m="1.0"');
  else if (answer.lwm2m !== undefined) links.push(`</>;lwm2m=${answer.lwm2m}`);
  for (const { path, ssid, uri, ver } of answer.entries) {
    let link = `<${formatPath(path)}>`;
    if (ssid !== undefined) link += `;ssid=${ssid}`;
    if (uri !== undefined) link += `;uri="${uri.replaceAll(/["\\]/g, "\\$&")}"`;
    if (ver !== undefined) link += `;ver=${ver}`;
    links.push(link);
  }
  return utf8(links.join(","));
}
