import { InvalidInput } from "../lib/errors.ts";

/** IANA name of a cipher suite Berth speaks. */
export type CipherSuite =
  | "TLS_PSK_WITH_AES_128_CCM_8"
  | "TLS_PSK_WITH_AES_128_GCM_SHA256"
  | "TLS_PSK_WITH_AES_128_CBC_SHA256"
  | "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256"
  | "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256";

interface Suite {
  /** The IANA code point. */
  readonly code: number;
  /** OpenSSL's name, as its `-cipher` option and its cipher lists want it. */
  readonly openssl: string;
  /** What encryption adds to a record at least, in bytes: explicit nonce and tag, or IV, MAC and padding. */
  readonly overhead: number;
}

/**
 * The cipher suites Berth speaks, in the order it prefers them. Every LwM2M device with a PSK has CCM_8 (RFC 6655) or
 * CBC_SHA256 (RFC 5487); the others are RFC 5487 (GCM), RFC 7905 and RFC 5489 (ephemeral Diffie-Hellman, which costs four
 * times the CPU and keeps recorded traffic secret should the PSK leak one day).
 */
export const CIPHER_SUITES: Readonly<Record<CipherSuite, Suite>> = {
  TLS_PSK_WITH_AES_128_CCM_8: { code: 0xc0a8, openssl: "PSK-AES128-CCM8", overhead: 8 + 8 },
  TLS_PSK_WITH_AES_128_GCM_SHA256: { code: 0x00a8, openssl: "PSK-AES128-GCM-SHA256", overhead: 8 + 16 },
  TLS_PSK_WITH_AES_128_CBC_SHA256: { code: 0x00ae, openssl: "PSK-AES128-CBC-SHA256", overhead: 16 + 32 + 16 },
  TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256: { code: 0xccac, openssl: "ECDHE-PSK-CHACHA20-POLY1305", overhead: 16 },
  TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256: { code: 0xc037, openssl: "ECDHE-PSK-AES128-CBC-SHA256", overhead: 16 + 32 + 16 },
};

const SUITES = Object.entries(CIPHER_SUITES) as readonly (readonly [CipherSuite, Suite])[];

/** All suites, most wanted first. */
export const ALL_SUITES: readonly CipherSuite[] = SUITES.map(([name]) => name);

const BY_CODE = new Map(SUITES.map(([name, { code }]) => [code, name]));

/** The suite with that IANA code point. */
export function suiteOfCode(code: number): CipherSuite | undefined {
  return BY_CODE.get(code);
}

/**
 * OpenSSL's cipher list for `suites`. Security level 0, because OpenSSL counts an 8-byte tag as 64 bits of security and
 * would not offer CCM_8 on its usual level 1. The list names single suites, so the level lets nothing else in.
 * @throws InvalidInput for an empty list or an unknown name
 */
export function cipherList(suites: readonly CipherSuite[]): string {
  if (suites.length === 0) throw new InvalidInput("cipherSuites: at least one is needed");
  const names = suites.map((name) => {
    const suite = CIPHER_SUITES[name] as Suite | undefined;
    if (suite === undefined) throw new InvalidInput(`cipherSuites: unknown "${name}"; known are ${ALL_SUITES.join(", ")}`);
    return suite.openssl;
  });
  return `${names.join(":")}:@SECLEVEL=0`;
}
