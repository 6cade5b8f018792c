/** Record types (RFC 1035 section 3.2.2, RFC 3596, RFC 6891, RFC 8945), of those that are treated in a way of their own. */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  OPT: 41,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

/** The Internet class (RFC 1035 section 3.2.4). */
export const CLASS_IN = 1;
/** In an update, what must not be, or the one record to be deleted (RFC 2136 sections 2.4 and 2.5). */
export const CLASS_NONE = 254;
/** In an update, what must be whatever its value, or the whole RRset to be deleted (RFC 2136 sections 2.4 and 2.5). */
export const CLASS_ANY = 255;

/** Operation codes (RFC 1035 section 4.1.1, RFC 1996, RFC 2136). */
export const OPCODE = { QUERY: 0, NOTIFY: 4, UPDATE: 5 } as const;

/**
 * Response codes (RFC 1035 section 4.1.1, RFC 2136 section 2.2, RFC 8945 section 3); of BADVERS (RFC 6891 section 9) and BADCOOKIE
 * (RFC 7873 section 8) OPT carries the upper bits.
 */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  BADVERS: 16,
  BADCOOKIE: 23,
} as const;

/** Bits of the third and fourth byte of the header, as one 16-bit number (RFC 1035 section 4.1.1). */
export const FLAG = { RESPONSE: 0x8000, AUTHORITATIVE: 0x0400, TRUNCATED: 0x0200, RECURSION_DESIRED: 0x0100 } as const;

/** Bytes of the message header (RFC 1035 section 4.1.1). */
export const HEADER_LENGTH = 12;
/** Longest label (RFC 1035 section 2.3.4). */
export const MAX_LABEL = 63;
/** Longest name in wire form, with its length bytes and the root's (RFC 1035 section 2.3.4). */
export const MAX_NAME = 255;
/** Largest message over UDP to a client without EDNS (RFC 1035 section 4.2.1). */
export const PLAIN_UDP_SIZE = 512;
/** Largest message over UDP that is sent or announced: it is not fragmented anywhere (DNS Flag Day 2020). */
export const EDNS_UDP_SIZE = 1232;
/** Length of an OPT record without options (RFC 6891 section 6.1.2). */
export const OPT_LENGTH = 11;
/** Options of OPT (RFC 7873 section 4, RFC 7828 section 3.1). */
export const OPTION = { COOKIE: 10, TCP_KEEPALIVE: 11 } as const;
/** The DO bit among the flags of OPT (RFC 3225 section 3). */
export const DNSSEC_OK = 0x8000;
