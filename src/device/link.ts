import { type CloseReason, DtlsClient, type OpenSsl } from "../dtls/index.ts";
import type { Instant, Milliseconds } from "../lib/clock.ts";
import type { Credential } from "./account.ts";

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

/** A link for `credential`; `serverName` goes into the TLS server name, if there is one. */
export function openLink(
  credential: Credential,
  serverName: string | undefined,
  handshakeTimeout: Milliseconds,
  openssl: () => OpenSsl,
  events: LinkEvents,
): Link {
  if (credential.mode === "nosec") return plainLink(events);
  const client = new DtlsClient(
    openssl(),
    {
      credential: { mode: "psk", psk: credential.key, identity: credential.identity },
      handshakeTimeout,
      ...(serverName === undefined ? {} : { serverName }),
    },
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
