import {
  AnswerWriter,
  CLASS_IN,
  type FixedName,
  FLAG,
  HEADER_LENGTH,
  type LiveNames,
  NON_TERMINAL,
  OPT_LENGTH,
  OPTION,
  PLAIN_UDP_SIZE,
  Query,
  type QueryKind,
  RCODE,
  relativeLength,
  setSerial,
  TYPE,
  type Zone,
  type ZoneTransfers,
} from "../dns/index.ts";
import type { Instant, Milliseconds } from "../lib/clock.ts";
import { ALIKE, type RateLimiter } from "./rate-limiter.ts";
import { type CookieVerdict, type ServerCookies, WHOLE_COOKIE } from "./server-cookies.ts";
import type { Source } from "./source.ts";
import { type NameserverStats, newStats, type RcodeName } from "./stats.ts";

/** No answer takes more: a question, 13 name servers with their addresses, the longest names everywhere. */
export const MAX_ANSWER = 16_384;
/** Code and length in front of each option (RFC 6891 section 6.1.2). */
const OPTION_HEADER = 4;
/** The idle time of RFC 7828 section 3.1, in 100 ms. */
const KEEPALIVE_LENGTH = 2;
const KEEPALIVE_UNIT: Milliseconds = 100;

/** What a {@link Responder} answers from. */
export interface ResponderOptions {
  readonly zone: Zone;
  readonly table: LiveNames;
  readonly limiter: RateLimiter;
  readonly cookies: ServerCookies;
  /** How long a connection may be idle, for clients that ask. */
  readonly idle: Milliseconds;
  /** Where the SOA's serial comes from, unless it stays what the zone says. */
  readonly transfers?: Pick<ZoneTransfers, "serial"> | undefined;
  /** Called for each answer that is held back. */
  readonly onLimited?: (from: Source, now: Instant) => void;
}

/**
 * Answers queries for one zone out of its fixed records and the table of live names. Bytes in, bytes out; nothing is
 * allocated but the answer.
 */
export class Responder {
  readonly stats: NameserverStats = newStats();
  readonly #options: ResponderOptions;
  readonly #zone: Zone;
  readonly #table: LiveNames;
  readonly #query = new Query();
  readonly #writer = new AnswerWriter();
  readonly #scratch = new Uint8Array(MAX_ANSWER);

  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#zone = options.zone;
    this.#table = options.table;
  }

  /** The answer to a message; undefined if it gets none. */
  answer(message: Uint8Array, from: Source, now: Instant): Uint8Array | undefined {
    const length = this.write(message, from, now, this.#scratch, 0);
    if (length === 0) return undefined;
    const answer = Buffer.allocUnsafe(length);
    for (let index = 0; index < length; index++) answer[index] = this.#scratch[index] as number;
    return answer;
  }

  /**
   * Writes the answer to a message at `out[start]`, where {@link MAX_ANSWER} bytes must be free.
   * @returns its length; 0 if the message gets no answer
   */
  write(message: Uint8Array, from: Source, now: Instant, out: Uint8Array, start: number): number {
    const { stats } = this;
    const query = this.#query;
    const writer = this.#writer;
    stats.queries++;
    const kind = query.read(message);
    if (kind === "none") {
      stats.dropped++;
      return 0;
    }
    const udp = from.transport === "udp";
    if (kind === "malformed" || kind === "not-implemented") {
      if (udp && this.#limited(from, "FORMERR", now) === "drop") return 0;
      writer.begin(out, start, message, HEADER_LENGTH);
      return this.#finish(0, kind === "malformed" ? "FORMERR" : "NOTIMP");
    }
    writer.begin(out, start, message, query.questionEnd);
    const cookie = query.cookieLength === 0 ? "none" : this.#check(message, from, now);
    // Over TCP, or with a cookie of ours, the client gets what is sent to its address: nobody else can be made a victim.
    const proven = !udp || cookie === "valid";
    if (this.#options.transfers !== undefined) setSerial(this.#zone, this.#options.transfers.serial);
    let rcode = this.#content(kind, cookie, proven);
    let flags: number = kind === "query" && (rcode === "NOERROR" || rcode === "NXDOMAIN") ? FLAG.AUTHORITATIVE : 0;
    const verdict = proven ? "send" : this.#limited(from, rcode, now);
    if (verdict === "drop") return 0;
    const optLength = this.#optLength(udp);
    if (verdict === "slip" && (rcode === "NOERROR" || rcode === "NXDOMAIN")) {
      // An honest client comes back with the cookie it is given, or over TCP. Errors are as short as these, and stay.
      writer.cut();
      if (query.cookieLength > 0) {
        rcode = "BADCOOKIE";
        flags = 0;
      } else flags |= FLAG.TRUNCATED;
    } else if (udp && writer.length + optLength > (proven ? query.udpSize : PLAIN_UDP_SIZE)) {
      // RFC 2181 section 9: no part of what does not fit whole; the client comes back over TCP.
      writer.cut();
      flags |= FLAG.TRUNCATED;
      stats.truncated++;
    }
    if (query.edns) this.#opt(rcode, message, from, now, out);
    return this.#finish(flags, rcode);
  }

  /**
   * Whether a message for the hidden primary may be looked at: over UDP anybody can send those too, so they count as errors do.
   */
  admitsTransfer(from: Source, now: Instant): boolean {
    return this.#options.limiter.count(from, ALIKE.ERROR, this.#query.name, 0, now) === "send";
  }

  /** Writes the sections, as far as the query gets any. */
  #content(kind: QueryKind, cookie: CookieVerdict, proven: boolean): RcodeName {
    if (kind === "bad-option") return "FORMERR";
    if (this.#query.ednsVersion > 0) return "BADVERS";
    // RFC 7873 section 5.4: who asks for nothing but a cookie is told whether the one it has is right.
    if (kind === "cookie") return cookie === "wrong" ? "BADCOOKIE" : "NOERROR";
    return this.#resolve(proven);
  }

  #check(message: Uint8Array, from: Source, now: Instant): CookieVerdict {
    const { cookieAt, cookieLength } = this.#query;
    const verdict = this.#options.cookies.check(message, cookieAt, cookieLength, from, now);
    if (verdict === "wrong") this.stats.badCookies++;
    return verdict;
  }

  /** Counts an answer and says what becomes of it. */
  #limited(from: Source, rcode: RcodeName, now: Instant): "send" | "drop" | "slip" {
    const { limiter, onLimited } = this.#options;
    // A name that exists is counted for itself, NODATA too: strangers know few of them, and all the devices behind
    // one resolver ask for AAAA as well. Names that do not exist are without number, so all of them count as one.
    const alike = rcode === "NOERROR" ? ALIKE.NAME : rcode === "NXDOMAIN" ? ALIKE.MISSING : ALIKE.ERROR;
    const verdict = limiter.count(from, alike, this.#query.name, alike === ALIKE.NAME ? this.#query.nameLength : 0, now);
    if (verdict === "send") return verdict;
    if (verdict === "drop") this.stats.rateLimited++;
    else this.stats.slipped++;
    onLimited?.(from, now);
    return verdict;
  }

  /** Bytes that OPT will take. */
  #optLength(udp: boolean): number {
    const { edns, cookieLength, keepalive } = this.#query;
    if (!edns) return 0;
    const cookie = cookieLength > 0 ? OPTION_HEADER + WHOLE_COOKIE : 0;
    return OPT_LENGTH + cookie + (keepalive && !udp ? OPTION_HEADER + KEEPALIVE_LENGTH : 0);
  }

  #opt(rcode: RcodeName, message: Uint8Array, from: Source, now: Instant, out: Uint8Array): void {
    const { dnssecOk, cookieAt, cookieLength, keepalive } = this.#query;
    const { cookies, idle } = this.#options;
    this.#writer.opt(RCODE[rcode], dnssecOk);
    if (cookieLength > 0) {
      cookies.write(message, cookieAt, from, now, out, this.#writer.option(OPTION.COOKIE, WHOLE_COOKIE));
    }
    // RFC 7828 section 3.2.2: over UDP it is ignored.
    if (keepalive && from.transport === "tcp") {
      const at = this.#writer.option(OPTION.TCP_KEEPALIVE, KEEPALIVE_LENGTH);
      const units = Math.min(0xffff, Math.floor(idle / KEEPALIVE_UNIT));
      out[at] = units >> 8;
      out[at + 1] = units & 0xff;
    }
  }

  #finish(flags: number, rcode: RcodeName): number {
    this.stats.rcodes[rcode]++;
    return this.#writer.finish(flags, RCODE[rcode]);
  }

  /** Finds what is asked for and writes the sections. */
  #resolve(proven: boolean): RcodeName {
    const { name, nameLength, type } = this.#query;
    const relative = this.#query.class === CLASS_IN ? relativeLength(name, nameLength, this.#zone.wire) : -1;
    // Neither a referral to the root nor a transfer: both would make much out of little for anybody who asks.
    if (relative < 0 || type === TYPE.AXFR || type === TYPE.IXFR) return "REFUSED";
    const zoneAt = HEADER_LENGTH + relative;
    if (relative === 0 && this.#apex(zoneAt, proven)) return "NOERROR";
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
  #apex(zoneAt: number, proven: boolean): boolean {
    const { type } = this.#query;
    const { soa, ns, glue } = this.#zone;
    const writer = this.#writer;
    // RFC 8482 section 4.1: to ANY, one of the sets is answer enough.
    if (type === TYPE.SOA || type === TYPE.ANY) {
      writer.answer(soa, zoneAt);
      return true;
    }
    if (type !== TYPE.NS) return false;
    for (const record of ns) writer.answer(record, zoneAt);
    // What the client did not ask for is left out rather than cut, and is nothing to be aimed at others.
    if (!proven) return true;
    let room = this.#query.udpSize - writer.length - this.#optLength(false);
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
