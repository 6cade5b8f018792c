/** Algorithms of TSIG that are spoken here (RFC 8945 section 6). */
export type TsigAlgorithm = "hmac-sha256" | "hmac-sha512";

/** A key that two DNS servers share. */
export interface TsigKey {
  /** Its name on both sides, such as `berth.`; case and a dot at the end do not matter. */
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  readonly secret: Uint8Array;
}
