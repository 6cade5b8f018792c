import {
  AnswerWriter,
  CLASS_IN,
  type FixedName,
  FLAG,
  HEADER_LENGTH,
  type NameState,
  OPT_LENGTH,
  type Query,
  RCODE,
  relativeLength,
  TYPE,
  type Zone,
  type ZoneContents,
} from "../dns/index.ts";

/** A question, 13 name servers with their addresses, the longest names everywhere. */
const LARGEST = 16_384;

/** Answers to signed queries that are no transfers: a secondary asks for the serial, an operator for a name (`dig -y`). */
export class PrimaryAnswers {
  readonly #zone: Zone;
  readonly #writer = new AnswerWriter();
  readonly #scratch = new Uint8Array(LARGEST);

  constructor(zone: Zone) {
    this.#zone = zone;
  }

  /** An answer without records. @param query read from `message`; undefined if only its header could be */
  empty(message: Uint8Array, query: Query | undefined, rcode: number): Uint8Array {
    this.#writer.begin(this.#scratch, 0, message, query?.questionEnd ?? HEADER_LENGTH);
    return this.#finish(query, 0, rcode);
  }

  /** The answer out of the zone. The zone's SOA has to have the right serial. @param room bytes it may have */
  answer(message: Uint8Array, query: Query, contents: ZoneContents, room: number): Uint8Array {
    const relative = query.class === CLASS_IN ? relativeLength(query.name, query.nameLength, this.#zone.wire) : -1;
    if (relative < 0) return this.empty(message, query, RCODE.REFUSED);
    if (query.edns && query.ednsVersion > 0) return this.empty(message, query, RCODE.BADVERS);
    const writer = this.#writer;
    writer.begin(this.#scratch, 0, message, query.questionEnd);
    const rcode = this.#resolve(query, relative, contents);
    if (writer.length + OPT_LENGTH <= room) return this.#finish(query, FLAG.AUTHORITATIVE, rcode);
    writer.cut();
    return this.#finish(query, FLAG.AUTHORITATIVE | FLAG.TRUNCATED, rcode);
  }

  #resolve({ name, type }: Query, relative: number, contents: ZoneContents): number {
    const { soa, ns, ttl } = this.#zone;
    const zoneAt = HEADER_LENGTH + relative;
    if (relative === 0 && (type === TYPE.SOA || type === TYPE.ANY)) this.#writer.answer(soa, zoneAt);
    else if (relative === 0 && type === TYPE.NS) for (const record of ns) this.#writer.answer(record, zoneAt);
    else {
      const state = relative === 0 ? undefined : this.#state(name.subarray(0, relative), contents);
      const { ipv4, ipv6 } = state ?? {};
      // To ANY, one of the sets is answer enough (RFC 8482 section 4.1).
      if (ipv4 !== undefined && (type === TYPE.A || type === TYPE.ANY)) this.#writer.address(TYPE.A, ttl, ipv4);
      else if (ipv6 !== undefined && (type === TYPE.AAAA || type === TYPE.ANY)) this.#writer.address(TYPE.AAAA, ttl, ipv6);
      else this.#writer.authority(soa, zoneAt);
      if (relative > 0 && state === undefined && !isAbove(name.subarray(0, relative), contents)) return RCODE.NXDOMAIN;
    }
    return RCODE.NOERROR;
  }

  #state(name: Uint8Array, contents: ZoneContents): NameState | FixedName | undefined {
    return this.#zone.fixed.find((fixed) => Buffer.compare(fixed.name, name) === 0) ?? contents.get(name);
  }

  #finish(query: Query | undefined, flags: number, rcode: number): Uint8Array {
    if (query?.edns === true) this.#writer.opt(rcode, query.dnssecOk);
    return this.#scratch.slice(0, this.#writer.finish(flags, rcode));
  }
}

/** Whether names lie below this one, so that it exists (RFC 8020 section 2). It looks at all: only who has the key may ask. */
function isAbove(name: Uint8Array, contents: ZoneContents): boolean {
  for (const { name: other } of contents.entries()) {
    // Nearly all have one label, with which this costs nothing.
    for (let at = 1 + (other[0] as number); at < other.length; at += 1 + (other[at] as number)) {
      if (other.length - at === name.length && Buffer.compare(other.subarray(at), name) === 0) return true;
    }
  }
  return false;
}
