import type { Command } from "commander";
import type { FactorySettings } from "../device/index.ts";
import { fromHex } from "../lib/bytes.ts";
import { InvalidInput } from "../lib/errors.ts";
import { readText } from "./config.ts";

/** Options that say who a device is; for one security mode each. */
export interface CredentialOptions {
  readonly identity?: string;
  readonly psk?: string;
  readonly pskFile?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly serverCertificate?: string;
  readonly ca?: string;
  readonly serverPublicKey?: string;
}

/** Adds them to a command. */
export function credentialOptions(command: Command): Command {
  return command
    .optionsGroup("Its credential, with coaps: (one of three):")
    .option("--psk <hex>", "pre-shared key")
    .option("--psk-file <file>", "the same from a file, out of sight of others on this host")
    .option("--identity <text>", "PSK identity (default: the endpoint client name)")
    .option("--certificate <file>", "X.509: the device's certificate, PEM; those that lead to its CA may follow")
    .option("--server-certificate <file>", "X.509: the certificate the server must show, PEM; or")
    .option("--ca <file>", "X.509: that of the CA the server's must be of, PEM")
    .option("--key <file>", "X.509 and raw public key: the device's private key, PEM")
    .option("--server-public-key <file>", "raw public key: that of the server, PEM");
}

type Credential = Pick<FactorySettings, "identity" | "psk" | "x509" | "rpk">;

/** The credential the flags say. @throws InvalidInput where they say none that `uri` needs, half of one, or more than one */
export function credentialSettings(options: CredentialOptions, endpoint: string, uri: string): Credential {
  const psk = keyOf(options);
  const { identity, certificate, key, serverCertificate, ca, serverPublicKey } = options;
  if (psk !== undefined) {
    refuse({ "--certificate": certificate, "--key": key, "--server-public-key": serverPublicKey }, "--psk");
    return { identity: identity ?? endpoint, psk };
  }
  if (certificate !== undefined) {
    refuse({ "--server-public-key": serverPublicKey, "--identity": identity }, "--certificate");
    if (key === undefined) throw new InvalidInput("--key: a certificate needs its private key");
    if ((serverCertificate === undefined) === (ca === undefined))
      throw new InvalidInput("--server-certificate, --ca: give one of them, or the device trusts no server");
    return {
      x509: {
        certificate: readText(certificate, "--certificate"),
        key: readText(key, "--key"),
        ...(serverCertificate === undefined ? {} : { serverCertificate: readText(serverCertificate, "--server-certificate") }),
        ...(ca === undefined ? {} : { ca: readText(ca, "--ca") }),
      },
    };
  }
  refuse({ "--server-certificate": serverCertificate, "--ca": ca }, "no --certificate");
  if (key !== undefined || serverPublicKey !== undefined) {
    if (key === undefined || serverPublicKey === undefined)
      throw new InvalidInput("--key, --server-public-key: raw public keys need both; --key with --certificate is X.509");
    return { rpk: { key: readText(key, "--key"), serverPublicKey: readText(serverPublicKey, "--server-public-key") } };
  }
  if (/^coaps:/i.test(uri))
    throw new InvalidInput("--psk: coaps: needs the device's pre-shared key, its --certificate, or its --key");
  return {};
}

function refuse(others: Readonly<Record<string, string | undefined>>, beside: string): void {
  for (const [flag, value] of Object.entries(others))
    if (value !== undefined) throw new InvalidInput(`${flag}: goes not together with ${beside}`);
}

function keyOf({ psk, pskFile }: CredentialOptions): Uint8Array | undefined {
  if (psk !== undefined && pskFile !== undefined) throw new InvalidInput("give --psk or --psk-file, not both");
  if (pskFile !== undefined) return fromHex(readText(pskFile, "--psk-file").trim(), pskFile);
  return psk === undefined ? undefined : fromHex(psk, "--psk");
}
