/** Names of the response codes that the nameserver answers with, as `dig` prints them. */
export type RcodeName = "NOERROR" | "FORMERR" | "NXDOMAIN" | "NOTIMP" | "REFUSED" | "BADVERS" | "BADCOOKIE";

/** What a nameserver did since it started: counters that only grow, for whoever shows them. */
export interface NameserverStats {
  /** Messages that came in. */
  queries: number;
  /** Messages that were no queries and got no answer. */
  dropped: number;
  /** Answers over UDP that did not fit and sent the client to TCP. */
  truncated: number;
  /** Queries that got no answer, because their network had too many alike already. */
  rateLimited: number;
  /** Answers over that limit that went out in short: with TC, with BADCOOKIE, or an error as it is. */
  slipped: number;
  /** Queries with a server cookie that is none of ours, or too old. */
  badCookies: number;
  /** TCP connections that were refused, or closed to make room for others. */
  tcpRefused: number;
  /** Answers by response code. */
  readonly rcodes: Record<RcodeName, number>;
}

/** Counters at zero. */
export function newStats(): NameserverStats {
  return {
    queries: 0,
    dropped: 0,
    truncated: 0,
    rateLimited: 0,
    slipped: 0,
    badCookies: 0,
    tcpRefused: 0,
    rcodes: { NOERROR: 0, FORMERR: 0, NXDOMAIN: 0, NOTIMP: 0, REFUSED: 0, BADVERS: 0, BADCOOKIE: 0 },
  };
}

/** What several threads counted together. */
export function sumOfStats(all: readonly NameserverStats[]): NameserverStats {
  const sum = newStats();
  for (const { rcodes, ...counts } of all) {
    for (const [name, count] of Object.entries(counts)) sum[name as keyof typeof counts] += count;
    for (const [name, count] of Object.entries(rcodes)) sum.rcodes[name as RcodeName] += count;
  }
  return sum;
}
