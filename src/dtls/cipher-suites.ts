import { InvalidInput } from "../lib/errors.ts";

/** IANA name of a cipher suite Berth speaks. */
export type CipherSuite =
  | "TLS_PSK_WITH_AES_128_CCM_8"
  | "TLS_PSK_WITH_AES_128_GCM_SHA256"
  | "TLS_PSK_WITH_AES_128_CBC_SHA256"
  | "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256"
  | "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256"
  | "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"
  | "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
  | "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"
  | "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
  | "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256";

interface Suite {
  /** The IANA code point. */
  readonly code: number;
  /** OpenSSL's name, as its `-cipher` option and its cipher lists want it. */
  readonly openssl: string;
  /** What encryption adds to a record at least, in bytes: explicit nonce and tag, or IV, MAC and padding. */
  readonly overhead: number;
  /** How the two prove who they are: by a key both hold, or by certificates or raw public keys. */
  readonly proof: SuiteProof;
}

export type SuiteProof = "psk" | "certificate";

// What each kind of encryption adds to a record: explicit nonce and tag; or IV, MAC and padding.
const CCM_8: number = 8 + 8;
const GCM: number = 8 + 16;
const POLY1305 = 16;
const CBC_SHA256: number = 16 + 32 + 16;

/**
 * The cipher suites Berth speaks, in the order it prefers them. Every LwM2M device with a PSK has CCM_8 (RFC 6655) or
 * CBC_SHA256 (RFC 5487); the others are RFC 5487 (GCM), RFC 7905 and RFC 5489 (ephemeral Diffie-Hellman, which costs four
 * times the CPU and keeps recorded traffic secret should the PSK leak one day). The suites with certificates come after
 * them, so that a client that offers both costs little: CCM_8 (RFC 7251) and CBC_SHA256 (RFC 5289) are LwM2M's, ECDSA or RSA
 * is the kind of the server's key, and with any of them the client has to show a certificate or raw public key, too.
 */
export const CIPHER_SUITES: Readonly<Record<CipherSuite, Suite>> = {
  TLS_PSK_WITH_AES_128_CCM_8: psk(0xc0a8, "PSK-AES128-CCM8", CCM_8),
  TLS_PSK_WITH_AES_128_GCM_SHA256: psk(0x00a8, "PSK-AES128-GCM-SHA256", GCM),
  TLS_PSK_WITH_AES_128_CBC_SHA256: psk(0x00ae, "PSK-AES128-CBC-SHA256", CBC_SHA256),
  TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256: psk(0xccac, "ECDHE-PSK-CHACHA20-POLY1305", POLY1305),
  TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256: psk(0xc037, "ECDHE-PSK-AES128-CBC-SHA256", CBC_SHA256),
  TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8: certificate(0xc0ae, "ECDHE-ECDSA-AES128-CCM8", CCM_8),
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: certificate(0xc02b, "ECDHE-ECDSA-AES128-GCM-SHA256", GCM),
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: certificate(0xc023, "ECDHE-ECDSA-AES128-SHA256", CBC_SHA256),
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: certificate(0xc02f, "ECDHE-RSA-AES128-GCM-SHA256", GCM),
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: certificate(0xc027, "ECDHE-RSA-AES128-SHA256", CBC_SHA256),
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
 * OpenSSL's cipher list for those of `suites` that prove in one of the ways `proofs`. Security level 0, because OpenSSL
 * counts an 8-byte tag as 64 bits of security and would not offer CCM_8 on its usual level 1. The list names single suites,
 * so the level lets nothing else in; certificates are judged by a level of their own.
 * @throws InvalidInput if none is left for one of these ways, or for an unknown name
 */
export function cipherList(suites: readonly CipherSuite[], proofs: readonly SuiteProof[]): string {
  const known = suites.map((name) => {
    const suite = CIPHER_SUITES[name] as Suite | undefined;
    if (suite === undefined) throw new InvalidInput(`cipherSuites: unknown "${name}"; known are ${ALL_SUITES.join(", ")}`);
    return suite;
  });
  const missing = proofs.find((proof) => !known.some((suite) => suite.proof === proof));
  if (missing !== undefined) throw new InvalidInput(`cipherSuites: at least one with a ${missing} is needed, and there is none`);
  const usable = known.filter(({ proof }) => proofs.includes(proof)).map(({ openssl }) => openssl);
  return `${usable.join(":")}:@SECLEVEL=0`;
}

function psk(code: number, openssl: string, overhead: number): Suite {
  return { code, openssl, overhead, proof: "psk" };
}

function certificate(code: number, openssl: string, overhead: number): Suite {
  return { code, openssl, overhead, proof: "certificate" };
}
