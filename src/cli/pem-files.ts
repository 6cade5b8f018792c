import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { InvalidInput } from "../lib/errors.ts";
import { readText } from "./config.ts";

/**
 * The text of a file of certificates.
 * @param key where the configuration names it
 * @throws InvalidInput naming key and file
 */
export function readCertificates(key: string, path: string): string {
  const text = readText(path, key);
  firstOf(text, key, path);
  return text;
}

/** The text of a file with a private key. @throws InvalidInput naming key and file; never what is in it */
export function readPrivateKey(key: string, path: string): string {
  const text = readText(path, key);
  privateKeyOf(text, key, path);
  return text;
}

/** The texts of a certificate's file and of its key's. @throws InvalidInput where they do not belong together */
export function readPair(
  certificate: readonly [key: string, path: string],
  privateKey: readonly [key: string, path: string],
): { readonly certificate: string; readonly privateKey: string } {
  const texts = { certificate: readText(certificate[1], certificate[0]), privateKey: readText(privateKey[1], privateKey[0]) };
  const first = firstOf(texts.certificate, ...certificate);
  if (!first.checkPrivateKey(privateKeyOf(texts.privateKey, ...privateKey))) {
    throw new InvalidInput(`${privateKey[0]}: ${privateKey[1]} is not the key of the certificate in ${certificate[1]}`);
  }
  return texts;
}

/** Of several certificates the first, which is that of the key. */
function firstOf(text: string, key: string, path: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch {
    throw new InvalidInput(`${key}: ${path} holds no certificate in PEM`);
  }
}

function privateKeyOf(text: string, key: string, path: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    throw new InvalidInput(`${key}: ${path} holds no private key in PEM, or one with a passphrase`);
  }
}
