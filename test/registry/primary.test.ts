import assert from "node:assert/strict";
import { test } from "node:test";
import {
  buildQuery,
  CLASS_IN,
  MessageBuilder,
  nameToWire,
  OPCODE,
  packNameStates,
  prepareZone,
  readMessage,
  readTsig,
  signTsig,
  soaSerial,
  TransferReader,
  TSIG_ERROR,
  type TsigKey,
  TsigStream,
  TYPE,
  verifyTsig,
} from "../../src/dns/index.ts";
import { type Instant, VirtualClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { type PrimaryMemory, PrimaryRegistry } from "../../src/registry/index.ts";
import { newKey, ZONE } from "../support/dns-servers.ts";
import { MemoryStore, parts, stateOf, states, ZONE_OPTIONS } from "./primary-fixture.ts";

const KEY = newKey();
const NOW: Instant = Date.UTC(2026, 0, 1);
const wire = nameToWire(ZONE);

/** A primary in lockstep: what it sends is kept, and time is moved. */
class Bench {
  readonly clock: VirtualClock;
  readonly store: MemoryStore;
  readonly registry: PrimaryRegistry;
  sent: { readonly message: Uint8Array; readonly to: string }[] = [];
  /** Makes the answer of a secondary that is asked; undefined: it does not answer. */
  answer: ((asked: Uint8Array) => Uint8Array) | undefined;

  constructor(options: { key?: TsigKey; kept?: PrimaryMemory; secondaries?: string[]; store?: MemoryStore; now?: Instant } = {}) {
    this.clock = new VirtualClock(options.now ?? NOW);
    this.store = options.store ?? new MemoryStore(options.kept);
    this.registry = new PrimaryRegistry({
      zone: prepareZone(ZONE_OPTIONS),
      key: options.key ?? KEY,
      secondaries: options.secondaries ?? ["127.0.0.1:5300"],
      send: (message, to) => this.sent.push({ message, to }),
      ask: async (_, message) => this.answer?.(message) ?? Promise.reject(new Error("no answer")),
      store: this.store,
      clock: this.clock,
      random: seededRandom(1),
      log: silentLogger,
    });
  }

  /** The whole answer to a message. */
  async ask(message: Uint8Array, transport: "udp" | "tcp" = "tcp"): Promise<Uint8Array[]> {
    const answers: Uint8Array[] = [];
    for await (const answer of this.registry.respond(message, transport)) answers.push(answer);
    return answers;
  }

  /** The answer to a signed query, its signature checked and taken off. */
  async query(name: string, type: number, key: TsigKey = KEY): Promise<Uint8Array> {
    const asked = signTsig(buildQuery(5, { name: nameToWire(name), type, class: CLASS_IN }), key, this.clock.now());
    const [answer = new Uint8Array(0)] = await this.ask(asked.message);
    return verifyTsig(answer, key, this.clock.now(), asked).stripped;
  }

  async serialSeen(): Promise<number> {
    const [soa] = readMessage(await this.query(ZONE, TYPE.SOA)).answers;
    assert.ok(soa);
    return soaSerial(soa);
  }

  /** A transfer as a secondary does it. */
  async transfer(
    from?: number,
    transport: "udp" | "tcp" = "tcp",
  ): Promise<{ kind: string | undefined; serial: number; records: string[] }> {
    const asked = signTsig(transferQuery(from), KEY, this.clock.now());
    const stream = new TsigStream(KEY, asked.mac);
    const reader = new TransferReader({ id: 7, zone: wire, ...(from === undefined ? {} : { serial: from }) });
    const records: string[] = [];
    for (const answer of await this.ask(asked.message, transport)) {
      for (const { change, record } of reader.read(stream.verify(answer, this.clock.now()))) {
        const name = Buffer.from(record.name.slice(1, 1 + (record.name[0] ?? 0))).toString();
        if (record.type === TYPE.A) records.push(`${change === "added" ? "+" : "-"}${name} ${record.data.join(".")}`);
      }
    }
    if (reader.kind !== undefined) stream.finish();
    return { kind: reader.kind, serial: reader.serial, records: records.sort() };
  }

  /** Answers a NOTIFY as a secondary does. */
  acknowledge(index: number, rcode: number = 0): void {
    const { message } = this.sent[index] as { message: Uint8Array };
    const { id } = readMessage(message);
    const answer = new MessageBuilder({ id, opcode: OPCODE.NOTIFY, flags: 0x8400, rcode }).question(wire, TYPE.SOA).finish();
    const mac = readTsig(message)?.mac ?? new Uint8Array(0);
    this.registry.notified(signTsig(answer, KEY, this.clock.now(), { mac }).message);
  }

  /** Lets time pass; returns when something was sent, in ms from now. */
  pass(span: number): number[] {
    const times: number[] = [];
    for (let at = 0; at < span; at += 500) {
      this.clock.advance(500);
      const count = this.sent.length;
      const due = this.registry.nextDeadline();
      if (due !== undefined && due <= this.clock.now()) this.registry.tick(this.clock.now());
      if (this.sent.length > count) times.push(at + 500);
    }
    return times;
  }
}

function transferQuery(from?: number): Uint8Array {
  const builder = new MessageBuilder({ id: 7 }).question(wire, from === undefined ? TYPE.AXFR : TYPE.IXFR);
  if (from === undefined) return builder.finish();
  const data = Uint8Array.from([0, 0, ...uint32(from), ...new Array(16).fill(0)]);
  return builder.record("authority", { name: wire, type: TYPE.SOA, class: CLASS_IN, ttl: 0, data }).finish();
}

function uint32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

async function started(options: ConstructorParameters<typeof Bench>[0] = {}, names: number = 3): Promise<Bench> {
  const bench = new Bench(options);
  await bench.registry.replace(parts(states(0, names, 1)), 1);
  return bench;
}

const rcodeOf = (answer: Uint8Array | undefined): number => (answer?.[3] ?? 0xff) & 0x0f;

test("RFC 5936, RFC 1995: the zone whole, then what changed since, condensed; up to date is one SOA", async () => {
  const bench = await started();
  const { registry } = bench;
  const whole = await bench.transfer();
  assert.deepEqual(whole.records, ["+bs0 127.0.0.1", "+bs1 127.0.0.1", "+bs2 127.0.0.1", "+ns1 192.0.2.53"]);
  assert.deepEqual([whole.kind, whole.serial], ["zone", registry.serial]);
  const first = registry.serial;
  await registry.write(packNameStates([stateOf("bs0", 2), stateOf("bs9", 1), stateOf("bs2", undefined)]));
  await registry.write(packNameStates([stateOf("bs9", undefined), stateOf("bs1", 3)]));
  assert.equal(registry.serial, first + 2);
  const step = await bench.transfer(first);
  assert.deepEqual(step.records, ["+bs0 127.0.0.2", "+bs1 127.0.0.3", "-bs0 127.0.0.1", "-bs1 127.0.0.1", "-bs2 127.0.0.1"]);
  assert.deepEqual([step.kind, step.serial], ["differences", first + 2]);
  assert.equal((await bench.transfer(first + 2)).kind, "same");
  assert.equal((await bench.transfer(first - 1)).kind, "zone", "the journal does not go back so far");
  assert.deepEqual(registry.stats, { axfr: 1, ixfr: 1, ixfrAsWhole: 1, ixfrSoaOnly: 1, queries: 0, refused: 0 });
});

test("what is so already gives no new serial and no NOTIFY; name servers' names are nobody's to publish", async () => {
  const bench = await started();
  const { serial } = bench.registry;
  const sent = bench.sent.length;
  const written = await bench.registry.write(packNameStates([stateOf("bs0", 1), stateOf("bs7", undefined), stateOf("ns1", 5)]));
  assert.deepEqual(written, { changed: 0, serial, names: 3 });
  assert.deepEqual([bench.registry.serial, bench.sent.length], [serial, sent]);
});

test("RFC 1995 section 2: over UDP what fits one datagram is given, else the SOA alone; AXFR is not for UDP", async () => {
  const bench = await started({}, 3000);
  const first = bench.registry.serial;
  await bench.registry.write(states(0, 2, 2));
  assert.equal((await bench.transfer(first, "udp")).records.length, 4);
  await bench.registry.write(states(0, 50, 3));
  const [large] = await bench.ask(signTsig(transferQuery(first), KEY, NOW).message, "udp");
  assert.deepEqual(
    readMessage(large as Uint8Array).answers.map(({ type }) => type),
    [TYPE.SOA],
  );
  assert.equal((await bench.transfer(first)).records.length, 100);
  const [refused] = await bench.ask(signTsig(transferQuery(), KEY, NOW).message, "udp");
  assert.equal(rcodeOf(refused), 1);
});

test("R7, RFC 8945 section 5: without a signature a transfer is REFUSED, with a wrong one NOTAUTH and why", async () => {
  const bench = await started();
  const refused = async (message: Uint8Array): Promise<readonly [number, number | undefined]> => {
    const answers = await bench.ask(message);
    assert.equal(answers.length, 1);
    const answer = answers[0] as Uint8Array;
    assert.equal(readMessage(answer).answers.length, 0);
    return [rcodeOf(answer), readTsig(answer)?.error];
  };
  for (const from of [undefined, bench.registry.serial - 1]) {
    const query = transferQuery(from);
    assert.deepEqual(await refused(query), [5, undefined]);
    assert.deepEqual(await refused(signTsig(query, { ...KEY, secret: new Uint8Array(32) }, NOW).message), [9, TSIG_ERROR.BADSIG]);
    assert.deepEqual(await refused(signTsig(query, { ...KEY, name: "other" }, NOW).message), [9, TSIG_ERROR.BADKEY]);
    assert.deepEqual(await refused(signTsig(query, { ...KEY, algorithm: "hmac-sha512" }, NOW).message), [9, TSIG_ERROR.BADKEY]);
    const late = signTsig(query, KEY, NOW - 600_000);
    assert.deepEqual(await refused(late.message), [9, TSIG_ERROR.BADTIME]);
    const [answer] = await bench.ask(late.message);
    assert.throws(() => verifyTsig(answer as Uint8Array, KEY, NOW - 600_000, late), { code: "bad-time", serverTime: NOW });
  }
  assert.equal(bench.registry.stats.refused, 12);
  const elsewhere = buildQuery(5, { name: nameToWire("example.org"), type: TYPE.AXFR, class: CLASS_IN });
  assert.equal(rcodeOf((await bench.ask(signTsig(elsewhere, KEY, NOW).message))[0]), 9);
});

test("a signed query is answered signed, out of the same zone: SOA, NS, live names, no such name; hmac-sha512 too", async () => {
  const key = newKey("hmac-sha512");
  const bench = await started({ key });
  await bench.registry.write(packNameStates([stateOf("dev.tok", 4)]));
  const said = async (name: string, type: number): Promise<readonly [number, number, number]> => {
    const { rcode, answers, authorities } = readMessage(await bench.query(name, type, key));
    return [rcode, answers.length, authorities.length];
  };
  assert.deepEqual(await said(ZONE, TYPE.SOA), [0, 1, 0]);
  assert.deepEqual(await said(ZONE, TYPE.NS), [0, 1, 0]);
  assert.deepEqual(await said(`bs1.${ZONE}`, TYPE.A), [0, 1, 0]);
  assert.deepEqual(await said(`ns1.${ZONE}`, TYPE.A), [0, 1, 0]);
  assert.deepEqual(await said(`bs1.${ZONE}`, TYPE.AAAA), [0, 0, 1]);
  assert.deepEqual(await said(`bs7.${ZONE}`, TYPE.A), [3, 0, 1]);
  assert.deepEqual(await said(`tok.${ZONE}`, TYPE.A), [0, 0, 1]);
  assert.deepEqual(await said("example.org", TYPE.A), [5, 0, 0]);
});

test("a transfer is of one serial however the zone goes on, those under way share it, and secondaries are told at its end", async () => {
  const bench = await started({}, 20_000);
  const { serial } = bench.registry;
  const begin = (): { stream: TsigStream; answers: AsyncIterator<Uint8Array> } => {
    const asked = signTsig(transferQuery(), KEY, bench.clock.now());
    const answers = bench.registry.respond(asked.message, "tcp")[Symbol.asyncIterator]();
    return { stream: new TsigStream(KEY, asked.mac), answers };
  };
  const transfers = [begin(), begin(), begin()];
  const readers = transfers.map(() => new TransferReader({ id: 7, zone: wire }));
  const counts = [0, 0, 0];
  for (let left = true, round = 0; left; round++) {
    left = false;
    for (const [index, { stream, answers }] of transfers.entries()) {
      const { value, done } = await answers.next();
      if (done === true) continue;
      left = true;
      for (const { record } of readers[index]?.read(stream.verify(value, bench.clock.now())) ?? []) {
        if (record.type === TYPE.A && record.data[0] === 127) counts[index] = (counts[index] ?? 0) + 1;
        assert.notEqual(record.data.join("."), "127.0.0.2", "what changes later is not in it");
      }
    }
    await bench.registry.write(states(round * 100, round * 100 + 100, 2));
  }
  assert.deepEqual(counts, [20_000, 20_000, 20_000]);
  assert.deepEqual(
    readers.map((reader) => [reader.kind, reader.serial]),
    new Array(3).fill(["zone", serial]),
  );
  assert.ok(bench.registry.serial > serial);
  assert.equal((await bench.transfer()).serial, bench.registry.serial, "afterwards the present zone is given again");
});

test("RFC 1996 section 3.6: NOTIFY is signed, and sent again after 1, 2, 4 ... 60 s until it is answered", async () => {
  const bench = await started();
  assert.equal(bench.sent.length, 1);
  const { message, to } = bench.sent[0] as { message: Uint8Array; to: string };
  assert.equal(to, "127.0.0.1:5300");
  const { opcode, answers } = readMessage(verifyTsig(message, KEY, NOW).stripped);
  assert.deepEqual([opcode, answers.map(soaSerial)], [OPCODE.NOTIFY, [bench.registry.serial]]);
  assert.deepEqual(bench.pass(200_000), [1000, 3000, 7000, 15_000, 31_000, 63_000, 123_000, 183_000]);
  bench.clock.advance(-600_000);
  assert.deepEqual(bench.pass(1000), [500], "nor does it wait for a clock that was set back");
  bench.acknowledge(bench.sent.length - 1, 9);
  assert.equal(bench.pass(60_000).length, 1, "an answer that refuses is none");
  bench.acknowledge(bench.sent.length - 1);
  assert.deepEqual([bench.pass(120_000), bench.registry.nextDeadline()], [[], undefined]);
});

test("RFC 1996: changes while a secondary does not answer are one NOTIFY, with the newest serial; forged answers count for nothing", async () => {
  const bench = await started({ secondaries: ["127.0.0.1:5300", "127.0.0.2:5300"] });
  for (const index of [0, 1]) bench.acknowledge(index);
  bench.sent = [];
  await bench.registry.write(states(0, 1, 2));
  assert.deepEqual(
    bench.sent.map(({ to }) => to),
    ["127.0.0.1:5300", "127.0.0.2:5300"],
  );
  bench.acknowledge(0);
  bench.registry.notified(Uint8Array.from([...(bench.sent[1]?.message ?? []).slice(0, 2), ...new Uint8Array(10)]));
  bench.pass(2000);
  const before = bench.sent.length;
  for (let address = 3; address < 8; address++) await bench.registry.write(states(0, 1, address));
  const later = bench.sent.slice(before);
  assert.equal(later.filter(({ to }) => to === "127.0.0.2:5300").length, 0, "it may be away: it hears with the next try");
  bench.pass(60_000);
  const last = bench.sent.filter(({ to }) => to === "127.0.0.2:5300").at(-1) as { message: Uint8Array };
  assert.deepEqual(readMessage(last.message).answers.map(soaSerial), [bench.registry.serial]);
});

test("RFC 1982: the serial never goes back over a restart, nor with another balancer, nor if the clock does", async () => {
  const store = new MemoryStore();
  const first = await started({ store });
  assert.equal(first.registry.serial, NOW / 1000 + 1);
  for (let step = 0; step < 1000; step++) await first.registry.write(states(0, 1, 2 + step));
  assert.ok(store.saves < 10, "serials are set aside in blocks");
  const second = await started({ store, now: NOW - 86_400_000 });
  assert.ok(second.registry.serial > first.registry.serial);
  assert.ok((store.kept?.serial ?? 0) >= second.registry.serial);
  // The first takes over again: also its own serials lie behind those of the second.
  first.registry.suspend();
  await first.registry.replace(parts(states(0, 3, 1)), 1);
  assert.ok(first.registry.serial > second.registry.serial);
});

test("RFC 1982: a restart costs one serial; one that was not orderly costs those that were set aside", async () => {
  const store = new MemoryStore();
  const first = await started({ store });
  const { serial } = first.registry;
  await first.registry.close();
  assert.equal(store.kept?.names, 3);
  const second = await started({ store });
  assert.equal(second.registry.serial, serial + 1);
  const third = await started({ store });
  assert.equal(third.registry.serial, serial + 1 + 256 + 1);
  // It was overtaken: what is set aside is not its own to give back.
  await second.registry.close();
  assert.ok((store.kept?.serial ?? 0) > third.registry.serial);
});

/** What a secondary that has this serial answers to a signed question. */
function soaAnswer(serial: number, { key = KEY, flags = 0x8400 }: { key?: TsigKey; flags?: number } = {}): Bench["answer"] {
  return (asked) => {
    const { mac, stripped } = verifyTsig(asked, KEY, NOW);
    const data = Uint8Array.from([0, 0, ...uint32(serial), ...new Array(16).fill(0)]);
    const answer = new MessageBuilder({ id: readMessage(stripped).id, flags }).question(wire, TYPE.SOA);
    answer.record("answer", { name: wire, type: TYPE.SOA, class: CLASS_IN, ttl: 0, data });
    return signTsig(answer.finish(), key, NOW, { mac }).message;
  };
}

test("RFC 1982: where an old backup was restored, the serial goes on from the newest that a secondary has", async () => {
  const ahead = NOW / 1000 + 50_000;
  const after = async (answer: Bench["answer"]): Promise<number> => {
    const bench = new Bench({ kept: { serial: NOW / 1000 + 10, names: 3 }, secondaries: ["127.0.0.1:5300", "127.0.0.2:5300"] });
    bench.answer = answer;
    await bench.registry.replace(parts(states(0, 3, 1)), 0.3);
    assert.ok((bench.store.kept?.serial ?? 0) >= bench.registry.serial);
    return bench.registry.serial;
  };
  const ours = NOW / 1000 + 11;
  assert.equal(await after(soaAnswer(ahead)), ahead + 1);
  assert.equal(await after(undefined), ours);
  assert.equal(await after(soaAnswer(ours - 5)), ours, "it is behind");
  assert.equal(await after(soaAnswer((ours + 0x8000_0001) >>> 0)), ours, "it is behind");
  assert.equal(await after(soaAnswer(ahead, { key: { ...KEY, secret: new Uint8Array(32) } })), ours, "anybody can say that");
  assert.equal(await after(soaAnswer(ahead, { flags: 0x8000 })), ours, "it is a resolver");
  let asked = 0;
  assert.equal(await after((message) => (soaAnswer(ahead + asked++) as (asked: Uint8Array) => Uint8Array)(message)), ahead + 2);
});

test("RFC 1982: the serial goes round from 2^32 - 1, leaves 0 out, and differences lead across", async () => {
  const bench = await started({ now: 0xffff_fffc * 1000 });
  assert.equal(bench.registry.serial, 0xffff_fffd);
  for (let step = 0; step < 5; step++) await bench.registry.write(states(0, 1, 2 + step));
  assert.equal(bench.registry.serial, 3);
  const { kind, serial, records } = await bench.transfer(0xffff_fffd);
  assert.deepEqual([kind, serial, records], ["differences", 3, ["+bs0 127.0.0.6", "-bs0 127.0.0.1"]]);
});

test("R6: while it does not lead, a primary answers SERVFAIL, sends no NOTIFY and takes no changes", async () => {
  const bench = new Bench();
  const silent = async (): Promise<void> => {
    for (const query of [transferQuery(), transferQuery(1), buildQuery(5, { name: wire, type: TYPE.SOA, class: CLASS_IN })]) {
      const asked = signTsig(query, KEY, bench.clock.now());
      const [answer] = await bench.ask(asked.message);
      assert.equal(rcodeOf(verifyTsig(answer as Uint8Array, KEY, bench.clock.now(), asked).stripped), 2);
    }
    await assert.rejects(bench.registry.write(states(0, 1, 9)), { name: "RegistryUnavailable", code: "busy" });
    const sent = bench.sent.length;
    assert.deepEqual([bench.pass(120_000), bench.sent.length], [[], sent]);
  };
  await silent();
  await bench.registry.replace(parts(states(0, 3, 1)), 1);
  const { serial } = bench.registry;
  bench.registry.suspend();
  await silent();
  await bench.registry.replace(parts(states(0, 2, 1)), 1);
  assert.equal(await bench.serialSeen(), serial + 1);
  assert.deepEqual((await bench.transfer(serial)).records, ["-bs2 127.0.0.1"], "nobody else was at it: the journal still holds");
});

test("a transfer under way ends when the lease is lost", async () => {
  const bench = await started({}, 5000);
  const answers = bench.registry.respond(signTsig(transferQuery(), KEY, NOW).message, "tcp")[Symbol.asyncIterator]();
  assert.equal((await answers.next()).done, false);
  bench.registry.suspend();
  await assert.rejects(answers.next(), { name: "RegistryUnavailable" });
});

test("a comparison that would change or remove too much is held; at the first one after a start the number of names decides", async () => {
  const store = new MemoryStore();
  const bench = await started({ store }, 100);
  const { serial } = bench.registry;
  await assert.rejects(bench.registry.replace(parts(states(0, 60, 1)), 0.3), { name: "RegistryHeld", code: "held" });
  assert.equal(bench.registry.serial, serial);
  assert.equal((await bench.registry.replace(parts(states(0, 70, 1)), 0.3)).names, 70);
  const next = new Bench({ store });
  const plan = { added: 20, changed: 0, removed: 50, held: 70 };
  await assert.rejects(next.registry.replace(parts(states(0, 20, 1)), 0.3), { name: "RegistryHeld", plan });
  assert.equal((await next.registry.replace(parts(states(0, 20, 1)), 1)).names, 20);
});

test("what the last write before a restart took away is not held against the next balancer", async () => {
  const store = new MemoryStore();
  const bench = await started({ store }, 100);
  await bench.registry.write(states(0, 50, undefined));
  const next = new Bench({ store });
  assert.equal((await next.registry.replace(parts(states(50, 100, 1)), 0.3)).names, 50);
});

test("R6: a comparison that ends after the lease was lost does not bring the lead back", async () => {
  const bench = await started();
  bench.registry.suspend();
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield states(0, 3, 2);
    bench.registry.suspend();
  }
  await assert.rejects(bench.registry.replace(slow(), 1), { name: "RegistryUnavailable", code: "busy" });
  await assert.rejects(bench.registry.write(states(0, 1, 9)), { code: "busy" });
  await bench.registry.replace(parts(states(0, 3, 2)), 1);
  assert.equal((await bench.transfer()).records.length, 4, "three, and the name server");
});

test("RFC 1995: no difference leads on from a serial that another balancer has given to its zone", async () => {
  const store = new MemoryStore();
  const bench = await started({ store });
  bench.registry.suspend();
  const other = await started({ store }, 9);
  // It has used all serials that are set aside when its store fails.
  const save = store.save.bind(store);
  store.save = () => Promise.reject(new Error("disk full"));
  for (let step = 0; other.registry.serial !== store.kept?.serial; step++) await other.registry.write(states(0, 1, 2 + step));
  store.save = save;
  const { serial } = other.registry;
  // What it holds when it leads again is not what it goes on from, even where it is held first.
  await assert.rejects(bench.registry.replace(parts(states(0, 1, 1)), 0.3), { name: "RegistryHeld" });
  await bench.registry.replace(parts(states(0, 4, 1)), 1);
  assert.equal((await bench.transfer(serial)).kind, "zone");
});

test("a store that fails leaves the zone as it was", async () => {
  const bench = await started();
  bench.store.save = () => Promise.reject(new Error("disk full"));
  const error = { name: "RegistryUnavailable", message: "the zone's serial cannot be stored: disk full" };
  await assert.rejects(
    bench.registry.write(states(0, 100, 2)).then(() => bench.registry.write(states(0, 1, 3))),
    error,
  );
});

test("hostile messages: nothing throws, and no more than one small message goes back", async () => {
  const bench = await started();
  const random = seededRandom(3);
  const signed = signTsig(transferQuery(1), KEY, NOW).message;
  for (let run = 0; run < 5000; run++) {
    const bytes = Uint8Array.from(signed.subarray(0, 12 + Math.floor(random.uniform() * (signed.length - 11))));
    for (let flips = 1 + Math.floor(random.uniform() * 4); flips > 0; flips--) {
      bytes[Math.floor(random.uniform() * bytes.length)] = Math.floor(random.uniform() * 256);
    }
    const answers = await bench.ask(bytes, run % 2 === 0 ? "udp" : "tcp");
    assert.ok(answers.length <= 1 && (answers[0]?.length ?? 0) < 512);
  }
});
