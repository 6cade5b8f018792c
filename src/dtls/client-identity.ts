import { InvalidInput } from "../lib/errors.ts";
import { ALL_SUITES, type CipherSuite, cipherList } from "./cipher-suites.ts";
import type { Pointer } from "./native.ts";
import { type Credentials, MAX_IDENTITY, MAX_PSK, type OpenSsl } from "./openssl.ts";
import type { ClientCredential, DtlsClientOptions } from "./types.ts";

const PSK_SUITES: readonly CipherSuite[] = ["TLS_PSK_WITH_AES_128_CCM_8"];

/** Who a client is, as OpenSSL needs it. */
export interface ClientIdentity {
  readonly context: Pointer;
  readonly credentials: Credentials;
  /** Whether certificates are judged, by a time. */
  readonly judges: boolean;
  /** Gives back what is the client's own. */
  free(): void;
}

/** @throws InvalidInput, OpenSslTooOld */
export function clientIdentity(openssl: OpenSsl, options: DtlsClientOptions): ClientIdentity {
  const { credential } = options;
  if (credential.mode === "psk") return pskIdentity(openssl, credential, options.cipherSuites ?? PSK_SUITES);
  const ciphers = cipherList(options.cipherSuites ?? ALL_SUITES, ["certificate"]);
  let expectedPeer: Uint8Array | undefined;
  const context = openssl.clientContext(ciphers, (made) => {
    expectedPeer =
      credential.mode === "x509" ? beX509(openssl, made, credential, options.serverName) : beRaw(openssl, made, credential);
  });
  return {
    context,
    credentials: expectedPeer === undefined ? {} : { expectedPeer },
    judges: expectedPeer === undefined,
    free: () => openssl.native.SSL_CTX_free(context),
  };
}

function pskIdentity(openssl: OpenSsl, { identity, psk }: CredentialOf<"psk">, suites: readonly CipherSuite[]): ClientIdentity {
  if (identity.length === 0 || identity.length > MAX_IDENTITY || identity.includes(0)) {
    throw new InvalidInput(
      `credential.identity: must be 1 to ${MAX_IDENTITY} bytes without a zero byte, got ${identity.length} bytes`,
    );
  }
  if (psk.length === 0 || psk.length > MAX_PSK) {
    throw new InvalidInput(`credential.psk: must be 1 to ${MAX_PSK} bytes, got ${psk.length}`);
  }
  return {
    context: openssl.pskClientContext(cipherList(suites, ["psk"])),
    credentials: { psk, identity: Buffer.concat([identity, Uint8Array.of(0)]) },
    judges: false,
    free: () => {},
  };
}

/** @returns the server's certificate, if it is pinned */
function beX509(
  { certificates }: OpenSsl,
  context: Pointer,
  { certificate, privateKey, trust }: CredentialOf<"x509">,
  serverName: string | undefined,
): Uint8Array | undefined {
  certificates.showChain(context, certificate, privateKey, "credential");
  if ("serverCertificate" in trust) {
    certificates.demandExpected(context);
    return certificates.expectedDer("certificate", trust.serverCertificate, "credential.trust.serverCertificate");
  }
  if (serverName === undefined)
    throw new InvalidInput("serverName: trust by CA needs the name or address the certificate is for");
  certificates.demandChain(context, trust.ca, undefined, "credential.trust.ca");
  certificates.demandName(context, serverName);
  return undefined;
}

/** @returns the server's public key */
function beRaw({ certificates }: OpenSsl, context: Pointer, { privateKey, serverPublicKey }: CredentialOf<"rpk">): Uint8Array {
  certificates.showRawPublicKey(context, privateKey, "credential.privateKey");
  certificates.demandExpected(context);
  return certificates.expectedDer("publicKey", serverPublicKey, "credential.serverPublicKey");
}

type CredentialOf<Mode extends ClientCredential["mode"]> = Extract<ClientCredential, { readonly mode: Mode }>;
