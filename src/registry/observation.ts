import {
  buildQuery,
  CLASS_IN,
  FLAG,
  type Message,
  type NameState,
  RCODE,
  readMessage,
  serialIsNewer,
  soaSerial,
  TYPE,
} from "../dns/index.ts";
import { errorText } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";
import type { DnsServer } from "../net/index.ts";

/** Sends one message and gives the answer to it; rejects if none comes in time. */
export type Ask = (server: DnsServer, message: Uint8Array) => Promise<Uint8Array>;

/** A change that was published, by which it can be told whether a server has it. */
export interface Mark {
  readonly serial: number | null;
  readonly samples: readonly NameState[];
}

/** What a server said. */
export interface Observation {
  readonly serial: number | null;
  /** The latest of the marks that it has; -1 if none of them. */
  readonly has: number;
  /** Its serial says it has a mark, but a name shows another state than with that. */
  readonly contradicts: boolean;
  /** Why it is of no use as it is, in words; null if it is. */
  readonly fault: string | null;
}

/** What {@link observe} needs. */
export interface ObserveOptions {
  readonly ask: Ask;
  readonly random: Random;
  readonly server: DnsServer;
  /** Name of the zone, as text and in wire form. */
  readonly zone: string;
  readonly wire: Uint8Array;
  /** Changes in their order. A server that has one has those before. */
  readonly marks: readonly Mark[];
}

/** What failing rcodes mean for a server of the zone (RFC 1035 section 4.1.1). */
const RCODE_WORDS: Readonly<Record<number, string>> = {
  [RCODE.SERVFAIL]: "it fails (SERVFAIL): it could not load the zone, or could not refresh it for so long that it expired",
  [RCODE.REFUSED]: "it refuses (REFUSED): the zone is not configured there, or this host may not ask",
  [RCODE.NOTAUTH]: "it is not authoritative (NOTAUTH): the zone is not configured there",
};

/**
 * Asks a server for the zone's serial, and which of the changes it has. Serials alone do not tell where a secondary signs
 * the zone and counts for itself, so the samples of a change have to show too. Never rejects.
 */
export async function observe(options: ObserveOptions): Promise<Observation> {
  const { zone, wire, marks } = options;
  try {
    const answer = await askFor(options, wire, TYPE.SOA);
    const soa = answer.answers.find(({ type }) => type === TYPE.SOA);
    const fault = faultOf(answer, zone) ?? (soa === undefined ? `it answers without a SOA record of ${zone}` : null);
    if (soa === undefined || fault !== null) return { serial: null, has: -1, contradicts: false, fault };
    const serial = soaSerial(soa);
    const bySerial = marks.findLastIndex((mark) => mark.serial === null || !serialIsNewer(mark.serial, serial));
    const has = await latestShown(options, bySerial);
    const said = marks[bySerial]?.serial;
    return { serial, has, contradicts: has < bySerial && said !== null, fault: null };
  } catch (error) {
    return { serial: null, has: -1, contradicts: false, fault: errorText(error) };
  }
}

/**
 * Which of the marks up to `newest` shows. Few are tried, as each costs questions: the newest; then the oldest, as a server
 * behind has that first; and one in the middle, as a name of the oldest may have changed again.
 */
async function latestShown(options: ObserveOptions, newest: number): Promise<number> {
  for (const index of new Set([newest, newest >> 1, 0])) {
    const mark = options.marks[index];
    if (mark === undefined || index > newest) continue;
    const shown = await Promise.all(mark.samples.map((sample) => shows(options, sample)));
    if (shown.every(Boolean)) return index;
  }
  return -1;
}

/**
 * Whether a name is in a state at the server: its addresses of both families, or none. An answer that is missing or cut off
 * says nothing: rate limits count names that do not exist more strictly than others.
 */
async function shows(options: ObserveOptions, { name, ipv4, ipv6 }: NameState): Promise<boolean> {
  const whole = new Uint8Array(name.length + options.wire.length);
  whole.set(name);
  whole.set(options.wire, name.length);
  try {
    const four = await askFor(options, whole, TYPE.A);
    if (!hasJust(four, TYPE.A, ipv4)) return false;
    if (four.rcode === RCODE.NXDOMAIN) return ipv6 === undefined;
    return hasJust(await askFor(options, whole, TYPE.AAAA), TYPE.AAAA, ipv6);
  } catch {
    return false;
  }
}

async function askFor({ ask, random, server }: ObserveOptions, name: Uint8Array, type: number): Promise<Message> {
  const [high = 0, low = 0] = random.bytes(2);
  return readMessage(await ask(server, buildQuery((high << 8) | low, { name, type, class: CLASS_IN })));
}

function hasJust({ rcode, flags, answers }: Message, type: number, address: Uint8Array | undefined): boolean {
  const isCut = (flags & FLAG.TRUNCATED) !== 0;
  if (isCut || (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN)) return false;
  const addresses = answers.filter((record) => record.type === type);
  if (address === undefined) return addresses.length === 0;
  const [only] = addresses;
  return addresses.length === 1 && only !== undefined && Buffer.compare(only.data, address) === 0;
}

/** Why a server that answered so does not serve the zone; null if it does. */
function faultOf({ rcode, flags }: Message, zone: string): string | null {
  if (rcode !== RCODE.NOERROR) return RCODE_WORDS[rcode] ?? `it answers with rcode ${rcode}, so it does not serve ${zone}`;
  if ((flags & FLAG.TRUNCATED) !== 0)
    return "it cuts its answers off (TC): its rate limit holds this host back, which should be exempt";
  const authoritative = (flags & FLAG.AUTHORITATIVE) !== 0;
  return authoritative ? null : `it answers without authority (no AA), so it does not serve ${zone} itself`;
}
