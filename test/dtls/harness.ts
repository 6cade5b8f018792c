import { createHash, X509Certificate } from "node:crypto";
import {
  type Association,
  CIPHER_SUITES,
  type CipherSuite,
  type ClientCredential,
  DtlsClient,
  type DtlsClientOptions,
  DtlsServer,
  type DtlsServerOptions,
  loadOpenSsl,
  type Peer,
  type PeerCredential,
  type ServerTrust,
  type ServerX509,
} from "../../src/dtls/index.ts";
import { type Milliseconds, VirtualClock } from "../../src/lib/clock.ts";
import type { Random } from "../../src/lib/random.ts";
import { type Issued, testPki } from "../support/certificates.ts";

export const KEY: Uint8Array = Buffer.from("00112233445566778899aabbccddeeff", "hex");
export const START = 1_767_225_600_000;
/** The suites by what proves who the two are. */
export const PSK_SUITES: readonly CipherSuite[] = suitesOf("psk");
export const CERTIFICATE_SUITES: readonly CipherSuite[] = suitesOf("certificate");

/** What a network may do to a datagram: how many copies arrive, and after how many later ones. */
export interface Fate {
  readonly copies: number;
  readonly after?: number;
  /** The records arrive in datagrams of their own, in this order; so send GnuTLS and tinydtls. */
  readonly apart?: readonly number[];
}
export type Network = (datagram: Buffer, from: "client" | "server", index: number) => Fate;

const DELIVER: Fate = { copies: 1 };

export interface TestClient {
  readonly dtls: DtlsClient;
  readonly peer: Peer;
  /** What happened, in order: "secured", "message ping", "closed alert". */
  readonly log: string[];
}

/** A server and its clients on a virtual clock and a virtual network. */
export class World {
  readonly clock: VirtualClock = new VirtualClock(START);
  readonly server: DtlsServer;
  readonly log: string[] = [];
  readonly associations: Association[] = [];
  /** Every datagram sent, also those the network loses. */
  readonly wire: { readonly from: "client" | "server"; readonly at: Milliseconds; readonly datagram: Buffer }[] = [];
  readonly clients: Map<string, TestClient> = new Map();
  network: Network = () => DELIVER;
  /** What the server answers to a message. */
  echo = true;
  readonly #queue: (() => void)[] = [];

  constructor(options: Partial<DtlsServerOptions> = {}, { psk }: { psk: boolean } = { psk: true }) {
    this.server = new DtlsServer(
      loadOpenSsl(),
      { cookieSecret: Buffer.alloc(32, 7), ...(psk ? { lookupPsk: () => KEY } : {}), ...options },
      {
        send: (peer, datagram) =>
          this.#carry("server", datagram, (bytes) => this.clients.get(peer.key)?.dtls.receive(bytes, this.clock.now())),
        secured: (association) => {
          this.associations.push(association);
          this.log.push(`secured ${nameOf(association.credential)}`);
        },
        message: (association, bytes) => {
          this.log.push(`message ${Buffer.from(bytes)}`);
          if (this.echo) association.send(bytes, this.clock.now());
        },
        closed: (association, reason) => this.log.push(`closed ${nameOf(association.credential)} ${reason}`.replace("  ", " ")),
        refused: (_peer, reason) => this.log.push(`refused ${reason}`),
      },
    );
  }

  /** A client on its own port. */
  client(port: number, options: Partial<DtlsClientOptions> = {}): TestClient {
    const peer = peerAt(port);
    const log: string[] = [];
    const dtls = new DtlsClient(
      loadOpenSsl(),
      { credential: credential(`device-${port}`), ...options },
      {
        send: (datagram) => this.#carry("client", datagram, (bytes) => this.server.receive(peer, bytes, this.clock.now())),
        secured: () => log.push("secured"),
        message: (bytes) => log.push(`message ${Buffer.from(bytes)}`),
        closed: (reason) => log.push(`closed ${reason}`),
      },
    );
    const client = { dtls, peer, log };
    this.clients.set(peer.key, client);
    return client;
  }

  /** A client that has shaken hands. */
  connected(port: number, options: Partial<DtlsClientOptions> = {}): TestClient {
    const client = this.client(port, options);
    client.dtls.connect(this.clock.now());
    this.run();
    return client;
  }

  /** Delivers until nothing is under way. */
  run(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next();
  }

  /** Lets `span` pass, with every tick at its time. */
  pass(span: Milliseconds): void {
    const end = this.clock.now() + span;
    this.run();
    for (let due = this.#nextDeadline(); due !== undefined && due <= end; due = this.#nextDeadline()) {
      this.clock.set(Math.max(due, this.clock.now()));
      this.server.tick(this.clock.now());
      for (const { dtls } of this.clients.values()) dtls.tick(this.clock.now());
      this.run();
    }
    this.clock.set(end);
  }

  /** Gives back everything native. */
  free(): void {
    for (const { dtls } of this.clients.values()) dtls.close(this.clock.now());
    this.server.free();
    this.run();
  }

  sentBy(from: "client" | "server"): Buffer[] {
    return this.wire.filter((one) => one.from === from).map(({ datagram }) => datagram);
  }

  #nextDeadline(): number | undefined {
    const all = [this.server.nextDeadline(), ...[...this.clients.values()].map(({ dtls }) => dtls.nextDeadline())];
    const known = all.filter((one) => one !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  #carry(from: "client" | "server", datagram: Uint8Array, deliver: (bytes: Buffer) => void): void {
    const bytes = Buffer.from(datagram);
    const index = this.wire.filter((one) => one.from === from).length;
    this.wire.push({ from, at: this.clock.now() - START, datagram: bytes });
    const { copies, after = 0, apart } = this.network(bytes, from, index);
    const records = recordsOf(bytes);
    const arriving = apart === undefined ? [bytes] : apart.map((which) => records[which] ?? Buffer.alloc(0));
    const put = (turns: number): void => {
      this.#queue.push(() => (turns > 0 ? put(turns - 1) : arriving.forEach(deliver)));
    };
    for (let copy = 0; copy < copies; copy++) put(after);
  }
}

/** The records of a datagram, each by itself. */
function recordsOf(datagram: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at + 13 <= datagram.length; at += 13 + datagram.readUInt16BE(at + 11)) {
    records.push(datagram.subarray(at, at + 13 + datagram.readUInt16BE(at + 11)));
  }
  return records;
}

/** The credential of a device with a PSK. */
export function credential(identity: string | Uint8Array, psk: Uint8Array = KEY): ClientCredential {
  return { mode: "psk", identity: Buffer.from(identity), psk };
}

/** The credential of a device with a certificate; it trusts the servers of the test CA. */
export function x509Credential({ chain, privateKey }: Issued, trust?: ServerTrust): ClientCredential {
  return { mode: "x509", certificate: chain, privateKey, trust: trust ?? { ca: testPki().root.certificate } };
}

/** What a server of the test CA needs to meet such devices. */
export function serverX509(): ServerX509 {
  const { server, root } = testPki();
  return { certificate: server.chain, privateKey: server.privateKey, clientCa: root.certificate };
}

function suitesOf(proof: "psk" | "certificate"): readonly CipherSuite[] {
  return (Object.keys(CIPHER_SUITES) as CipherSuite[]).filter((suite) => CIPHER_SUITES[suite].proof === proof);
}

/** Its identity, its common name, or the start of its key's hash. */
function nameOf(credential: PeerCredential | undefined): string {
  if (credential === undefined) return "";
  if (credential.mode === "psk") return `${Buffer.from(credential.identity)}`;
  if (credential.mode === "x509") return new X509Certificate(credential.certificate).subject.replace("CN=", "");
  return hashOf(credential.publicKey);
}

/** The start of a raw public key's hash. */
export function hashOf(publicKey: Uint8Array): string {
  return createHash("sha256").update(publicKey).digest("hex").slice(0, 8);
}

export function peerAt(port: number, address = "192.0.2.1"): Peer {
  return { key: `${address}:${port}`, address, port };
}

/** The first ClientHello of a client, without a cookie. */
export function firstHello(options: Partial<DtlsClientOptions> = {}): Buffer {
  let hello = Buffer.alloc(0);
  const client = new DtlsClient(
    loadOpenSsl(),
    { credential: credential("device"), ...options },
    {
      send: (datagram) => {
        hello = Buffer.from(datagram);
      },
      secured: () => {},
      message: () => {},
      closed: () => {},
    },
  );
  client.connect(START);
  client.close(START);
  return hello;
}

/** Records of all types, epochs to come and lengths up to 99, of random content, that nobody encrypted. */
export function* strangeRecords(random: Random): Generator<Buffer> {
  for (const epoch of [1, 2, 65_535]) {
    for (const type of [0, 20, 21, 22, 23, 24, 25]) {
      for (let length = 0; length < 100; length++) {
        const record = Buffer.concat([Buffer.alloc(13), random.bytes(length)]);
        record.set([type, 0xfe, 0xfd]);
        record.writeUInt16BE(epoch, 3);
        record.writeUIntBE(1000 + length, 5, 6);
        record.writeUInt16BE(length, 11);
        yield record;
      }
    }
  }
}
