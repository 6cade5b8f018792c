import { BerthError } from "../lib/errors.ts";

/** Names of response codes by number (RFC 1035 section 4.1.1, RFC 2136 section 2.2, RFC 8945 section 3). */
const NAMES = [
  "NOERROR",
  "FORMERR",
  "SERVFAIL",
  "NXDOMAIN",
  "NOTIMP",
  "REFUSED",
  "YXDOMAIN",
  "YXRRSET",
  "NXRRSET",
  "NOTAUTH",
  "NOTZONE",
] as const;

/** The name of a response code, `RCODE23` for one without. */
export function rcodeName(rcode: number): string {
  return NAMES[rcode] ?? `RCODE${rcode}`;
}

/** A server answered with an error. Its code is the name of the response code in lower case, such as `refused` or `nxrrset`. */
export class ErrorAnswer extends BerthError {
  readonly rcode: number;

  constructor(rcode: number, what: string) {
    super(rcodeName(rcode).toLowerCase(), `${what}: the server answers ${rcodeName(rcode)}`);
    this.rcode = rcode;
  }
}
