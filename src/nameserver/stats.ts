import type { RCODE } from "../dns/index.ts";

/** Name of a response code, as `dig` prints it. */
export type RcodeName = keyof typeof RCODE;

/** What a nameserver did since it started. */
export interface NameserverStats {
  /** Messages that came in. */
  queries: number;
  /** Messages that were no queries and got no answer. */
  dropped: number;
  /** Answers over UDP that did not fit and sent the client to TCP. */
  truncated: number;
  /** Answers by response code. */
  readonly rcodes: Record<RcodeName, number>;
}

/** Counters at zero. */
export function newStats(): NameserverStats {
  return {
    queries: 0,
    dropped: 0,
    truncated: 0,
    rcodes: { NOERROR: 0, FORMERR: 0, NXDOMAIN: 0, NOTIMP: 0, REFUSED: 0, BADVERS: 0 },
  };
}
