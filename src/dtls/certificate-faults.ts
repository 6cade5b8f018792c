import type { CertificateFault } from "./types.ts";

/** Result of verification (OpenSSL's x509_vfy.h, X509_V_ERR_...): what the codes mean for us. All others: invalid. */
const FAULTS: readonly (readonly [CertificateFault, readonly number[]])[] = [
  ["certificate-expired", [9, 10]],
  ["certificate-revoked", [23]],
  // No issuer, a wrong signature, self-signed, rejected by a trust setting, not the pinned key.
  ["certificate-untrusted", [2, 7, 18, 19, 20, 21, 27, 28]],
  // No list, a list that does not verify, is out of date, or says something that is not understood.
  ["revocation-unknown", [3, 5, 8, 11, 12, 15, 16, 33, 35, 36, 44, 54]],
  ["certificate-wrong-name", [62, 64]],
];

const BY_RESULT: ReadonlyMap<number, CertificateFault> = new Map(
  FAULTS.flatMap(([fault, codes]) => codes.map((code) => [code, fault] as const)),
);

/** What `SSL_get_verify_result` says, unless it is 0. */
export function faultOfVerification(result: number): CertificateFault {
  return BY_RESULT.get(result) ?? "certificate-invalid";
}

// An entry of OpenSSL's error queue (err.h): the library in the upper bits, its reason in the lower.
const LIBRARY_SHIFT = 23;
const REASON_MASK = 0x7f_ffff;
const SSL_LIBRARY = 20;
/** The libraries that read certificates: X509, ASN1, X509V3. */
const READERS: ReadonlySet<number> = new Set([11, 13, 34]);
const SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE = 199;
/** Of sslerr.h what is said of a certificate, a raw public key, or the signature that proves the key. */
const INVALID: ReadonlySet<number> = new Set([123, 135, 152, 220, 238, 247, 264, 265, 304, 318, 360, 370, 378, 383]);

/** The reason the SSL library itself gave in an entry of the error queue. */
export function sslReason(error: number): number | undefined {
  return error >>> LIBRARY_SHIFT === SSL_LIBRARY ? error & REASON_MASK : undefined;
}

/** What an entry of the error queue says about the peer's certificate. */
export function faultOfError(error: number): CertificateFault | undefined {
  if (READERS.has(error >>> LIBRARY_SHIFT)) return "certificate-invalid";
  const reason = sslReason(error);
  if (reason === undefined) return undefined;
  if (reason === SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) return "certificate-missing";
  return INVALID.has(reason) ? "certificate-invalid" : undefined;
}
