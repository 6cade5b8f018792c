import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSecureContext } from "node:tls";
import { seededRandom } from "../../src/lib/random.ts";
import { type Issued, noCertificates, testPki } from "../support/certificates.ts";
import { CERTIFICATE_SUITES, peerAt, serverX509, strangeRecords, World, x509Credential } from "./harness.ts";

const CERTIFICATE = 11;
const CERTIFICATE_VERIFY = 15;
const CLIENT_KEY_EXCHANGE = 16;

interface Message {
  readonly type: number;
  readonly sequence: number;
  readonly body: Buffer;
}

/** What becomes of a handshake whose client's messages are changed on the way. */
function meet(change: (message: Message) => Message | undefined, device: Issued = testPki().device("dev-1")): World {
  const world = new World({ x509: serverX509() });
  world.network = (_datagram, from, index) => ({ copies: from === "client" && index === 2 ? 0 : 1 });
  const client = world.connected(1, { credential: x509Credential(device), serverName: "bs.example.com" });
  const flight = world.sentBy("client")[2];
  assert.ok(flight);
  for (const record of records(flight)) {
    const clear = record[0] === 22 && record.readUInt16BE(3) === 0;
    const changed = clear ? change(messageIn(record)) : undefined;
    world.server.receive(client.peer, clear && changed ? recordOf(changed, record.readUIntBE(5, 6)) : record, world.clock.now());
  }
  client.dtls.close(world.clock.now());
  return world;
}

/** The reason why the server closed. */
function fate(change: (message: Message) => Message | undefined): string {
  const world = meet(change);
  world.pass(60_000);
  const [first = "nothing"] = world.log;
  assert.equal(world.server.stats.associations, 0);
  world.free();
  return first;
}

function flipped(message: Message, at: number): Message {
  const body = Buffer.from(message.body);
  body[at] = (body[at] ?? 0) ^ 1;
  return { ...message, body };
}

describe("a client with a certificate", { skip: noCertificates }, () => {
  test("that does not sign the handshake has not proven its key", () => {
    const spoil = (message: Message) =>
      message.type === CERTIFICATE_VERIFY ? flipped(message, message.body.length - 1) : undefined;
    assert.equal(fate(spoil), "closed certificate-invalid");
  });

  test("that shows another's certificate has not proven its key", () => {
    const stolen = testPki().device("dev-2").der;
    const swap = (message: Message) => (message.type === CERTIFICATE ? { ...message, body: listOf([stolen]) } : undefined);
    assert.equal(fate(swap), "closed certificate-untrusted", "the chain lacks the CA between");
    const chained = (message: Message) =>
      message.type === CERTIFICATE ? { ...message, body: listOf([stolen, testPki().issuing.self.der]) } : undefined;
    assert.equal(fate(chained), "closed certificate-invalid");
  });

  test("that shows an empty list has none", () => {
    const empty = (message: Message) => (message.type === CERTIFICATE ? { ...message, body: listOf([]) } : undefined);
    assert.equal(fate(empty), "closed certificate-missing");
  });

  test("that shows something else than certificates is invalid", () => {
    for (const junk of [Buffer.alloc(0), Buffer.from("30", "hex"), Buffer.alloc(300, 0x30), Buffer.from("certificate")]) {
      const swap = (message: Message) => (message.type === CERTIFICATE ? { ...message, body: listOf([junk]) } : undefined);
      assert.match(fate(swap), /^closed certificate-invalid$/, junk.toString("hex"));
    }
  });

  test("that announces more certificates than anybody reads is turned away at once", () => {
    for (const length of [16_385, 100_000, 0xff_ffff]) {
      const world = new World({ x509: serverX509() });
      world.network = (_datagram, from, index) => ({ copies: from === "client" && index >= 2 ? 0 : 1 });
      const client = world.connected(1, { credential: x509Credential(testPki().device("dev-1")), serverName: "bs.example.com" });
      const bomb = recordOf({ type: CERTIFICATE, sequence: 2, body: Buffer.alloc(100) });
      bomb.writeUIntBE(length, 14, 3);
      world.server.receive(client.peer, bomb, world.clock.now());
      assert.deepEqual(world.log, ["closed certificate-invalid"], `${length}`);
      world.free();
    }
  });

  test("that fills its chain with all that fits costs milliseconds", () => {
    const { root, device } = testPki();
    const many = Array.from({ length: 35 }, () => root.self.der);
    const begun = process.cpuUsage();
    const bomb = (message: Message) =>
      message.type === CERTIFICATE ? { ...message, body: listOf([device("dev-1").der, ...many]) } : undefined;
    assert.equal(fate(bomb), "closed certificate-untrusted");
    const { user, system } = process.cpuUsage(begun);
    assert.ok(user + system < 500_000, `${(user + system) / 1000} ms`);
  });

  test("that sends messages out of place leaves the handshake as it was", () => {
    const world = new World({ x509: serverX509() });
    world.network = (_datagram, from, index) => ({ copies: from === "client" && index === 2 ? 0 : 1 });
    const client = world.connected(1, { credential: x509Credential(testPki().device("dev-1")), serverName: "bs.example.com" });
    const now = world.clock.now();
    for (let type = 0; type < 30; type++) {
      for (let sequence = 0; sequence < 14; sequence++) {
        const inPlace = [0, CERTIFICATE, CLIENT_KEY_EXCHANGE, CERTIFICATE_VERIFY][sequence - 1] === type && sequence > 1;
        if (inPlace || type === 1) continue;
        world.server.receive(client.peer, recordOf({ type, sequence, body: Buffer.alloc(20) }), now);
      }
    }
    world.pass(1_000);
    assert.deepEqual(client.log, ["secured"]);
    world.free();
  });

  test("and spoiled copies of every datagram crash neither side, and others go on", () => {
    const random = seededRandom(21);
    const world = new World({ x509: serverX509() });
    const witness = world.connected(60_000, { credential: x509Credential(testPki().device("dev-1")), serverName: "localhost" });
    const spoil = (datagram: Buffer): Buffer => {
      const copy = Buffer.from(datagram);
      for (let i = 0; i < 3; i++) copy[Math.floor(random.uniform() * copy.length)] = Math.floor(random.uniform() * 256);
      return random.uniform() < 0.3 ? copy.subarray(0, Math.floor(random.uniform() * copy.length)) : copy;
    };
    for (let port = 1; port <= 400; port++) {
      world.network = (datagram, from) => {
        if (random.uniform() < 0.5) return { copies: 1 };
        const spoiled = spoil(datagram);
        if (from === "client") world.server.receive(peerAt(port), spoiled, world.clock.now());
        else world.clients.get(peerAt(port).key)?.dtls.receive(spoiled, world.clock.now());
        return { copies: 1 };
      };
      const client = world.connected(port, {
        credential: x509Credential(testPki().device("dev-1")),
        serverName: "bs.example.com",
        mtu: port % 2 === 0 ? 256 : 1232,
      });
      client.dtls.close(world.clock.now());
      world.run();
      world.clients.delete(client.peer.key);
    }
    world.network = () => ({ copies: 1 });
    witness.dtls.send(Buffer.from("I saw it all"), world.clock.now());
    world.run();
    assert.deepEqual(witness.log, ["secured", "message I saw it all"]);
    // Fails with whatever error is oldest in the queue that node:tls shares: it must be its own.
    assert.throws(() => createSecureContext({ ciphers: "no-such-cipher" }), { code: "ERR_SSL_NO_CIPHER_MATCH" });
    world.free();
  });

  test("and records of every type, epoch and length do not end its association, or a handshake under way", () => {
    for (const suite of CERTIFICATE_SUITES.filter((name) => name.includes("ECDSA"))) {
      const random = seededRandom(4);
      const world = new World({ x509: serverX509() });
      const options = {
        credential: x509Credential(testPki().device("dev-1")),
        serverName: "bs.example.com",
        cipherSuites: [suite],
      };
      const secured = world.connected(1, options);
      world.network = (_datagram, from, index) => ({ copies: from === "client" && index % 3 === 2 ? 0 : 1 });
      const waiting = world.connected(2, options);
      world.network = () => ({ copies: 1 });
      for (const record of strangeRecords(random)) {
        for (const { peer, dtls } of [secured, waiting]) {
          world.server.receive(peer, record, world.clock.now());
          dtls.receive(record, world.clock.now());
        }
      }
      world.pass(10_000);
      secured.dtls.send(Buffer.from("still here"), world.clock.now());
      world.run();
      assert.deepEqual([...secured.log, ...waiting.log], ["secured", "message still here", "secured"], suite);
      world.free();
    }
  });
});

function records(datagram: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at + 13 <= datagram.length; ) {
    const end = at + 13 + datagram.readUInt16BE(at + 11);
    found.push(datagram.subarray(at, end));
    at = end;
  }
  return found;
}

function messageIn(record: Buffer): Message {
  return { type: record[13] ?? 0, sequence: record.readUInt16BE(17), body: record.subarray(25) };
}

/** A record with one whole message, in the clear. */
function recordOf({ type, sequence, body }: Message, number: number = 900 + sequence): Buffer {
  const record = Buffer.alloc(25 + body.length);
  record.set([22, 0xfe, 0xfd]);
  record.writeUIntBE(number, 5, 6);
  record.writeUInt16BE(12 + body.length, 11);
  record[13] = type;
  record.writeUIntBE(body.length, 14, 3);
  record.writeUInt16BE(sequence, 17);
  record.writeUIntBE(body.length, 22, 3);
  record.set(body, 25);
  return record;
}

/** The body of a Certificate message (RFC 5246 section 7.4.2). */
function listOf(certificates: readonly Uint8Array[]): Buffer {
  const entries = certificates.map((der) => Buffer.concat([uint24(der.length), der]));
  const list = Buffer.concat(entries);
  return Buffer.concat([uint24(list.length), list]);
}

function uint24(value: number): Buffer {
  return Buffer.of(value >> 16, (value >> 8) & 255, value & 255);
}
