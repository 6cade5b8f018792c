import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NO_NAME, NON_TERMINAL, nameToWire, ZoneTable } from "../../src/dns/index.ts";

const ZONE = "bs.example.com";

function newTable(seed: Uint8Array = new Uint8Array(16)): ZoneTable {
  return new ZoneTable({ zone: ZONE, seed });
}

/** Looks a relative name up in the form in which queries bring it. */
function lookup(table: ZoneTable, relative: string): number {
  const wire = nameToWire(relative);
  return table.lookup(wire, wire.length - 1);
}

test("B10: names of an epoch are found once it is published, and never after it is withdrawn", () => {
  const table = newTable();
  const epoch = table.beginGeneration(3600, 10);
  assert.equal(epoch.add(`bs1.${ZONE}`, 4), undefined);
  assert.equal(table.get(`bs1.${ZONE}`), undefined);
  assert.equal(table.size, 0);
  table.publish(epoch);
  assert.equal(table.get(`bs1.${ZONE}`), 4);
  assert.deepEqual([table.size, table.namesOf(4), table.generations], [1, 1, [3600]]);
  table.withdraw(3600);
  assert.equal(table.get(`bs1.${ZONE}`), undefined);
  assert.deepEqual([table.size, table.namesOf(4), table.generations], [0, 0, []]);
});

test("B10: two epochs answer at once, and a name in both leads where the newer says", () => {
  const table = newTable();
  for (const [id, instance] of [
    [1, 10],
    [2, 20],
  ] as const) {
    const epoch = table.beginGeneration(id, 2);
    epoch.add(`both.${ZONE}`, instance);
    epoch.add(`only${id}.${ZONE}`, instance);
    table.publish(epoch);
  }
  assert.equal(table.get(`both.${ZONE}`), 20);
  assert.equal(table.get(`only1.${ZONE}`), 10);
  assert.equal(table.get(`only2.${ZONE}`), 20);
  table.withdraw(2);
  assert.equal(table.get(`both.${ZONE}`), 10);
});

test("B6: an epoch built anew takes the old one's place at one instant, and the order of epochs stays", () => {
  const table = newTable();
  table.publish(table.beginGeneration(1, 0));
  table.publish(table.beginGeneration(2, 0));
  table.set(2, `x.${ZONE}`, 2);
  const again = table.beginGeneration(1, 1);
  again.add(`x.${ZONE}`, 7);
  again.add(`y.${ZONE}`, 7);
  table.publish(again);
  assert.deepEqual(table.generations, [2, 1]);
  assert.deepEqual([table.get(`x.${ZONE}`), table.get(`y.${ZONE}`)], [2, 7]);
});

test("N10: who adds a name that is there learns whose it was", () => {
  const epoch = newTable().beginGeneration(1, 1);
  assert.equal(epoch.add(`bs486.${ZONE}`, 1), undefined);
  assert.equal(epoch.add(`bs486.${ZONE}`, 1), 1);
  assert.equal(epoch.add(`bs486.${ZONE}`, 2), 1);
  assert.deepEqual([epoch.size, epoch.namesOf(1), epoch.namesOf(2)], [1, 0, 1]);
});

test("RFC 4343: names are one whatever their case, as text, as bytes and in wire form", () => {
  const table = newTable();
  table.publish(table.beginGeneration(1, 4));
  table.set(1, `BsAbC.${ZONE.toUpperCase()}`, 3);
  const bytes = Buffer.from(`--bSaBc.${ZONE}--`);
  const again = table.beginGeneration(1, 4);
  assert.equal(again.addBytes(bytes, 2, bytes.length - 4, 5), undefined);
  assert.equal(again.delete(`BSABC.${ZONE}`), 5);
  assert.equal(table.get(`bsabc.${ZONE}`), 3);
  assert.equal(lookup(table, "BSABC"), 3);
});

test("RFC 8020 2: names above a live name exist, with nothing at them, as long as it does", () => {
  const table = newTable();
  table.publish(table.beginGeneration(1, 4));
  table.set(1, `dev1.tok.eu.${ZONE}`, 1);
  table.set(1, `dev2.tok.eu.${ZONE}`, 1);
  assert.deepEqual([lookup(table, "tok.eu"), lookup(table, "eu"), lookup(table, "x.eu")], [NON_TERMINAL, NON_TERMINAL, NO_NAME]);
  assert.equal(table.get(`eu.${ZONE}`), undefined);
  assert.equal(table.size, 2);
  table.set(1, `tok.eu.${ZONE}`, 9);
  assert.equal(lookup(table, "tok.eu"), 9);
  table.delete(1, `tok.eu.${ZONE}`);
  table.delete(1, `dev1.tok.eu.${ZONE}`);
  assert.equal(lookup(table, "tok.eu"), NON_TERMINAL);
  table.delete(1, `dev2.tok.eu.${ZONE}`);
  assert.deepEqual([lookup(table, "tok.eu"), lookup(table, "eu")], [NO_NAME, NO_NAME]);
});

test("N5: with the token in path or query the host is the zone's own name, and may be live too", () => {
  const table = newTable();
  table.publish(table.beginGeneration(1, 1));
  table.set(1, ZONE, 2);
  assert.equal(table.get(ZONE), 2);
  assert.equal(table.lookup(new Uint8Array(0), 0), 2);
});

test("R5: an instance has one address of each family, and moving it is one write", () => {
  const table = newTable();
  table.setInstance(2, { ipv4: "192.0.2.1", ipv6: "2001:db8::1" });
  assert.deepEqual([...(table.addresses.ipv4(2) ?? [])], [192, 0, 2, 1]);
  assert.equal(table.addresses.ipv6For(2, new Uint8Array(0), 0)?.[15], 1);
  table.setInstance(2, { ipv4: "192.0.2.9" });
  assert.deepEqual([...(table.addresses.ipv4(2) ?? [])], [192, 0, 2, 9]);
  assert.equal(table.addresses.ipv6For(2, new Uint8Array(0), 0), undefined);
  table.setInstance(2, undefined);
  assert.equal(table.addresses.ipv4(2), undefined);
  assert.throws(() => table.setInstance(2, {}), { code: "invalid-input" });
  assert.throws(() => table.setInstance(2, { ipv4: "192.0.2" }), { code: "invalid-input" });
  for (const index of [-1, 1.5, 65_536, Number.NaN]) {
    assert.throws(() => table.setInstance(index, { ipv4: "192.0.2.1" }), { code: "invalid-input" });
  }
});

test("what cannot be in the zone is refused, and the error does not repeat the name", () => {
  const epoch = newTable().beginGeneration(1, 1);
  const long = `${"a".repeat(60)}.`.repeat(4);
  for (const wrong of [
    "secret.example.com",
    `secretbs.example.com`,
    `.secret.${ZONE}`,
    `secret..${ZONE}`,
    "secret",
    `secret.${ZONE}.`,
    `${long}${ZONE}`,
  ]) {
    const failure = { code: "invalid-input", message: "the host is no name of the zone" };
    assert.throws(() => epoch.add(wrong, 1), failure, wrong);
    assert.throws(() => epoch.addBytes(Buffer.from(wrong), 0, wrong.length, 1), failure, wrong);
  }
  assert.throws(() => epoch.add(`ä.${ZONE}`, 1), { code: "invalid-input" });
  assert.throws(() => epoch.add(`a.${ZONE}`, 65_536), { code: "invalid-input" });
  assert.throws(() => newTable().set(5, `a.${ZONE}`, 1), { code: "invalid-input" });
});

test("a generation takes a thousand times more names than it was told to expect", () => {
  const table = newTable();
  const epoch = table.beginGeneration(1, 100);
  for (let index = 0; index < 100_000; index++) epoch.add(`n${index}.${ZONE}`, index % 7);
  table.publish(epoch);
  for (let index = 0; index < 100_000; index++) assert.equal(table.get(`N${index}.${ZONE}`), index % 7);
  assert.equal(table.get(`n100000.${ZONE}`), undefined);
  assert.equal(table.size, 100_000);
  assert.equal(table.namesOf(0), 14_286);
});

/** What the table does, done with Maps: names in lower case -> instance, by generation. */
class Twin {
  readonly published: { id: number; names: Map<string, number> }[] = [];

  publish(id: number, names: Map<string, number>): void {
    const known = this.published.find((generation) => generation.id === id);
    if (known === undefined) this.published.unshift({ id, names });
    else known.names = names;
  }

  get(name: string): number {
    for (const { names } of this.published) {
      const instance = names.get(name);
      if (instance !== undefined) return instance;
    }
    const above = this.published.some(({ names }) => [...names.keys()].some((other) => other.endsWith(`.${name}`)));
    return above ? NON_TERMINAL : NO_NAME;
  }
}

const nameOf = fc.tuple(fc.nat(60), fc.constantFrom("", ".a", ".b.a", ".A")).map(([number, suffix]) => `n${number}${suffix}`);
const nameOrParent = fc.oneof(nameOf, fc.constantFrom("a", "b.a"));
const seed = fc.uint8Array({ minLength: 16, maxLength: 16 });
const operation = fc.oneof(
  { weight: 70, arbitrary: fc.record({ op: fc.constant("set" as const), id: fc.nat(2), name: nameOf, instance: fc.nat(40) }) },
  { weight: 50, arbitrary: fc.record({ op: fc.constant("delete" as const), id: fc.nat(2), name: nameOf }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant("publish" as const),
      id: fc.nat(2),
      names: fc.array(fc.tuple(nameOrParent, fc.nat(40)), { maxLength: 80 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("withdraw" as const), id: fc.nat(2) }) },
);

test("against a twin made of Maps: any sequence of sets, deletes, publications and withdrawals", () => {
  const host = (name: string): string => `${name}.${ZONE}`;
  fc.assert(
    fc.property(seed, fc.array(operation, { maxLength: 400, size: "max" }), (key, operations) => {
      // Another seed puts the names into other places: at the table's end too, where the search goes on at its beginning.
      const [table, twin] = [newTable(key), new Twin()];
      for (const id of [0, 1]) {
        table.publish(table.beginGeneration(id, 0));
        twin.publish(id, new Map());
      }
      for (const step of operations) {
        const names = twin.published.find(({ id }) => id === step.id)?.names;
        if (step.op === "publish") {
          const generation = table.beginGeneration(step.id, step.names.length >> 3);
          const fresh = new Map<string, number>();
          for (const [name, instance] of step.names) {
            assert.equal(generation.add(host(name), instance), fresh.get(name.toLowerCase()));
            fresh.set(name.toLowerCase(), instance);
          }
          table.publish(generation);
          twin.publish(step.id, fresh);
        } else if (step.op === "withdraw") {
          table.withdraw(step.id);
          twin.published.splice(0, twin.published.length, ...twin.published.filter(({ id }) => id !== step.id));
        } else if (names === undefined) {
          assert.throws(() => table.delete(step.id, host(step.name)));
        } else {
          const key = step.name.toLowerCase();
          const expected = names.get(key);
          if (step.op === "set") {
            assert.equal(table.set(step.id, host(step.name), step.instance), expected);
            names.set(key, step.instance);
          } else {
            assert.equal(table.delete(step.id, host(step.name)), expected);
            names.delete(key);
          }
        }
      }
      assert.deepEqual(
        table.generations,
        twin.published.map(({ id }) => id),
      );
      const all = twin.published.flatMap(({ names }) => [...names]);
      assert.equal(table.size, all.length);
      for (let instance = 0; instance <= 40; instance++) {
        assert.equal(table.namesOf(instance), all.filter(([, at]) => at === instance).length);
      }
      for (let number = 0; number <= 60; number++) {
        for (const suffix of ["", ".a", ".b.a"])
          assert.equal(lookup(table, `n${number}${suffix}`), twin.get(`n${number}${suffix}`));
      }
      for (const parent of ["a", "b.a", "b"]) assert.equal(lookup(table, parent), twin.get(parent));
    }),
    { numRuns: 200 },
  );
});

test("3 million names fit in 150 MB", () => {
  // Measured at a tenth, as the memory of a name does not depend on how many there are.
  const table = newTable();
  globalThis.gc?.();
  const before = process.memoryUsage();
  const epoch = table.beginGeneration(1, 300_000);
  for (let index = 0; index < 300_000; index++) epoch.add(`bsabcdefgh${String(index).padStart(8, "0")}.${ZONE}`, index % 64);
  table.publish(epoch);
  globalThis.gc?.();
  const after = process.memoryUsage();
  const used = after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed;
  assert.ok(used > 4_000_000 && used < 15_000_000, `${used} bytes for 300,000 names`);
  assert.equal(table.size, 300_000);
});
