import { BerthError } from "../lib/errors.ts";
import { RCODE } from "./constants.ts";

/** Codes that fit the header; what is above has other meanings in TSIG and in OPT. */
const IN_HEADER = 0x0f;
const NAMES = new Map<number, string>(
  Object.entries(RCODE).flatMap(([name, rcode]) => (rcode <= IN_HEADER ? [[rcode, name]] : [])),
);

/** The name of a response code, `RCODE23` for one without. */
export function rcodeName(rcode: number): string {
  return NAMES.get(rcode) ?? `RCODE${rcode}`;
}

/** A server answered with an error. Its code is the name of the response code in lower case, such as `refused` or `nxrrset`. */
export class ErrorAnswer extends BerthError {
  readonly rcode: number;

  constructor(rcode: number, what: string) {
    super(rcodeName(rcode).toLowerCase(), `${what}: the server answers ${rcodeName(rcode)}`);
    this.rcode = rcode;
  }
}
