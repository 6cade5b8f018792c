import {
  DNSSEC_OK,
  EDNS_UDP_SIZE,
  HEADER_LENGTH,
  MAX_LABEL,
  MAX_NAME,
  OPCODE,
  OPTION,
  PLAIN_UDP_SIZE,
  TYPE,
} from "./constants.ts";
import { skipName, uint16 } from "./in-place.ts";
import { lowerCase } from "./name.ts";

/**
 * What a datagram turned out to be: no query that may be answered at all (RFC 1035 section 4.1.1), one whose header
 * only can be read, one of another operation, one with an option of OPT that cannot be read, one that asks for nothing but
 * a cookie (RFC 7873 section 5.4), or a query.
 */
export type QueryKind = "none" | "malformed" | "not-implemented" | "bad-option" | "cookie" | "query";

/** A client's cookie, and a server's of 8 to 32 bytes beside it or not (RFC 7873 section 4). */
const CLIENT_COOKIE = 8;
const SHORTEST_COOKIES = 16;
const LONGEST_COOKIES = 40;

/**
 * A DNS query, read in place. One object serves for all queries, one after the other: `read` overwrites it.
 * Its fields hold for the last query read, those behind `kind` only if that is `query`.
 */
export class Query {
  /** The name asked for: lower case, wire form with the root's zero; `nameLength` bytes of it. */
  readonly name: Uint8Array = new Uint8Array(MAX_NAME);
  nameLength = 0;
  /** Where the question section ends in the message. */
  questionEnd = 0;
  type = 0;
  class = 0;
  /** Whether the query had an OPT record (RFC 6891); what is below is its content. */
  edns = false;
  ednsVersion = 0;
  dnssecOk = false;
  /** The largest answer the client takes over UDP, bytes, and not more than this server sends. */
  udpSize: number = PLAIN_UDP_SIZE;
  /** Where the cookies stand in the message, client's first, and their bytes together; 0 if there are none (RFC 7873). */
  cookieAt = 0;
  cookieLength = 0;
  /** Whether it asks how long a connection may be idle (RFC 7828). */
  keepalive = false;
  #badOption = false;

  /** Reads a message. Anything at all may be in it. */
  read(message: Uint8Array): QueryKind {
    // A response is never answered: two servers would talk for ever.
    if (message.length < HEADER_LENGTH || ((message[2] as number) & 0x80) !== 0) return "none";
    if ((((message[2] as number) >> 3) & 0x0f) !== OPCODE.QUERY) return "not-implemented";
    // RFC 9619: a query has exactly one question, or none if it wants no more than a cookie.
    const questions = uint16(message, 4);
    if (questions > 1) return "malformed";
    this.edns = false;
    this.ednsVersion = 0;
    this.dnssecOk = false;
    this.udpSize = PLAIN_UDP_SIZE;
    this.cookieLength = 0;
    this.keepalive = false;
    this.#badOption = false;
    this.questionEnd = HEADER_LENGTH;
    this.nameLength = 0;
    let at = questions === 1 ? this.#readQuestion(message) : HEADER_LENGTH;
    const others = uint16(message, 6) + uint16(message, 8);
    // A record has 11 bytes at least, so counts that lie end the loop early.
    for (let left = others; left > 0 && at > 0; left--) at = this.#readRecord(message, at, false);
    for (let left = uint16(message, 10); left > 0 && at > 0; left--) at = this.#readRecord(message, at, true);
    if (at !== message.length) return "malformed";
    if (this.#badOption) return "bad-option";
    if (questions === 1) return "query";
    return this.cookieLength > 0 ? "cookie" : "malformed";
  }

  /** @returns where the section ends, or -1. The name is never compressed: nothing stands before it. */
  #readQuestion(message: Uint8Array): number {
    const name = this.name;
    let at = HEADER_LENGTH;
    let written = 0;
    for (;;) {
      if (at >= message.length) return -1;
      const length = message[at++] as number;
      if (length > MAX_LABEL || written + 1 + length > MAX_NAME || at + length > message.length) return -1;
      name[written++] = length;
      if (length === 0) break;
      for (const end = at + length; at < end; at++) name[written++] = lowerCase(message[at] as number);
    }
    if (at + 4 > message.length) return -1;
    this.nameLength = written;
    this.type = uint16(message, at);
    this.class = uint16(message, at + 2);
    this.questionEnd = at + 4;
    return this.questionEnd;
  }

  /** @returns where the record ends, or -1 */
  #readRecord(message: Uint8Array, start: number, additional: boolean): number {
    const at = skipName(message, start);
    if (at < 0 || at + 10 > message.length) return -1;
    const end = at + 10 + uint16(message, at + 8);
    if (end > message.length) return -1;
    if (uint16(message, at) !== TYPE.OPT) return end;
    // RFC 6891 section 6.1.1: one OPT at most, in the additional section, of the root.
    if (this.edns || !additional || at !== start + 1) return -1;
    this.edns = true;
    this.udpSize = Math.min(EDNS_UDP_SIZE, Math.max(PLAIN_UDP_SIZE, uint16(message, at + 2)));
    this.ednsVersion = message[at + 5] as number;
    this.dnssecOk = (uint16(message, at + 6) & DNSSEC_OK) !== 0;
    // What a later version's options mean, nobody knows yet.
    if (this.ednsVersion === 0) this.#badOption = !this.#readOptions(message, at + 10, end);
    return end;
  }

  /** @returns false if they cannot be read (RFC 6891 section 6.1.2, RFC 7873 section 5.2.2) */
  #readOptions(message: Uint8Array, start: number, end: number): boolean {
    let at = start;
    while (at < end) {
      if (at + 4 > end) return false;
      const code = uint16(message, at);
      const length = uint16(message, at + 2);
      at += 4;
      if (at + length > end) return false;
      // RFC 7873 section 5.2: of several cookies the first counts.
      if (code === OPTION.COOKIE && this.cookieLength === 0) {
        if (length !== CLIENT_COOKIE && (length < SHORTEST_COOKIES || length > LONGEST_COOKIES)) return false;
        this.cookieAt = at;
        this.cookieLength = length;
      } else if (code === OPTION.TCP_KEEPALIVE) this.keepalive = true;
      at += length;
    }
    return true;
  }
}
