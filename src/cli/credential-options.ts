import type { Command } from "commander";
import type { FactorySettings } from "../device/index.ts";
import { fromHex } from "../lib/bytes.ts";
import { InvalidInput } from "../lib/errors.ts";
import { readText } from "./config.ts";
import { readCertificates, readPair, readPrivateKey } from "./pem-files.ts";

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
  const { certificate, key, serverPublicKey } = options;
  if (options.psk !== undefined || options.pskFile !== undefined) return withPsk(options, endpoint);
  if (certificate !== undefined) return withCertificate({ ...options, certificate });
  if (key !== undefined || serverPublicKey !== undefined) return withRawKey(options);
  refuse(options, ["serverCertificate", "ca"], "without --certificate");
  if (/^coaps:/i.test(uri))
    throw new InvalidInput("--psk: coaps: needs the device's pre-shared key, its --certificate, or its --key");
  return {};
}

function withPsk(options: CredentialOptions, endpoint: string): Credential {
  refuse(options, ["certificate", "serverCertificate", "ca", "key", "serverPublicKey"], "with --psk");
  const { psk, pskFile, identity = endpoint } = options;
  if (psk !== undefined && pskFile !== undefined) throw new InvalidInput("give --psk or --psk-file, not both");
  if (pskFile !== undefined) return { identity, psk: fromHex(readText(pskFile, "--psk-file").trim(), pskFile) };
  return { identity, psk: fromHex(psk ?? "", "--psk") };
}

function withCertificate(options: CredentialOptions & { readonly certificate: string }): Credential {
  refuse(options, ["identity", "serverPublicKey"], "with --certificate");
  const { certificate, key, serverCertificate, ca } = options;
  if (key === undefined) throw new InvalidInput("--key: a certificate needs its private key");
  if ((serverCertificate === undefined) === (ca === undefined))
    throw new InvalidInput("--server-certificate, --ca: give one of them, or the device trusts no server");
  const own = readPair(["--certificate", certificate], ["--key", key]);
  return {
    x509: {
      certificate: own.certificate,
      key: own.privateKey,
      ...(serverCertificate === undefined
        ? {}
        : { serverCertificate: readCertificates("--server-certificate", serverCertificate) }),
      ...(ca === undefined ? {} : { ca: readCertificates("--ca", ca) }),
    },
  };
}

function withRawKey(options: CredentialOptions): Credential {
  refuse(options, ["identity", "serverCertificate", "ca"], "with raw public keys");
  const { key, serverPublicKey } = options;
  if (key === undefined || serverPublicKey === undefined)
    throw new InvalidInput("--key, --server-public-key: raw public keys need both; --key with --certificate is X.509");
  return {
    rpk: { key: readPrivateKey("--key", key), serverPublicKey: readText(serverPublicKey, "--server-public-key") },
  };
}

/** A flag that would be passed over silently leaves its user in the belief that it counts. */
function refuse(options: CredentialOptions, names: readonly (keyof CredentialOptions)[], beside: string): void {
  for (const name of names) {
    const flag = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (options[name] !== undefined) throw new InvalidInput(`--${flag}: has no meaning ${beside}`);
  }
}
