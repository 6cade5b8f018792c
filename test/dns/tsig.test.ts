import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import {
  buildQuery,
  MalformedMessage,
  MessageBuilder,
  nameToWire,
  readMessage,
  readTsig,
  refuseTsig,
  signTsig,
  TSIG_ERROR,
  type TsigAlgorithm,
  TsigError,
  type TsigKey,
  verifyTsig,
} from "../../src/dns/index.ts";
import { hex } from "./wire.ts";

const SECRET = Buffer.from("K2tf3TRjvQkVCmJF3/Z9vA==", "base64");
const NOW = 1_750_000_000_000;
const zone = nameToWire("bs.example.com");
const key: TsigKey = { name: "berth.", algorithm: "hmac-sha256", secret: Buffer.alloc(32, 7) };
const soa = buildQuery(0x1234, { name: zone, type: 6, class: 1 });
const answerTo = (id: number): Uint8Array => new MessageBuilder({ id, flags: 0x8000 }).question(zone, 6).finish();

/** What is thrown is a TsigError with this code, and says nothing of the secret. */
function refuses(code: TsigError["code"], run: () => unknown): TsigError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof TsigError, String(error));
    assert.equal(error.code, code);
    return error;
  }
  throw new assert.AssertionError({ message: `not refused as ${code}` });
}

const QUESTION = "03777777 07 6578616d706c65 03 6e6574 00";
/** Messages that Unbound's own tests hold its TSIG to (testdata/tsig_test.4 and .6): time of signing, before, after, the answer. */
const UNBOUND: readonly (readonly [TsigAlgorithm, number, string, string, string?])[] = [
  [
    "hmac-sha256",
    1750411954,
    `3a030100000100000000 0000 ${QUESTION} 0010 0001`,
    `3a030100000100000000 0001 ${QUESTION} 0010 0001 0474657374036b657900 00fa 00ff 00000000 003d 0b686d61632d73686132353600
     000068552ab2 012c 0020 0c35a60a42461678af59a10fbb1a18dcca69e62d58abdc8be808ab095d4beb40 3a03 0000 0000`,
  ],
  [
    "hmac-sha256",
    1750421767,
    `c7580000000100000000 0001 ${QUESTION} 0001 0001 000029 1000 00000000 0000`,
    `c7580000000100000000 0002 ${QUESTION} 0001 0001 000029 1000 00000000 0000
     0474657374036b657900 00fa 00ff 00000000 003d 0b686d61632d73686132353600
     000068555107 012c 0020 aa49c7e324b075dd057aeaba998ee10b6c72f8573f56d3b42fb2f65ee1e81f76 c758 0000 0000`,
    `c7588400000100010000 0002 ${QUESTION} 0001 0001 c00c 0001 0001 00000e10 0004 0a141e28 000029 04d0 00000000 0000
     0474657374036b657900 00fa 00ff 00000000 003d 0b686d61632d73686132353600
     000068555107 012c 0020 a377c921817d4009a6ab35e7f84aa697751b3a976701e8fb6b843965325bf9bd c758 0000 0000`,
  ],
  [
    "hmac-sha512",
    1750421867,
    `e74d0000000100000000 0001 ${QUESTION} 0001 0001 000029 1000 00000000 0000`,
    `e74d0000000100000000 0002 ${QUESTION} 0001 0001 000029 1000 00000000 0000
     0474657374036b657900 00fa 00ff 00000000 005d 0b686d61632d73686135313200 00006855516b 012c 0040
     bbc78c7a8019119b79f89f3ed66d874acb3a29bfcd3ac75fce3779d60d41080fe536c03de404a9143314eabce88a0c5eff6204d94d3225cf42327322c8a48aca
     e74d 0000 0000`,
    `e74d8400000100010000 0002 ${QUESTION} 0001 0001 c00c 0001 0001 00000e10 0004 0a141e28 000029 04d0 00000000 0000
     0474657374036b657900 00fa 00ff 00000000 005d 0b686d61632d73686135313200 00006855516b 012c 0040
     690c00d5e01a382b7a4c07739e0faab1a3c98f5bae1b49213032b7da070c4b985056894e1ebc88468d5d070d0589ea8032fb88f3a1902fa91211d2b4989bbb93
     e74d 0000 0000`,
  ],
];

for (const [algorithm, seconds, before, after, answer] of UNBOUND) {
  test(`RFC 8945 4.3: ${algorithm} at ${seconds} is what Unbound makes it${answer === undefined ? "" : ", and its answer holds"}`, () => {
    const ours: TsigKey = { name: "Test.Key", algorithm, secret: SECRET };
    const { message, mac } = signTsig(hex(before), ours, seconds * 1000);
    assert.deepEqual(message, hex(after));
    assert.deepEqual(verifyTsig(message, ours, seconds * 1000).stripped, hex(before));
    if (answer === undefined) return;
    const { stripped } = verifyTsig(hex(answer), ours, seconds * 1000, { mac });
    assert.equal(readMessage(stripped).answers.length, 1);
    refuses("bad-signature", () => verifyTsig(hex(answer), ours, seconds * 1000));
  });
}

test("RFC 8945 4.3: the MAC is what openssl computes of request MAC, message and TSIG variables", () => {
  const { message } = signTsig(soa, key, NOW, { mac: Buffer.alloc(32, 9) });
  const variables = hex("05 6265727468 00 | 00ff 00000000 | 0b 686d61632d736861323536 00 | 0000684ee180 012c 0000 0000");
  const input = Buffer.concat([hex("0020"), Buffer.alloc(32, 9), soa, variables]);
  const args = ["dgst", "-sha256", "-mac", "HMAC", "-macopt", `hexkey:${"07".repeat(32)}`, "-binary"];
  const { stdout } = spawnSync("openssl", args, { input });
  assert.deepEqual(Buffer.from(readTsig(message)?.mac ?? []), stdout);
});

test("RFC 8945 5: what is signed verifies, with its id as it was, and nothing else does", () => {
  const algorithm = fc.constantFrom<TsigAlgorithm>("hmac-sha256", "hmac-sha512");
  const secret = fc.uint8Array({ minLength: 1, maxLength: 100 });
  const mac = fc.option(fc.uint8Array({ minLength: 32, maxLength: 64 }), { nil: undefined });
  fc.assert(
    fc.property(algorithm, secret, mac, fc.boolean(), fc.nat(), (algorithm, secret, mac, timersOnly, place) => {
      const ours: TsigKey = { name: "a.key", algorithm, secret };
      const prior = mac === undefined ? undefined : { mac, timersOnly };
      const signed = signTsig(soa, ours, NOW, prior);
      assert.deepEqual(verifyTsig(signed.message, ours, NOW, prior), { mac: readTsig(signed.message)?.mac, stripped: soa });
      const changed = Uint8Array.from(signed.message);
      const at = place % changed.length;
      changed[at] = (changed[at] as number) ^ 1;
      try {
        const { stripped } = verifyTsig(changed, ours, NOW, prior);
        // Only the id on the wire may change: whoever forwards a message gives it another (RFC 8945 section 5.1).
        assert.ok(at < 2 && Buffer.compare(stripped, soa) === 0, `byte ${at} of ${changed.length}`);
      } catch (error) {
        assert.ok(error instanceof TsigError || error instanceof MalformedMessage, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test("RFC 8945 5.2.1: another key's name or algorithm is bad-key, case and a last dot are not", () => {
  const { message } = signTsig(soa, key, NOW);
  refuses("bad-key", () => verifyTsig(message, { ...key, name: "other" }, NOW));
  refuses("bad-key", () => verifyTsig(message, { ...key, algorithm: "hmac-sha512" }, NOW));
  verifyTsig(message, { ...key, name: "BERTH" }, NOW);
});

test("RFC 8945 5.2.2: another secret, and no signature at all, are bad-signature", () => {
  const { message } = signTsig(soa, key, NOW);
  refuses("bad-signature", () => verifyTsig(message, { ...key, secret: Buffer.alloc(32, 8) }, NOW));
  refuses("bad-signature", () => verifyTsig(soa, key, NOW));
});

test("RFC 8945 5.2.2.1: a MAC that was cut short is refused, whatever its length", () => {
  const { message } = signTsig(soa, key, NOW);
  for (const cut of [0, 1, 10, 16, 31]) {
    const shorter = Buffer.concat([message.subarray(0, -6 - 32), message.subarray(-6 - 32, -6 - 32 + cut), message.subarray(-6)]);
    const dataAt = shorter.length - 6 - cut - 10 - 13;
    shorter.writeUInt16BE(13 + 16 + cut, dataAt - 2);
    shorter.writeUInt16BE(cut, dataAt + 13 + 8);
    assert.equal(readTsig(shorter)?.mac.length, cut);
    refuses("bad-signature", () => verifyTsig(shorter, key, NOW));
  }
});

test("RFC 8945 5.2.3: 300 s to either side are accepted, 301 are bad-time", () => {
  const { message } = signTsig(soa, key, NOW);
  for (const seconds of [-300, 300]) verifyTsig(message, key, NOW + seconds * 1000);
  for (const seconds of [-301, 301]) refuses("bad-time", () => verifyTsig(message, key, NOW + seconds * 1000));
  refuses("bad-signature", () => verifyTsig(message, { ...key, secret: Buffer.alloc(1) }, NOW + 1e9));
});

test("RFC 8945 5.2.3: the answer to a wrong time is signed, and says the server's", () => {
  const request = signTsig(soa, key, NOW - 1_000_000);
  const record = readTsig(request.message);
  const refusal = refuses("bad-time", () => verifyTsig(request.message, key, NOW));
  assert.ok(record);
  const answer = refuseTsig(answerTo(0x1234), record, refusal, NOW, key);
  assert.equal(readMessage(answer).rcode, 9);
  assert.equal(readTsig(answer)?.time, (NOW - 1_000_000) / 1000, "the client's own time");
  const seen = refuses("bad-time", () => verifyTsig(answer, key, NOW - 1_000_000, { mac: request.mac }));
  assert.equal(seen.serverTime, NOW);
  refuses("bad-signature", () => verifyTsig(answer, key, NOW - 1_000_000, { mac: Buffer.alloc(32) }));
});

test("RFC 8945 5.2.1, 5.2.2: the answer to an unknown key or a wrong secret is not signed, and says which", () => {
  const stranger: TsigKey = { name: "x.y", algorithm: "hmac-sha512", secret: Buffer.alloc(64, 1) };
  const request = signTsig(soa, stranger, NOW);
  const record = readTsig(request.message);
  assert.ok(record);
  for (const [code, error] of [
    ["bad-key", TSIG_ERROR.BADKEY],
    ["bad-signature", TSIG_ERROR.BADSIG],
  ] as const) {
    const answer = refuseTsig(answerTo(0x1234), record, new TsigError(code, ""), NOW, key);
    assert.equal(readMessage(answer).rcode, 9);
    const said = readTsig(answer);
    assert.deepEqual([said?.error, said?.mac.length, said?.keyName], [error, 0, nameToWire("x.y")]);
    assert.deepEqual(said?.algorithm, nameToWire("hmac-sha512"));
    refuses(code, () => verifyTsig(answer, stranger, NOW, { mac: request.mac }));
  }
});

test("RFC 8945 5.2: what an answer says of errors is not believed of a request", () => {
  const request = signTsig(soa, key, NOW);
  const record = readTsig(request.message);
  assert.ok(record);
  const notAnswer = refuseTsig(soa, record, new TsigError("bad-key", ""), NOW, key);
  refuses("bad-signature", () => verifyTsig(notAnswer, key, NOW));
});

test("RFC 8945 5.1: TSIG is the last record, once, of class ANY with TTL 0, else the message is malformed", () => {
  const { message } = signTsig(soa, key, NOW);
  const record = message.subarray(soa.length);
  const with2 = Buffer.concat([message, record]);
  with2[11] = 2;
  assert.throws(() => readTsig(with2), MalformedMessage, "twice");
  const asAnswer = Uint8Array.from(message);
  asAnswer[7] = 1;
  asAnswer[11] = 0;
  assert.throws(() => readTsig(asAnswer), MalformedMessage, "in the answer section");
  const behind = Buffer.concat([message, hex("00 0001 0001 00000000 0000")]);
  behind[11] = 2;
  assert.throws(() => readTsig(behind), MalformedMessage, "not the last");
  assert.throws(() => readTsig(Buffer.concat([message, hex("00")])), MalformedMessage, "bytes behind it");
  const fixed = soa.length + 7;
  for (const at of [fixed + 3, fixed + 7]) {
    const changed = Uint8Array.from(message);
    changed[at] = 1;
    assert.throws(() => readTsig(changed), MalformedMessage, "class or TTL");
  }
});

test("every beginning of a signed message, and random bytes with a header, give nothing but our errors", () => {
  const { message } = signTsig(soa, key, NOW);
  const tries = (bytes: Uint8Array): void => {
    try {
      verifyTsig(bytes, key, NOW);
      assert.fail("accepted");
    } catch (error) {
      assert.ok(error instanceof TsigError || error instanceof MalformedMessage, String(error));
    }
  };
  for (let length = 0; length < message.length; length++) tries(message.subarray(0, length));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), tries), { numRuns: 2000 });
  const header = hex("1234 0000 0000 0000 0000 0001");
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) =>
      tries(Buffer.concat([header, hex("00 00fa 00ff 00000000"), Uint8Array.of(0, bytes.length), bytes])),
    ),
    { numRuns: 2000 },
  );
});
