import assert from "node:assert/strict";
import { test } from "node:test";
import dnsPacket from "dns-packet";
import fc from "fast-check";
import {
  buildQuery,
  ErrorAnswer,
  ipv4Bytes,
  MalformedMessage,
  MessageBuilder,
  type NameState,
  nameToWire,
  prepareZone,
  TransferReader,
  type TransferredRecord,
  TransferWriter,
  TYPE,
} from "../../src/dns/index.ts";
import { labels } from "./wire.ts";

const ZONE = "bs.example.com";
const zone = prepareZone({
  name: ZONE,
  nameservers: [{ host: `ns1.${ZONE}`, ipv4: "192.0.2.53" }, { host: "ns2.example.net" }],
  serial: 1,
  ttl: 30,
  negativeTtl: 20,
});
const state = (name: string, ipv4?: string, ipv6?: Uint8Array): NameState => ({
  name: labels(name),
  ipv4: ipv4 === undefined ? undefined : ipv4Bytes(ipv4),
  ipv6,
});

/** All messages that a transfer takes. */
function messagesOf(
  type: 251 | 252,
  write: (writer: TransferWriter, put: (message: Uint8Array | undefined) => void) => void,
): Uint8Array[] {
  const writer = new TransferWriter({ id: 7, zone, type });
  const messages: Uint8Array[] = [];
  const put = (message: Uint8Array | undefined): void => {
    if (message !== undefined) messages.push(message);
  };
  write(writer, put);
  put(writer.finish());
  return messages;
}

const wholeZone = (serial: number, states: readonly NameState[]): Uint8Array[] =>
  messagesOf(TYPE.AXFR, (writer, put) => {
    put(writer.soa(serial));
    for (const each of [...zone.ns, ...zone.glue]) put(writer.record(each));
    for (const each of states) put(writer.addresses(each));
    put(writer.soa(serial));
  });

const said = ({ change, record: { name, type, data } }: TransferredRecord): string =>
  `${change === "added" ? "+" : "-"} ${Buffer.from(name)
    .toString("latin1")
    .replaceAll(/[^ -~]/g, ".")
    .slice(1)} ${type} ${[...data].join(".")}`;

test("RFC 5936 2.2: a zone goes out as SOA, its records, SOA, and dns-packet reads it", () => {
  const [message, ...more] = wholeZone(42, [state("x", "192.0.2.1", Buffer.alloc(16, 1)), state("gone")]);
  assert.deepEqual(more, []);
  const { answers = [], questions, flags } = dnsPacket.decode(Buffer.from(message ?? []));
  assert.equal(flags, 0x400, "authoritative");
  assert.deepEqual(questions, [{ name: ZONE, type: "AXFR", class: "IN" }]);
  const soa = {
    mname: `ns1.${ZONE}`,
    rname: `hostmaster.${ZONE}`,
    serial: 42,
    refresh: 3600,
    retry: 600,
    expire: 604800,
    minimum: 20,
  };
  const common = { class: "IN", flush: false };
  assert.deepEqual(answers, [
    { name: ZONE, type: "SOA", ttl: 20, ...common, data: soa },
    { name: ZONE, type: "NS", ttl: 3600, ...common, data: `ns1.${ZONE}` },
    { name: ZONE, type: "NS", ttl: 3600, ...common, data: "ns2.example.net" },
    { name: `ns1.${ZONE}`, type: "A", ttl: 30, ...common, data: "192.0.2.53" },
    { name: `x.${ZONE}`, type: "A", ttl: 30, ...common, data: "192.0.2.1" },
    { name: `x.${ZONE}`, type: "AAAA", ttl: 30, ...common, data: "101:101:101:101:101:101:101:101" },
    { name: ZONE, type: "SOA", ttl: 20, ...common, data: soa },
  ]);
});

test("a large zone goes out in messages of at most 16 KiB with room for a signature, and is read whole", () => {
  const states = Array.from({ length: 20_000 }, (_none, index) => state(`n${index}`, `10.0.${index >> 8}.${index & 255}`));
  const messages = wholeZone(9, states);
  assert.ok(messages.every(({ length }) => length <= 0x4000 - 400));
  assert.ok(
    messages.slice(0, -1).every(({ length }) => length > 15_000),
    "and they are full",
  );
  const reader = new TransferReader({ id: 7, zone: zone.wire });
  const records = messages.flatMap((message, index) => {
    assert.equal(reader.isComplete, false);
    const read = reader.read(message);
    assert.equal(reader.isComplete, index === messages.length - 1);
    return read;
  });
  assert.deepEqual([reader.kind, reader.serial, records.length], ["zone", 9, 20_003]);
  for (const [index, { name, ipv4 }] of states.entries()) {
    const { record } = records[index + 3] as TransferredRecord;
    assert.deepEqual([record.name.slice(0, name.length), record.data], [name, ipv4]);
  }
});

/** RFC 1995 section 7's zone, its records named as there, cut into messages wherever one likes. */
const EXAMPLE = ["soa 3", "soa 1", "nezu A 133.69.136.5", "soa 2", "jain-bb A 133.69.136.4", "jain-bb A 192.41.197.2"];
const EXAMPLE_2 = ["soa 2", "jain-bb A 133.69.136.4", "soa 3", "jain-bb A 133.69.136.3", "soa 3"];

function inMessages(records: readonly string[], cuts: readonly number[]): Uint8Array[] {
  const starts = [0, ...new Set(cuts.map((cut) => 1 + (cut % records.length)).sort((a, b) => a - b))];
  const parts = starts.map((start, index) => records.slice(start, starts[index + 1])).filter(({ length }) => length > 0);
  return parts.flatMap((part) =>
    messagesOf(TYPE.IXFR, (writer, put) => {
      for (const record of part) {
        const [name = "", second = "", address] = record.split(" ");
        put(name === "soa" ? writer.soa(Number(second)) : writer.addresses(state(name, address)));
      }
    }),
  );
}

function readAll(reader: TransferReader, messages: readonly Uint8Array[]): string[] {
  const records = messages.flatMap((message) => reader.read(message).map(said));
  assert.ok(reader.isComplete);
  return records.map((record) => record.replace(".bs.example.com.", ""));
}

const held = (serial: number): TransferReader => new TransferReader({ id: 7, zone: zone.wire, serial });

test("RFC 1995 7: the example's two steps are read in their order, wherever messages begin", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), (cuts) => {
      const reader = held(1);
      assert.deepEqual(readAll(reader, inMessages([...EXAMPLE, ...EXAMPLE_2], cuts)), [
        "- nezu 1 133.69.136.5",
        "+ jain-bb 1 133.69.136.4",
        "+ jain-bb 1 192.41.197.2",
        "- jain-bb 1 133.69.136.4",
        "+ jain-bb 1 133.69.136.3",
      ]);
      assert.deepEqual([reader.kind, reader.serial], ["differences", 3]);
    }),
  );
});

test("RFC 1995 7: the same as one condensed step", () => {
  const condensed = ["soa 3", "soa 1", "nezu A 133.69.136.5", "soa 3", "jain-bb A 133.69.136.3", "soa 3"];
  const reader = held(1);
  assert.deepEqual(readAll(reader, inMessages(condensed, [])), ["- nezu 1 133.69.136.5", "+ jain-bb 1 133.69.136.3"]);
  assert.equal(reader.kind, "differences");
});

test("RFC 1995 4: the zone whole may come for differences, in any number of messages, and an empty one too", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), (cuts) => {
      const reader = held(1);
      const whole = ["soa 3", "jain-bb A 133.69.136.3", "jain-bb A 192.41.197.2", "soa 3"];
      assert.deepEqual(readAll(reader, inMessages(whole, cuts)), ["+ jain-bb 1 133.69.136.3", "+ jain-bb 1 192.41.197.2"]);
      assert.deepEqual([reader.kind, reader.serial], ["zone", 3]);
    }),
  );
  const reader = held(1);
  assert.deepEqual(readAll(reader, inMessages(["soa 3", "soa 3"], [])), []);
  assert.equal(reader.kind, "zone");
});

test("RFC 1995 2: one SOA that is not newer says that there is nothing newer", () => {
  for (const serial of [3, 4, 0x8000_0002]) {
    const reader = held(serial);
    assert.deepEqual(readAll(reader, inMessages(["soa 3"], [])), []);
    assert.deepEqual([reader.kind, reader.serial], ["same", 3]);
  }
  const reader = held(2);
  reader.read(inMessages(["soa 3"], [])[0] as Uint8Array);
  assert.deepEqual([reader.isComplete, reader.kind], [false, undefined], "a newer one: more is to come");
});

test("RFC 1995 4, RFC 5936 2.2: records in an order that is no transfer are refused", () => {
  for (const [serial, ...records] of [
    [undefined, "x A 192.0.2.1"],
    [undefined, "soa 3", "x A 192.0.2.1", "soa 4"],
    [undefined, "soa 3", "soa 2"],
    [undefined, "soa 3", "soa 3", "x A 192.0.2.1"],
    [1, "soa 3", "soa 2", "soa 3", "soa 3"],
    [1, "soa 3", "soa 1", "soa 2", "soa 1"],
    [1, "soa 3", "soa 1", "soa 2", "x A 192.0.2.1", "soa 3"],
  ] as const) {
    const reader = serial === undefined ? new TransferReader({ id: 7, zone: zone.wire }) : held(serial);
    assert.throws(() => inMessages(records, []).map((message) => reader.read(message)), MalformedMessage, records.join(", "));
  }
});

test("RFC 5936 2.2.3: records of another zone, and SOA of other names, are refused", () => {
  const soa = Buffer.concat([zone.wire, zone.wire, Buffer.alloc(20, 1)]);
  for (const record of [
    { name: nameToWire("x.example.com"), type: 1, class: 1, ttl: 1, data: Buffer.alloc(4) },
    { name: nameToWire(`x.${ZONE}`), type: 1, class: 3, ttl: 1, data: Buffer.alloc(4) },
    { name: nameToWire(`x.${ZONE}`), type: 6, class: 1, ttl: 1, data: soa },
  ]) {
    const message = new MessageBuilder({ id: 7, flags: 0x8400 })
      .question(zone.wire, 252)
      .record("answer", { name: zone.wire, type: 6, class: 1, ttl: 1, data: soa })
      .record("answer", record)
      .finish();
    assert.throws(() => new TransferReader({ id: 7, zone: zone.wire }).read(message), MalformedMessage);
  }
});

test("RFC 5936 2.2.1: an error, another id and a request are told apart from a transfer", () => {
  const reader = new TransferReader({ id: 7, zone: zone.wire });
  const refused = new MessageBuilder({ id: 7, flags: 0x8000, rcode: 5 }).question(zone.wire, 252).finish();
  assert.throws(
    () => reader.read(refused),
    (error: unknown) => error instanceof ErrorAnswer && error.code === "refused",
  );
  const [message = new Uint8Array(0)] = wholeZone(1, []);
  assert.throws(() => new TransferReader({ id: 8, zone: zone.wire }).read(message), MalformedMessage);
  assert.throws(() => reader.read(buildQuery(7, { name: zone.wire, type: 252, class: 1 })), MalformedMessage);
});

test("transfers with bytes changed or cut off give records, MalformedMessage or ErrorAnswer", () => {
  const [message = new Uint8Array(0)] = inMessages([...EXAMPLE, ...EXAMPLE_2], []);
  fc.assert(
    fc.property(fc.nat(message.length - 1), fc.nat(255), fc.nat(message.length), (at, value, length) => {
      const changed = message.slice(0, length);
      if (at < length) changed[at] = value;
      try {
        held(1).read(changed);
      } catch (error) {
        assert.ok(error instanceof MalformedMessage || error instanceof ErrorAnswer, String(error));
      }
    }),
    { numRuns: 5000 },
  );
});
