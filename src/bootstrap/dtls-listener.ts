import {
  type Association,
  type CloseReason,
  DtlsServer,
  type DtlsServerOptions,
  type OpenSsl,
  type Peer,
  type PeerCredential,
} from "../dtls/index.ts";
import type { Machine, UdpSocket } from "../net/index.ts";
import { wrongMode } from "./authorise.ts";
import type { Caller } from "./caller.ts";
import { pskOf } from "./device.ts";
import { Gate } from "./gate.ts";
import { type Listener, type ListenerContext, type OpenListener, openSocket, survive } from "./listeners.ts";
import type { LookupOutcome } from "./lookups.ts";
import { provenBy, textOf } from "./proven.ts";

/** How devices may prove themselves on a `coaps` listener. */
export interface DtlsMaterial extends Pick<DtlsServerOptions, "x509" | "rawPublicKey"> {
  /** Whether by pre-shared keys; they may if not given. */
  readonly psk?: boolean;
}

/** Why no key is given for an identity. */
const REFUSALS: Readonly<Record<Extract<LookupOutcome, string>, string>> = {
  unknown: "unknown identity",
  completed: "the device has completed its bootstrap and is not armed again",
  elsewhere: "the device belongs to another instance",
  unavailable: "the balancer could not be asked about the identity",
};

/** How a handshake ends before it is complete, where the log has a better word than the reason itself. */
const HANDSHAKE_FAILURES: Readonly<Partial<Record<CloseReason, string>>> = {
  "wrong-key": "wrong key",
  "handshake-timeout": "the peer fell silent",
  "no-shared-cipher": "no cipher suite in common",
  alert: "the peer sent an alert",
  "certificate-missing": "no certificate",
  "certificate-expired": "the certificate is not valid at this time",
  "certificate-revoked": "the certificate is revoked",
  "revocation-unknown": "a revocation list is missing or out of date",
  "certificate-untrusted": "the certificate is of none of our CAs",
  "certificate-invalid": "the certificate cannot be used",
};

/** Ends of a handshake that say nothing of the peer, or of which the log has said more already. */
const UNREMARKABLE: ReadonlySet<CloseReason> = new Set(["unknown-identity", "replaced", "freed"]);

/**
 * Opens a DTLS listener: cookie exchange always, keys from the directory or the balancer. A stranger gets no answer
 * that says what was wrong.
 * @throws CannotListen, and the errors of `DtlsServer` for certificates or keys that cannot be used
 */
export async function openCoapsListener(
  listener: Listener,
  openssl: OpenSsl,
  { psk = true, ...material }: DtlsMaterial,
  context: ListenerContext,
): Promise<OpenListener> {
  const { service, lookups, admission, ticker, clock, time, random, log } = context;
  const callers: Map<Association, Caller> = new Map();
  const gate = new Gate(admission, `${listener.address} ${listener.port}`);
  let draining = false;
  let count = 0;

  const lookupPsk: DtlsServerOptions["lookupPsk"] = (identity, { peer, serverName }) => {
    const text = textOf(identity);
    const answer = (found: LookupOutcome): Uint8Array | undefined => {
      const known = typeof found !== "string";
      if (known && found.mode === "psk") return pskOf(found);
      const who = log.who({ ...peer, proven: { mode: "psk", identity: text ?? "" }, serverName });
      log.info({ ...who, reason: known ? wrongMode(found, "psk") : REFUSALS[found] }, "handshake refused");
      return undefined;
    };
    const found = text === undefined ? "unknown" : lookups.byIdentity(text);
    return found instanceof Promise ? found.then(answer) : answer(found);
  };
  const server: DtlsServer = new DtlsServer(
    openssl,
    {
      ...material,
      ...(psk ? { lookupPsk } : {}),
      cookieSecret: random.bytes(32),
      wallClock: () => clock.now(),
      admits: (now) => gate.admits(now),
      admit: (now) => !draining && gate.admit(now),
    },
    {
      send: (peer, datagram) => socket.send(datagram, peer.port, peer.address, peer.local),
      secured: (association) => {
        const { peer, credential, serverName } = association;
        if (credential === undefined) return;
        callers.set(association, {
          key: `coaps ${listener.address} ${socket.port} ${++count}`,
          address: peer.address,
          port: peer.port,
          proven: provenBy(credential),
          serverName,
          send: (datagram) => void association.send(datagram, time.now()),
          close: (now) => server.close(association, now),
        });
      },
      message: (association, bytes) => {
        const caller = callers.get(association);
        if (caller !== undefined) service.receive(caller, bytes, time.now());
      },
      closed: (association, reason) => {
        const caller = callers.get(association);
        callers.delete(association);
        if (caller !== undefined) return service.lost(caller, reason === "replaced", time.now());
        if (draining || UNREMARKABLE.has(reason)) return;
        const { peer, credential, serverName } = association;
        const fields = log.who({ ...peer, proven: claimed(credential), serverName });
        log.info({ ...fields, reason: HANDSHAKE_FAILURES[reason] ?? reason }, "handshake failed");
      },
    },
  );
  const socket: UdpSocket = await openSocket(listener, (bytes, address, port, local) => {
    const key = local === undefined ? `${address} ${port}` : `${address} ${port} ${local}`;
    const peer: Peer = { key, address, port, local };
    survive(log, () => gate.receive(server, peer, bytes, time.now()));
  });
  const machine: Machine = {
    nextDeadline: () => server.nextDeadline(),
    tick: (now) => survive(log, () => server.tick(now)),
  };
  ticker.add(machine);
  return {
    listener: { ...listener, port: socket.port },
    get handshakes() {
      return server.stats.handshakesCompleted;
    },
    get associations() {
      return server.stats.associations;
    },
    replaceX509: (x509) => server.replaceX509(x509),
    drain: () => {
      draining = true;
    },
    close: async () => {
      draining = true;
      for (const association of [...callers.keys()]) server.close(association, time.now());
      ticker.remove(machine);
      server.free();
      await socket.close();
    },
  };
}

/** What a handshake that failed had claimed; of a certificate there is nothing to say before it is verified. */
function claimed(credential: PeerCredential | undefined): Caller["proven"] {
  return credential?.mode === "psk" ? provenBy(credential) : undefined;
}
