import { X509Certificate } from "node:crypto";
import { InvalidInput } from "../lib/errors.ts";
import { readText } from "./config.ts";
import type { DtlsFiles } from "./config-schema.ts";
import { readCertificates, readPair, readPrivateKey } from "./pem-files.ts";

/** The texts of the files by which an instance and devices with certificates know each other, PEM. */
export interface X509Material {
  /** The instance's chain, its own certificate first. */
  readonly certificate: string;
  readonly privateKey: string;
  /** Who vouches for devices. */
  readonly clientCa: string;
  /** Revocation lists. */
  readonly crl?: string;
}

/** What instances prove themselves with, besides the devices' pre-shared keys. */
export interface DtlsMaterial {
  readonly x509?: X509Material;
  readonly rawPublicKey?: { readonly privateKey: string };
}

/**
 * Reads the files of the configuration's `dtls`, and checks what can be checked of them before a device comes.
 * @throws InvalidInput naming the key and the file; never what is in it
 */
export function readDtls(files: DtlsFiles): DtlsMaterial {
  const { rawPublicKey } = files;
  const x509 = readX509(files);
  return {
    ...(x509 === undefined ? {} : { x509 }),
    ...(rawPublicKey === undefined ? {} : { rawPublicKey: { privateKey: readPrivateKey("dtls.rawPublicKey", rawPublicKey) } }),
  };
}

/** The part of {@link readDtls} that may change while an instance runs. @throws InvalidInput */
export function readX509({ certificate, key, clientCa, crl }: DtlsFiles): X509Material | undefined {
  // The schema lets none of the three stand without the others.
  if (certificate === undefined || key === undefined || clientCa === undefined) return undefined;
  return {
    ...readPair(["dtls.certificate", certificate], ["dtls.key", key]),
    clientCa: readCertificates("dtls.clientCa", clientCa),
    ...(crl === undefined ? {} : { crl: readRevocations(crl) }),
  };
}

/** When the instance's own certificate ends, or begins, if it is not good at that time. */
export function validityProblem({ certificate }: X509Material, now: Date): string | undefined {
  const { validFrom, validTo } = new X509Certificate(certificate);
  if (now > new Date(validTo)) return `the instance's certificate has expired on ${validTo}`;
  return now < new Date(validFrom) ? `the instance's certificate is valid only from ${validFrom} on` : undefined;
}

function readRevocations(path: string): string {
  const text = readText(path, "dtls.crl");
  if (!text.includes("-----BEGIN X509 CRL-----")) throw new InvalidInput(`dtls.crl: ${path} holds no revocation list in PEM`);
  return text;
}
