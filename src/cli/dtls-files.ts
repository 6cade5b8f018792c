import { X509Certificate } from "node:crypto";
import type { DtlsMaterial } from "../bootstrap/index.ts";
import { loadOpenSsl, type ServerX509 } from "../dtls/index.ts";
import { errorText, InvalidInput } from "../lib/errors.ts";
import { readText } from "./config.ts";
import type { DtlsFiles } from "./config-schema.ts";
import { readCertificates, readPair, readPrivateKey } from "./pem-files.ts";

/**
 * Reads the files of the configuration's `dtls`, and checks what can be checked of them before a device comes.
 * @throws InvalidInput naming the key and the file; never what is in it
 */
export function readDtls(files: DtlsFiles): DtlsMaterial {
  const { rawPublicKey } = files;
  const x509 = readX509(files);
  if (rawPublicKey !== undefined) checkOpenSsl();
  return {
    ...(x509 === undefined ? {} : { x509 }),
    ...(rawPublicKey === undefined ? {} : { rawPublicKey: { privateKey: readPrivateKey("dtls.rawPublicKey", rawPublicKey) } }),
  };
}

function checkOpenSsl(): void {
  try {
    void loadOpenSsl().rawPublicKeys;
  } catch (error) {
    throw new InvalidInput(`dtls.rawPublicKey: ${errorText(error)}`, { cause: error });
  }
}

/** The part of {@link readDtls} that may change while an instance runs. @throws InvalidInput */
export function readX509({ certificate, key, clientCa, crl }: DtlsFiles): ServerX509 | undefined {
  // The schema lets none of the three stand without the others.
  if (certificate === undefined || key === undefined || clientCa === undefined) return undefined;
  return {
    ...readPair(["dtls.certificate", certificate], ["dtls.key", key]),
    clientCa: readCertificates("dtls.clientCa", clientCa),
    ...(crl === undefined ? {} : { crl: readRevocations(crl) }),
  };
}

/** What is wrong with the instance's own certificate at that time: devices that look will refuse it. */
export function validityProblem({ certificate }: ServerX509, now: Date): string | undefined {
  const { validFrom, validTo } = new X509Certificate(certificate);
  if (now > new Date(validTo)) return `the instance's certificate has expired on ${validTo}`;
  return now < new Date(validFrom) ? `the instance's certificate is valid only from ${validFrom} on` : undefined;
}

function readRevocations(path: string): string {
  const text = readText(path, "dtls.crl");
  if (!text.includes("-----BEGIN X509 CRL-----")) throw new InvalidInput(`dtls.crl: ${path} holds no revocation list in PEM`);
  return text;
}
