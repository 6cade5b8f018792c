import {
  type Association,
  type CipherSuite,
  type ClientCredential,
  DtlsClient,
  DtlsServer,
  type DtlsServerOptions,
  loadOpenSsl,
  type Peer,
} from "../src/dtls/index.ts";
import { makeKey, noCertificates, TestCa } from "../test/support/certificates.ts";

const BESIDES = "on a server with certificates";
const KEY = Buffer.from("00112233445566778899aabbccddeeff", "hex");
/** What a bootstrap sends after the handshake: about five requests of 60 bytes each way. */
const NAME = "bsabcdefghijklmnop.example.com";
const REQUESTS = 5;
const REQUEST = Buffer.alloc(60, 0x40);

/** A kind of client, and the suites it is measured with. */
interface Kind {
  readonly name: string;
  readonly credential: (identity: string) => ClientCredential;
  readonly suites: readonly (readonly [CipherSuite, number])[];
}

const PSK: Kind = {
  name: "PSK",
  credential: (identity) => ({ mode: "psk", identity: Buffer.from(identity), psk: KEY }),
  suites: [
    ["TLS_PSK_WITH_AES_128_CCM_8", 10_000],
    ["TLS_PSK_WITH_AES_128_GCM_SHA256", 3_000],
    ["TLS_PSK_WITH_AES_128_CBC_SHA256", 3_000],
    ["TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256", 1_000],
    ["TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256", 1_000],
  ],
};

/** A server and one client at a time, joined by a queue. The server's share of the CPU is measured around its calls. */
class Pair {
  readonly server: DtlsServer;
  /** Microseconds of CPU spent in the server. */
  serverTime = 0;
  readonly #toServer: Uint8Array[] = [];
  readonly #toClient: Uint8Array[] = [];
  #now = 1_767_225_600_000;
  #port = 0;
  readonly #kind: Kind;
  #association: Association | undefined;

  constructor(kind: Kind, options: Partial<DtlsServerOptions>) {
    this.#kind = kind;
    this.server = new DtlsServer(
      loadOpenSsl(),
      { cookieSecret: Buffer.alloc(32, 1), lookupPsk: () => KEY, ...options },
      {
        send: (_peer, datagram) => this.#toClient.push(datagram),
        secured: (association) => {
          this.#association = association;
        },
        message: (association, bytes) => association.send(bytes, this.#now),
        closed: () => {},
      },
    );
  }

  /** One handshake, `records` messages and their echoes, and close_notify. */
  bootstrap(suite: CipherSuite, records: number): void {
    this.#port = (this.#port + 1) % 60_000;
    this.#now += 1;
    const peer = peerAt(this.#port);
    let left = records;
    const next = (): void => {
      if (left-- > 0) client.send(REQUEST, this.#now);
      else client.close(this.#now);
    };
    const client = new DtlsClient(
      loadOpenSsl(),
      {
        credential: this.#kind.credential(`urn:dev:${this.#port}`),
        serverName: NAME,
        cipherSuites: [suite],
      },
      { send: (datagram) => this.#toServer.push(datagram), secured: next, message: next, closed: () => {} },
    );
    client.connect(this.#now);
    while (this.#toServer.length > 0) {
      const arrived = this.#toServer.splice(0);
      const begun = cpuTime();
      for (const datagram of arrived) this.server.receive(peer, datagram, this.#now);
      this.serverTime += cpuTime() - begun;
      for (const datagram of this.#toClient.splice(0)) client.receive(datagram, this.#now);
    }
    if (this.#association?.state !== "closed") throw new Error("a bootstrap did not end");
  }

  tick(): void {
    const begun = cpuTime();
    this.server.tick(this.#now);
    this.serverTime += cpuTime() - begun;
  }
}

interface Cost {
  /** Server's microseconds for one handshake with cookie exchange and the end of it. */
  readonly handshakeUs: number;
  /** Server's microseconds to read one record and write one. */
  readonly exchangeUs: number;
  /** What the DTLS of a whole bootstrap costs the server, and how many that makes in a second of CPU. */
  readonly bootstrapUs: number;
  readonly bootstrapsPerCpuSecond: number;
  /** CPU microseconds of server and client for the same. */
  readonly bothSidesUs: number;
}

function measure(kind: Kind, suite: CipherSuite, rounds: number, options: Partial<DtlsServerOptions>): Cost {
  const pair = new Pair(kind, options);
  const run = (records: number, count: number): number => {
    pair.serverTime = 0;
    for (let i = 0; i < count; i++) pair.bootstrap(suite, records);
    pair.tick();
    return pair.serverTime / count;
  };
  run(REQUESTS, Math.min(rounds, 500));
  const handshakeUs = run(0, rounds);
  const before = process.cpuUsage();
  const bootstrapUs = run(REQUESTS, rounds);
  const { user, system } = process.cpuUsage(before);
  const many = 200;
  const exchangeUs = (run(many, 100) - handshakeUs) / many;
  pair.server.free();
  return {
    handshakeUs: round(handshakeUs),
    exchangeUs: round(exchangeUs),
    bootstrapUs: round(bootstrapUs),
    bootstrapsPerCpuSecond: Math.round(1e6 / bootstrapUs),
    bothSidesUs: round((user + system) / rounds),
  };
}

/** Nanoseconds a ClientHello without a cookie costs. */
function measureFlood(count: number): number {
  let hello: Uint8Array = new Uint8Array(0);
  const client = new DtlsClient(
    loadOpenSsl(),
    { credential: PSK.credential("device"), serverName: NAME },
    {
      send: (datagram) => {
        hello = datagram;
      },
      secured: () => {},
      message: () => {},
      closed: () => {},
    },
  );
  client.connect(0);
  client.close(0);
  const server = new DtlsServer(
    loadOpenSsl(),
    { cookieSecret: Buffer.alloc(32, 1), lookupPsk: () => KEY },
    { send: () => {}, secured: () => {}, message: () => {}, closed: () => {} },
  );
  const before = process.cpuUsage();
  for (let i = 0; i < count; i++) server.receive(peerAt(i % 60_000), hello, i);
  const { user, system } = process.cpuUsage(before);
  server.free();
  return ((user + system) * 1000) / count;
}

/** Bytes of memory per association that is held open. Nothing is given back, lest it is counted for the next kind. */
function measureMemory(count: number, kind: Kind, options: Partial<DtlsServerOptions>): number {
  const arrived: Uint8Array[] = [];
  const answers: Uint8Array[] = [];
  const now = 1_767_225_600_000;
  const server = new DtlsServer(
    loadOpenSsl(),
    { cookieSecret: Buffer.alloc(32, 1), lookupPsk: () => KEY, ...options },
    { send: (_peer, datagram) => answers.push(datagram), secured: () => {}, message: () => {}, closed: () => {} },
  );
  const open = (port: number): void => {
    const peer = peerAt(port);
    const client = new DtlsClient(
      loadOpenSsl(),
      { credential: kind.credential("device") },
      { send: (datagram) => arrived.push(datagram), secured: () => {}, message: () => {}, closed: () => {} },
    );
    client.connect(now);
    while (arrived.length > 0) {
      for (const datagram of arrived.splice(0)) server.receive(peer, datagram, now);
      for (const datagram of answers.splice(0)) client.receive(datagram, now);
    }
    client.close(now);
    arrived.length = 0; // Its close_notify is not delivered: the association stays.
  };
  open(0);
  global.gc?.();
  const before = process.memoryUsage.rss();
  for (let port = 1; port <= count; port++) open(port);
  global.gc?.();
  const grown = process.memoryUsage.rss() - before;
  return Math.round(grown / count);
}

function soak(count: number): Record<string, unknown> {
  const pair = new Pair(PSK, {});
  const steps = 10;
  const rss: number[] = [];
  for (let step = 0; step <= steps; step++) {
    for (let i = 0; i < (step === 0 ? 2_000 : count / steps); i++) pair.bootstrap("TLS_PSK_WITH_AES_128_CCM_8", REQUESTS);
    pair.tick();
    global.gc?.();
    rss.push(round(process.memoryUsage.rss() / 2 ** 20));
    console.error(`${String((step * count) / steps).padStart(10)} handshakes: ${rss.at(-1)} MB`);
  }
  pair.server.free();
  return { soakHandshakes: count, rssMb: rss, grownMb: round((rss.at(-1) ?? 0) - (rss[0] ?? 0)) };
}

/** What else than PSK can be measured here, and a server that takes all of it. */
function kindsHere(): { options: Partial<DtlsServerOptions>; kinds: readonly Kind[] } {
  if (noCertificates) {
    console.error(`without certificates: ${noCertificates}`);
    return { options: {}, kinds: [] };
  }
  const root = TestCa.root("Bench Root CA");
  const issuing = root.intermediate("Bench Device CA");
  const [server, device] = [issuing.issue("server"), issuing.issue("urn:dev:1")];
  const x509 = { certificate: server.chain, privateKey: server.privateKey, clientCa: root.certificate };
  const certified: Kind = {
    name: "x509, root, intermediate CA and device, all P-256",
    credential: () => ({
      mode: "x509",
      certificate: device.chain,
      privateKey: device.privateKey,
      trust: { serverCertificate: server.der },
    }),
    suites: [["TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", 1_000]],
  };
  const besides: Kind = { ...PSK, name: BESIDES, suites: PSK.suites.slice(0, 1) };
  const keys = { server: makeKey(), device: makeKey() };
  const raw: Kind = {
    name: "raw public keys, P-256",
    credential: () => ({ mode: "rpk", privateKey: keys.device.privateKey, serverPublicKey: keys.server.spki }),
    suites: [["TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", 1_000]],
  };
  try {
    loadOpenSsl().rawPublicKeys;
    return { options: { x509, rawPublicKey: { privateKey: keys.server.privateKey } }, kinds: [besides, certified, raw] };
  } catch (error) {
    console.error(`without raw public keys: ${(error as Error).message}`);
    return { options: { x509 }, kinds: [besides, certified] };
  }
}

/** Microseconds of CPU so far: they say more than a clock where others work, too. Asking costs 0.3 us. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function peerAt(port: number): Peer {
  return { key: `127.0.0.1:${port}`, address: "127.0.0.1", port };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/**
 * What DTLS costs the server. `--soak N` runs N whole handshakes instead and shows resident memory on the way.
 */
export async function run(args: readonly string[]): Promise<Record<string, unknown>> {
  const at = args.indexOf("--soak");
  if (at >= 0) return soak(Number(args[at + 1] ?? 50_000));
  const figures: Record<string, unknown> = { openssl: loadOpenSsl().version };
  const { options, kinds } = kindsHere();
  figures.bytesPerAssociation = measureMemory(2_000, PSK, {});
  console.error(`${figures.bytesPerAssociation} bytes per association`);
  for (const kind of kinds) {
    if (kind.name === BESIDES) continue;
    const bytes = measureMemory(1_000, kind, options);
    figures[`bytesPerAssociation (${kind.name})`] = bytes;
    console.error(`${bytes} bytes per association (${kind.name})`);
  }
  const show = (name: string, kind: Kind, suite: CipherSuite, rounds: number, server: Partial<DtlsServerOptions>): void => {
    const cost = measure(kind, suite, rounds, server);
    figures[name] = cost;
    console.error(
      `${name.padEnd(52)} handshake ${cost.handshakeUs} us, exchange ${cost.exchangeUs} us, ` +
        `${cost.bootstrapsPerCpuSecond} bootstraps per CPU-second (server only)`,
    );
  };
  for (const [suite, rounds] of PSK.suites) show(suite, PSK, suite, rounds, {});
  for (const kind of kinds) {
    for (const [suite, rounds] of kind.suites) show(`${suite} (${kind.name})`, kind, suite, rounds, options);
  }
  figures.cookiesPerCpuSecond = Math.round(1e9 / measureFlood(100_000));
  console.error(`${figures.cookiesPerCpuSecond} cookies per CPU-second`);
  return figures;
}
