import { X509Certificate } from "node:crypto";
import { type ClientCredential, type CloseReason, DtlsClient, type OpenSsl } from "../dtls/index.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import type { Credential } from "./credential.ts";

/** Carries CoAP messages to one server and back: over DTLS, or as they are. */
export interface Link {
  start(now: Instant): void;
  receive(datagram: Uint8Array, now: Instant): void;
  send(message: Uint8Array, now: Instant): void;
  close(now: Instant): void;
  tick(now: Instant): void;
  nextDeadline(): Instant | undefined;
}

/** What a link tells its user; called synchronously from its methods. */
export interface LinkEvents {
  send(datagram: Uint8Array): void;
  /** Messages can be sent now. */
  ready(): void;
  message(bytes: Uint8Array): void;
  /** Called once. */
  closed(reason: CloseReason): void;
}

/** How a link is secured. */
export interface LinkOptions {
  readonly credential: Credential;
  /** The server's host name, for the TLS server name and its certificate; or its address, for its certificate alone. */
  readonly serverName: string;
  readonly handshakeTimeout: Milliseconds;
  /** Tells the time certificates are judged by. */
  readonly wallClock: Clock;
  readonly openssl: () => OpenSsl;
}

/** A link to one server, not yet started. */
export function openLink(options: LinkOptions, events: LinkEvents): Link {
  const { credential, serverName, handshakeTimeout, wallClock } = options;
  if (credential.mode === "nosec") return plainLink(events);
  const client = new DtlsClient(
    options.openssl(),
    { credential: toClientCredential(credential), serverName, handshakeTimeout, wallClock: () => wallClock.now() },
    { send: events.send, secured: events.ready, message: events.message, closed: events.closed },
  );
  return {
    start: (now) => client.connect(now),
    receive: (datagram, now) => client.receive(datagram, now),
    send: (message, now) => void client.send(message, now),
    close: (now) => client.close(now),
    tick: (now) => client.tick(now),
    nextDeadline: () => client.nextDeadline(),
  };
}

function toClientCredential(credential: Exclude<Credential, { readonly mode: "nosec" }>): ClientCredential {
  switch (credential.mode) {
    case "psk":
      return { mode: "psk", psk: credential.key, identity: credential.identity };
    case "x509": {
      const { certificates, privateKey, trust } = credential;
      const chain = certificates.map((der) => new X509Certificate(der).toString()).join("");
      return { mode: "x509", certificate: chain, privateKey, trust };
    }
    case "rpk": {
      const { privateKey, serverPublicKey } = credential;
      return { mode: "rpk", privateKey, serverPublicKey };
    }
  }
}

function plainLink(events: LinkEvents): Link {
  let open = true;
  return {
    start: () => events.ready(),
    receive: (datagram) => events.message(datagram),
    send: (message) => events.send(message),
    close: () => {
      if (!open) return;
      open = false;
      events.closed("closed");
    },
    tick: () => {},
    nextDeadline: () => undefined,
  };
}
