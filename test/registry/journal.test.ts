import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type NameState,
  NameStatesWriter,
  nameToWire,
  prepareZone,
  TransferReader,
  TYPE,
  type Zone,
  ZoneContents,
} from "../../src/dns/index.ts";
import { Journal } from "../../src/registry/journal.ts";
import { addressed, difference, wholeZone } from "../../src/registry/transfer-bodies.ts";
import { ZONE_OPTIONS } from "./primary-fixture.ts";

const zone: Zone = prepareZone(ZONE_OPTIONS);
/** Serials go round the circle in the middle of each run (RFC 1982). */
const FIRST = 0xffff_fffd;
const serialAfter = (steps: number): number => (FIRST + steps) >>> 0;

/** One of twelve names in one of nine states: absent, or with an address of either family. */
const change = fc.record({ name: fc.nat(11), ipv4: fc.nat(2), ipv6: fc.nat(2) }).map(
  ({ name, ipv4, ipv6 }): NameState => ({
    name: nameToWire(`bs${name}${name % 3 === 0 ? ".tok" : ""}`).slice(0, -1),
    ipv4: ipv4 === 0 ? undefined : Uint8Array.of(192, 0, 2, ipv4),
    ipv6: ipv6 === 0 ? undefined : new Uint8Array(16).fill(ipv6),
  }),
);

/** A secondary, told by messages only. */
class Secondary {
  records: Set<string> = new Set();
  serial = 0;

  take(bodies: Iterable<Uint8Array>, type: number, from?: number): TransferReader["kind"] {
    const reader = new TransferReader({ id: 7, zone: zone.wire, ...(from === undefined ? {} : { serial: from }) });
    const changes = [...bodies].flatMap((body) => [...reader.read(addressed(body, zone, { id: 7, type }))]);
    assert.equal(reader.isComplete, true);
    if (reader.kind === "zone") this.records = new Set();
    for (const { change, record } of changes) {
      const text = `${Buffer.from(record.name).toString("latin1")} ${record.type} ${record.ttl} ${Buffer.from(record.data).toString("hex")}`;
      if (change === "removed") assert.ok(this.records.delete(text), "what is taken away was there");
      else {
        assert.ok(!this.records.has(text), "what comes was not there");
        this.records.add(text);
      }
    }
    this.serial = reader.serial;
    return reader.kind;
  }
}

test("RFC 1995: from any serial that the journal goes back to, the difference leads to just what a whole transfer gives", () => {
  const runs = fc.array(fc.array(change, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(runs, fc.nat(400), (steps, limit) => {
      const contents = new ZoneContents();
      const journal = new Journal();
      const snapshots: Secondary[] = [];
      const keep = (serial: number): void => {
        const secondary = new Secondary();
        secondary.take(wholeZone(zone, serial, contents.entries()), TYPE.AXFR);
        snapshots.push(secondary);
      };
      keep(serialAfter(0));
      steps.forEach((step, index) => {
        const before = new NameStatesWriter();
        for (const state of step) {
          const { ipv4, ipv6 } = contents.get(state.name) ?? {};
          before.add(state.name, state.name.length, ipv4, ipv6);
          contents.set(state);
        }
        journal.append(serialAfter(index), before.take(), limit);
        assert.ok(journal.bytes <= limit);
        keep(serialAfter(index + 1));
      });
      const to = serialAfter(steps.length);
      const now = snapshots.at(-1) as Secondary;
      for (const secondary of snapshots.slice(0, -1)) {
        const from = secondary.serial;
        const before = journal.since(from);
        if (before === undefined) continue;
        const bodies = difference(zone, { from, to }, before, contents, Number.POSITIVE_INFINITY) ?? [];
        const kind = secondary.take(bodies, TYPE.IXFR, from);
        assert.equal(kind, "differences");
        assert.equal(secondary.serial, to);
        assert.deepEqual([...secondary.records].sort(), [...now.records].sort());
      }
    }),
    { numRuns: 300 },
  );
});

test("the journal forgets the oldest first, and knows only serials that it began a step at", () => {
  const journal = new Journal();
  for (let serial = 1; serial <= 10; serial++) journal.append(serial, new Uint8Array(10), 35);
  assert.deepEqual([journal.bytes, journal.since(7)], [30, undefined]);
  assert.notEqual(journal.since(8), undefined);
  assert.equal(journal.since(11), undefined);
  journal.append(11, new Uint8Array(36), 35);
  assert.deepEqual([journal.bytes, journal.since(11)], [0, undefined]);
});

test("a difference that is larger than the whole zone is not given", () => {
  const contents = new ZoneContents();
  const old = Array.from({ length: 5000 }, (_, index): NameState => {
    const state = { name: nameToWire(`bs${index}`).slice(0, -1), ipv4: Uint8Array.of(192, 0, 2, 1), ipv6: undefined };
    contents.set({ ...state, ipv4: Uint8Array.of(192, 0, 2, 2) });
    return state;
  });
  const serials = { from: 1, to: 2 };
  const whole = [...wholeZone(zone, 2, contents.entries())].reduce((sum, { length }) => sum + length, 0);
  assert.equal(difference(zone, serials, old, contents, whole), undefined);
  assert.ok((difference(zone, serials, old.slice(0, 1000), contents, whole)?.length ?? 0) > 1);
});
