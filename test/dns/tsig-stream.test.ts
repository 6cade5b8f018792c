import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import {
  buildQuery,
  MessageBuilder,
  nameToWire,
  readTsig,
  signTsig,
  TsigError,
  type TsigKey,
  TsigStream,
  verifyTsig,
} from "../../src/dns/index.ts";
import { hex } from "./wire.ts";

const NOW = 1_750_000_000_000;
const zone = nameToWire("bs.example.com");
const key: TsigKey = { name: "berth", algorithm: "hmac-sha256", secret: Buffer.alloc(32, 7) };
const request = signTsig(buildQuery(7, { name: zone, type: 252, class: 1 }), key, NOW);

/** The messages of an answer, told apart by their additional record. */
const message = (index: number): Uint8Array =>
  new MessageBuilder({ id: 7, flags: 0x8400 })
    .question(zone, 252)
    .record("answer", { name: zone, type: 16, class: 1, ttl: 0, data: Uint8Array.of(1, index) })
    .finish();

/** Reads messages, some of which may be unsigned. */
function readAll(messages: readonly Uint8Array[]): Uint8Array[] {
  const stream = new TsigStream(key, request.mac);
  const read = messages.map((bytes) => stream.verify(bytes, NOW));
  stream.finish();
  return read;
}

/** Signs as a server that signs only some: RFC 8945 section 5.3.1, written out. */
function signSome(messages: readonly Uint8Array[], signed: (index: number) => boolean): Uint8Array[] {
  let prior = request.mac;
  let hmac = begin(prior);
  return messages.map((bytes, index) => {
    hmac.update(bytes);
    if (!signed(index)) return bytes;
    if (index === 0) {
      const first = signTsig(bytes, key, NOW, { mac: request.mac });
      prior = first.mac;
      hmac = begin(prior);
      return first.message;
    }
    const mac = hmac.update(hex("0000684ee180 012c")).digest();
    const layout = signTsig(bytes, key, NOW, { mac: prior, timersOnly: true }).message;
    const at = layout.length - 6 - 32;
    prior = mac;
    hmac = begin(mac);
    return Buffer.concat([layout.subarray(0, at), mac, layout.subarray(at + 32)]);
  });
}

function begin(prior: Uint8Array): ReturnType<typeof createHmac> {
  return createHmac("sha256", key.secret).update(hex("0020")).update(prior);
}

function refused(run: () => unknown): void {
  assert.throws(run, (error: unknown) => error instanceof TsigError && error.code === "bad-signature");
}

test("RFC 8945 5.3.1: the first message is signed whole and continues the request, the others continue the one before", () => {
  const stream = new TsigStream(key, request.mac);
  const signed = [0, 1, 2].map((index) => stream.sign(message(index), NOW));
  assert.deepEqual(readAll(signed), [0, 1, 2].map(message));
  const [first, second] = signed.map((bytes) => readTsig(bytes)?.mac ?? new Uint8Array(0));
  verifyTsig(signed[0] as Uint8Array, key, NOW, { mac: request.mac });
  verifyTsig(signed[1] as Uint8Array, key, NOW, { mac: first as Uint8Array, timersOnly: true });
  verifyTsig(signed[2] as Uint8Array, key, NOW, { mac: second as Uint8Array, timersOnly: true });
});

test("RFC 8945 5.3.1: messages between signed ones need no signature", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (some) => {
      const all = [true, ...some, true];
      const messages = all.map((_signed, index) => message(index));
      assert.deepEqual(readAll(signSome(messages, (index) => all[index] === true)), messages);
    }),
    { numRuns: 50 },
  );
});

test("RFC 8945 5.3.1: 99 messages without a signature are read, the 100th is refused", () => {
  const some = (count: number): Uint8Array[] => {
    const messages = Array.from({ length: count }, (_none, index) => message(index));
    return signSome(messages, (index) => index === 0 || index === count - 1);
  };
  assert.equal(readAll(some(101)).length, 101);
  refused(() => readAll(some(102)));
});

test("RFC 8945 5.3.1: the first and the last message are signed, else the answer is refused", () => {
  const messages = [0, 1, 2].map(message);
  refused(() => readAll(signSome(messages, (index) => index > 0)));
  refused(() => readAll(signSome(messages, (index) => index < 2)));
  refused(() => new TsigStream(key, request.mac).finish());
});

test("RFC 8945 5.3.1: messages that are lost, doubled, exchanged, changed or of another answer are refused", () => {
  const signed = signSome([0, 1, 2, 3].map(message), (index) => index !== 1);
  const [a, b, c, d] = signed as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  assert.equal(readAll(signed).length, 4);
  for (const order of [
    [a, c, d],
    [a, b, d],
    [a, b, b, c, d],
    [a, b, c, c, d],
    [a, b, d, c],
    [a, a, b, c, d],
    [c, d],
  ]) {
    refused(() => readAll(order));
  }
  refused(() => readAll([a, message(9), c, d]));
  refused(() => new TsigStream(key, Buffer.alloc(32)).verify(a, NOW));
});

test("RFC 8945 5.2.3: a message in the middle whose time is wrong is refused", () => {
  const stream = new TsigStream(key, request.mac);
  const reader = new TsigStream(key, request.mac);
  reader.verify(stream.sign(message(0), NOW), NOW);
  const old = stream.sign(message(1), NOW - 301_000);
  assert.throws(
    () => reader.verify(old, NOW),
    (error: unknown) => error instanceof TsigError && error.code === "bad-time",
  );
});
