import assert from "node:assert/strict";
import { test } from "node:test";
import dnsPacket from "dns-packet";
import fc from "fast-check";
import {
  buildNotify,
  buildQuery,
  MalformedMessage,
  MessageBuilder,
  nameToWire,
  type ResourceRecord,
  readMessage,
  readNotify,
  readTsig,
  soaSerial,
  textData,
  textOf,
} from "../../src/dns/index.ts";
import { hex } from "./wire.ts";

const zone = nameToWire("bs.example.com");
const malformed = (text: string): void => assert.throws(() => readMessage(hex(text)), MalformedMessage, text);

test("RFC 1035 4.1.4: names are read through pointers, in lower case, in data too", () => {
  const message = readMessage(
    hex(
      `1234 8580 0001 0004 0000 0000
      01 41 02 4243 00 0001 0001
      c00c 0005 0001 0000003c 0006 03 777757 c00e
      c00e 0006 0001 0000003c 001b c022 02 6d79 c00c 00000007 00000001 00000002 00000003 00000004
      c00e 000f 0001 0000003c 0004 000a c022
      c00e 0010 0001 0000003c 0003 02 c00c`,
    ),
  );
  const [cname, soa, mx, txt] = message.answers as [ResourceRecord, ResourceRecord, ResourceRecord, ResourceRecord];
  assert.deepEqual(cname.name, nameToWire("a.bc"));
  assert.deepEqual(cname.data, nameToWire("www.bc"));
  assert.deepEqual(soa.name, nameToWire("bc"));
  assert.deepEqual(Buffer.from(soa.data), Buffer.concat([nameToWire("www.bc"), nameToWire("my.a.bc"), soa.data.slice(-20)]));
  assert.equal(soaSerial(soa), 7);
  assert.deepEqual(Buffer.from(mx.data), Buffer.concat([hex("000a"), nameToWire("www.bc")]));
  assert.deepEqual(Buffer.from(txt.data), Buffer.from(hex("02 c00c")), "what is no name stays as it is");
  assert.deepEqual([message.id, message.opcode, message.rcode, message.flags], [0x1234, 0, 0, 0x8580]);
});

test("RFC 1035 4.1.4: pointers that go round, forward, into the header or on and on are malformed", () => {
  const question = "1234 0100 0001 0000 0000 0000";
  malformed(`${question} c00c 0001 0001`);
  malformed(`${question} c00e c00c 0001 0001`);
  malformed(`${question} c0ff 0001 0001`);
  malformed(`${question} c000 0001 0001`);
  malformed(`${question} 01 61 c00c 0001 0001`);
  // 200 records of the root whose names are each a pointer to the one before.
  const chain = Array.from({ length: 200 }, (_none, index) => {
    const to = index === 0 ? "00" : (0xc000 | (12 + (index === 1 ? 0 : 11 + (index - 2) * 12))).toString(16);
    return `${to} 0001 0001 00000000 0000`;
  });
  malformed(`1234 8000 0000 00c8 0000 0000 ${chain.join(" ")}`);
  const few = chain.slice(0, 100);
  assert.equal(readMessage(hex(`1234 8000 0000 0064 0000 0000 ${few.join(" ")}`)).answers.length, 100);
});

test("RFC 1035 2.3.4: a name of 255 bytes is read, one of 256 that pointers make is malformed", () => {
  const label = `3f${"61".repeat(63)}`;
  const message = (first: number): string =>
    `1234 0000 0001 0001 0000 0000 ${label.repeat(3)} 00 0001 0001 ${first.toString(16)}${"62".repeat(first)} c00c 0001 0001 00000000 0000`;
  assert.equal(readMessage(hex(message(61))).answers[0]?.name.length, 255);
  malformed(message(62));
});

test("RFC 1035 4.1: cut off, longer than its records, or with counts that lie, it is malformed", () => {
  const whole = "1234 0100 0001 0000 0000 0000 | 0161 00 0001 0001";
  readMessage(hex(whole));
  malformed(`${whole} 00`);
  malformed(whole.slice(0, -2));
  malformed(whole.replace("0001 0000", "ffff ffff"));
  malformed("1234 0100 0000 0000 0000 00");
  malformed("1234 0100 0001 0000 0000 0000 | 4161 00 0001 0001");
  malformed("1234 8000 0000 0001 0000 0000 | 00 0006 0001 00000000 0003 00 00 01");
  malformed("1234 8000 0000 0001 0000 0000 | 00 0002 0001 00000000 0000");
});

test("RFC 2136 2.4, 2.5: records of an update that have no data are read, whatever their type", () => {
  const { authorities } = readMessage(
    hex("1234 2800 0000 0000 0002 0000 | 00 0006 00ff 00000000 0000 | 00 0002 00fe 00000000 0000"),
  );
  assert.deepEqual(
    authorities.map(({ type, class: rrClass, data }) => [type, rrClass, data.length]),
    [
      [6, 255, 0],
      [2, 254, 0],
    ],
  );
});

test("RFC 6891 6.1.3: the response code has upper bits in OPT", () => {
  assert.equal(readMessage(hex("1234 8001 0000 0000 0000 0001 | 00 0029 04d0 01000000 0000")).rcode, 17);
});

const host = fc.array(fc.stringMatching(/^[a-z0-9_-]{1,20}$/), { minLength: 1, maxLength: 5 }).map((parts) => parts.join("."));
const ttl = fc.nat(0x7fff_ffff);
const record = fc.oneof(
  fc.record({ type: fc.constant("A" as const), name: host, ttl, data: fc.ipV4() }),
  fc.record({ type: fc.constant("NS" as const), name: host, ttl, data: host }),
  fc.record({ type: fc.constant("TXT" as const), name: host, ttl, data: fc.stringMatching(/^[ -~]{1,300}$/) }),
  fc.record({
    type: fc.constant("SOA" as const),
    name: host,
    ttl,
    data: fc.record({
      mname: host,
      rname: host,
      serial: fc.nat(0xffff_ffff),
      refresh: ttl,
      retry: ttl,
      expire: ttl,
      minimum: ttl,
    }),
  }),
);

test("RFC 1035 4.1: whatever dns-packet writes is read as it was meant, and written again dns-packet reads the same", () => {
  const sections = fc.record({ answers: fc.array(record), authorities: fc.array(record), additionals: fc.array(record) });
  fc.assert(
    fc.property(host, fc.nat(0xffff), sections, (name, id, { answers, authorities, additionals }) => {
      const question = { type: "SOA" as const, name };
      const encode = (some: typeof answers): dnsPacket.Answer[] =>
        some.map((each) => (each.type === "TXT" ? { ...each, data: pieces(each.data) } : each) as dnsPacket.Answer);
      const packet: dnsPacket.Packet = {
        type: "response",
        id,
        questions: [question],
        answers: encode(answers),
        authorities: encode(authorities),
        additionals: encode(additionals),
      };
      const bytes = dnsPacket.encode(packet);
      const message = readMessage(bytes);
      assert.deepEqual([message.id, message.flags], [id, 0x8000]);
      assert.deepEqual(message.questions, [{ name: nameToWire(name), type: 6, class: 1 }]);
      assert.deepEqual(
        message.answers.map((each) => [each.name, each.ttl]),
        answers.map((each) => [nameToWire(each.name), each.ttl]),
      );
      for (const [index, each] of answers.entries()) {
        if (each.type === "SOA") assert.equal(soaSerial(message.answers[index] as ResourceRecord), each.data.serial);
        if (each.type === "TXT") assert.equal(textOf(message.answers[index]?.data ?? hex("")), each.data);
        if (each.type === "NS") assert.deepEqual(new Uint8Array(message.answers[index]?.data ?? []), nameToWire(each.data));
      }
      const builder = new MessageBuilder({ id, flags: 0x8000 }).question(nameToWire(name), 6);
      for (const each of message.answers) builder.record("answer", each);
      for (const each of message.authorities) builder.record("authority", each);
      for (const each of message.additionals) builder.record("additional", each);
      const written = builder.finish();
      assert.ok(written.length <= bytes.length);
      const { answers: a, authorities: b, additionals: c, questions: d } = dnsPacket.decode(bytes);
      const again = dnsPacket.decode(Buffer.from(written));
      assert.deepEqual([again.answers, again.authorities, again.additionals, again.questions], [a, b, c, d]);
    }),
  );
});

function pieces(text: string): Buffer[] {
  return [Buffer.from(text.slice(0, 255)), ...(text.length > 255 ? [Buffer.from(text.slice(255))] : [])];
}

test("RFC 1035 3.3.14: texts of any length go through the data of TXT, and what is none is told", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 700 }), (text) => {
      assert.equal(textOf(textData(text)), Buffer.from(text, "utf8").toString("utf8"));
    }),
  );
  assert.deepEqual(textData(""), hex("00"));
  assert.equal(textData("x".repeat(256)).length, 258);
  assert.equal(textOf(hex("03 61")), undefined);
});

test("RFC 1035 4.1.4: names that end in the question's point to it", () => {
  const address: ResourceRecord = { name: nameToWire("a.bs.example.com"), type: 1, class: 1, ttl: 30, data: hex("01020304") };
  const question = buildQuery(1, { name: zone, type: 6, class: 1 });
  const message = new MessageBuilder({ id: 1 }).question(zone, 6).record("answer", address).finish();
  assert.equal(message.length - question.length, 2 + 2 + 10 + 4);
  assert.deepEqual(readMessage(message).answers[0]?.name, address.name);
});

test("RFC 1996 3.7: NOTIFY names the zone, with or without its serial", () => {
  const plain = buildNotify(5, zone);
  assert.deepEqual(plain, Uint8Array.from(Buffer.concat([hex("0005 2400 0001 0000 0000 0000"), zone, hex("0006 0001")])));
  assert.deepEqual(readNotify(readMessage(plain)), { zone, serial: undefined });
  const data = Buffer.concat([zone, zone, hex("0000002a 00000001 00000001 00000001 00000001")]);
  assert.deepEqual(readNotify(readMessage(buildNotify(5, zone, data))), { zone, serial: 42 });
  assert.equal(readNotify(readMessage(buildQuery(5, { name: zone, type: 6, class: 1 }))), undefined, "a query is none");
  const answer = Uint8Array.from(plain);
  answer[2] = (answer[2] as number) | 0x80;
  assert.equal(readNotify(readMessage(answer)), undefined, "nor is an answer");
});

test("random bytes, and messages with bytes changed, give a message or MalformedMessage, in good time", () => {
  const tries = (bytes: Uint8Array): void => {
    for (const read of [readMessage, readTsig]) {
      try {
        read(bytes);
      } catch (error) {
        assert.ok(error instanceof MalformedMessage, String(error));
      }
    }
  };
  const header = fc.constantFrom(
    "0001 8000 0001 0002 0003 0004",
    "0001 2800 ffff ffff ffff ffff",
    "0001 0000 0000 0001 0000 0000",
  );
  fc.assert(
    fc.property(header, fc.uint8Array({ maxLength: 600 }), (head, bytes) => tries(Buffer.concat([hex(head), bytes]))),
    { numRuns: 5000 },
  );
  const packet = dnsPacket.encode({
    type: "response",
    questions: [{ type: "SOA", name: "a.b" }],
    answers: [
      { type: "NS", name: "a.b", data: "c.a.b" },
      { type: "MX", name: "a.b", data: { exchange: "d.a.b", preference: 1 } },
    ],
  });
  fc.assert(
    fc.property(fc.nat(packet.length - 1), fc.nat(255), fc.nat(packet.length), (at, value, length) => {
      const changed = Uint8Array.from(packet.subarray(0, Math.max(1, length)));
      if (at < changed.length) changed[at] = value;
      tries(changed);
    }),
    { numRuns: 5000 },
  );
});

test("the largest message there is, full of pointers to pointers, is read or refused in less than a second", () => {
  const bytes = new Uint8Array(0xffff);
  bytes.set(hex("0001 8000 0000 1500 0000 0000"));
  for (let at = 12; at + 1 < bytes.length; at += 2) {
    const to = Math.min(Math.max(12, at - 2), 0x3fff);
    bytes[at] = 0xc0 | (to >> 8);
    bytes[at + 1] = to & 0xff;
  }
  const before = process.cpuUsage();
  assert.throws(() => readMessage(bytes), MalformedMessage);
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 1_000_000, `${user + system} us`);
});
