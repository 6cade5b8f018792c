import {
  AnswerWriter,
  CLASS_IN,
  type FixedName,
  FLAG,
  HEADER_LENGTH,
  NON_TERMINAL,
  OPT_LENGTH,
  Query,
  RCODE,
  relativeLength,
  setSerial,
  TYPE,
  type Zone,
  type ZoneTable,
  type ZoneTransfers,
} from "../dns/index.ts";
import { type NameserverStats, newStats, type RcodeName } from "./stats.ts";

/** How a query came: over UDP an answer that does not fit is cut (RFC 1035 section 4.2). */
export type Transport = "udp" | "tcp";

/** No answer takes more: a question, 13 name servers with their addresses, the longest names everywhere. */
export const MAX_ANSWER = 16_384;

/**
 * Answers queries for one zone out of its fixed records and the table of live names. Bytes in, bytes out; nothing is
 * allocated but the answer.
 */
export class Responder {
  readonly stats: NameserverStats = newStats();
  readonly #zone: Zone;
  readonly #table: ZoneTable;
  readonly #transfers: Pick<ZoneTransfers, "serial"> | undefined;
  readonly #query = new Query();
  readonly #writer = new AnswerWriter();
  readonly #scratch = new Uint8Array(MAX_ANSWER);

  /** @param transfers where the SOA's serial comes from, unless it stays what the zone says */
  constructor(zone: Zone, table: ZoneTable, transfers?: Pick<ZoneTransfers, "serial">) {
    this.#zone = zone;
    this.#table = table;
    this.#transfers = transfers;
  }

  /** The answer to a message; undefined if it gets none. */
  answer(message: Uint8Array, transport: Transport): Uint8Array | undefined {
    const length = this.write(message, transport, this.#scratch, 0);
    if (length === 0) return undefined;
    const answer = Buffer.allocUnsafe(length);
    for (let index = 0; index < length; index++) answer[index] = this.#scratch[index] as number;
    return answer;
  }

  /**
   * Writes the answer to a message at `out[start]`, where {@link MAX_ANSWER} bytes must be free.
   * @returns its length; 0 if the message gets no answer
   */
  write(message: Uint8Array, transport: Transport, out: Uint8Array, start: number): number {
    this.stats.queries++;
    const query = this.#query;
    const writer = this.#writer;
    const kind = query.read(message);
    if (kind === "none") {
      this.stats.dropped++;
      return 0;
    }
    if (kind !== "query") {
      writer.begin(out, start, message, HEADER_LENGTH);
      return this.#finish(0, kind === "malformed" ? "FORMERR" : "NOTIMP");
    }
    writer.begin(out, start, message, query.questionEnd);
    if (this.#transfers !== undefined) setSerial(this.#zone, this.#transfers.serial);
    const rcode = query.edns && query.ednsVersion > 0 ? "BADVERS" : this.#resolve();
    let flags: number = rcode === "NOERROR" || rcode === "NXDOMAIN" ? FLAG.AUTHORITATIVE : 0;
    if (transport === "udp" && writer.length + (query.edns ? OPT_LENGTH : 0) > query.udpSize) {
      // RFC 2181 section 9: no part of what does not fit whole; the client comes back over TCP.
      writer.cut();
      flags |= FLAG.TRUNCATED;
      this.stats.truncated++;
    }
    if (query.edns) writer.opt(RCODE[rcode], query.dnssecOk);
    return this.#finish(flags, rcode);
  }

  #finish(flags: number, rcode: RcodeName): number {
    this.stats.rcodes[rcode]++;
    return this.#writer.finish(flags, RCODE[rcode]);
  }

  /** Finds what is asked for and writes the sections. */
  #resolve(): RcodeName {
    const { name, nameLength, type } = this.#query;
    const relative = this.#query.class === CLASS_IN ? relativeLength(name, nameLength, this.#zone.wire) : -1;
    // Neither a referral to the root nor a transfer: both would make much out of little for anybody who asks.
    if (relative < 0 || type === TYPE.AXFR || type === TYPE.IXFR) return "REFUSED";
    const zoneAt = HEADER_LENGTH + relative;
    if (relative === 0 && this.#apex(zoneAt)) return "NOERROR";
    const fixed = this.#fixed(relative);
    if (fixed !== undefined) return this.#addresses(fixed.ipv4, fixed.ipv6, zoneAt);
    const instance = this.#table.lookup(name, relative);
    const ipv4 = instance >= 0 ? this.#table.addresses.ipv4(instance) : undefined;
    const ipv6 = instance >= 0 ? this.#table.addresses.ipv6For(instance, name, relative) : undefined;
    if (ipv4 === undefined && ipv6 === undefined && relative > 0 && instance !== NON_TERMINAL) {
      this.#writer.authority(this.#zone.soa, zoneAt);
      return "NXDOMAIN";
    }
    return this.#addresses(ipv4, ipv6, zoneAt);
  }

  /** Answers for records that only the zone's own name has; says whether it was for one of those. */
  #apex(zoneAt: number): boolean {
    const { type, edns, udpSize } = this.#query;
    const { soa, ns, glue } = this.#zone;
    const writer = this.#writer;
    // RFC 8482 section 4.1: to ANY, one of the sets is answer enough.
    if (type === TYPE.SOA || type === TYPE.ANY) {
      writer.answer(soa, zoneAt);
      return true;
    }
    if (type !== TYPE.NS) return false;
    for (const record of ns) writer.answer(record, zoneAt);
    // What the client did not ask for is left out rather than cut.
    let room = udpSize - writer.length - (edns ? OPT_LENGTH : 0);
    for (const record of glue) {
      room -= record.bytes.length;
      if (room >= 0) writer.additional(record, zoneAt);
    }
    return true;
  }

  /** The answer for a name with these addresses; the SOA where there is none of the type (NODATA, RFC 2308 section 2.2). */
  #addresses(ipv4: Uint8Array | undefined, ipv6: Uint8Array | undefined, zoneAt: number): RcodeName {
    const { type } = this.#query;
    const { ttl, soa } = this.#zone;
    // One address at most, also to ANY: embedded resolvers take the first and are done.
    if (ipv4 !== undefined && (type === TYPE.A || type === TYPE.ANY)) this.#writer.address(TYPE.A, ttl, ipv4);
    else if (ipv6 !== undefined && (type === TYPE.AAAA || type === TYPE.ANY)) this.#writer.address(TYPE.AAAA, ttl, ipv6);
    else this.#writer.authority(soa, zoneAt);
    return "NOERROR";
  }

  /** The name server, or name above one, that the query's name is. */
  #fixed(relative: number): FixedName | undefined {
    const { name } = this.#query;
    for (const fixed of this.#zone.fixed) {
      if (fixed.name.length !== relative) continue;
      let same = 0;
      while (same < relative && fixed.name[same] === name[same]) same++;
      if (same === relative) return fixed;
    }
    return undefined;
  }
}
