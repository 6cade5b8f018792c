/** A PSK cipher suite: its IANA name, code point and OpenSSL's name. */
interface Suite {
  readonly code: number;
  readonly openssl: string;
}

/**
 * The cipher suites Berth speaks, most wanted first. LwM2M 1.1 (transport binding, section 5.2.8) asks every PSK device for
 * CCM_8 and CBC_SHA256; the others are RFC 5487 (GCM), RFC 5489 (ECDHE with CBC) and RFC 7905 (ECDHE with ChaCha20).
 */
export const CIPHER_SUITES = {
  TLS_PSK_WITH_AES_128_CCM_8: { code: 0xc0a8, openssl: "PSK-AES128-CCM8" },
  TLS_PSK_WITH_AES_128_GCM_SHA256: { code: 0x00a8, openssl: "PSK-AES128-GCM-SHA256" },
  TLS_PSK_WITH_AES_128_CBC_SHA256: { code: 0x00ae, openssl: "PSK-AES128-CBC-SHA256" },
  TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256: { code: 0xccac, openssl: "ECDHE-PSK-CHACHA20-POLY1305" },
  TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256: { code: 0xc037, openssl: "ECDHE-PSK-AES128-CBC-SHA256" },
} as const satisfies Readonly<Record<string, Suite>>;

/** IANA name of a cipher suite Berth speaks. */
export type CipherSuite = keyof typeof CIPHER_SUITES;
