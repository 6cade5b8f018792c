import assert from "node:assert/strict";
import { test } from "node:test";
import { type NameState, nameToWire, readNameStates, TYPE, ZoneContents } from "../../src/dns/index.ts";
import { HeldNames, planChanges, shareOf } from "../../src/registry/plan.ts";

const ZONE = nameToWire("bs.example.com");
const LIMITS = { names: 500, bytes: 60_000 };
const A = Uint8Array.of(192, 0, 2, 1);
const B = Uint8Array.of(192, 0, 2, 2);
const SIX = new Uint8Array(16).fill(6);

/** Ours are the names of one label that begins with `bs`. */
const owns = (name: Uint8Array): boolean => name[1] === 0x62 && name[2] === 0x73 && name.length === 1 + (name[0] ?? 0);
const relative = (name: string): Uint8Array => nameToWire(name).slice(0, -1);

function held(...records: readonly (readonly [name: string, type: number, data: Uint8Array, ttl?: number])[]): HeldNames {
  const names = new HeldNames(ZONE, 30, owns);
  for (const [name, type, data, ttl = 30] of records) {
    names.add({ name: nameToWire(name === "@" ? "bs.example.com" : `${name}.bs.example.com`), type, ttl, data });
  }
  return names;
}

function wanted(states: Readonly<Record<string, Partial<NameState>>>): ZoneContents {
  const contents = new ZoneContents();
  for (const [name, { ipv4, ipv6 }] of Object.entries(states)) contents.set({ name: relative(name), ipv4, ipv6 });
  return contents;
}

/** The changes as text: `bs1 192.0.2.1`. */
function changesOf(from: HeldNames, to: ZoneContents): readonly string[] {
  const text = ({ name, ipv4, ipv6 }: NameState): string =>
    [Buffer.from(name.subarray(1)).toString(), ipv4?.join(".") ?? "-", ipv6 === undefined ? "-" : "six"].join(" ");
  return planChanges(from, to, LIMITS).batches.flatMap((batch) => [...readNameStates(batch)].map(text));
}

test("what is there as it should be is not touched; what is missing, other or too much is (R5)", () => {
  const from = held(["bs1", TYPE.A, A], ["bs2", TYPE.A, A], ["bs3", TYPE.A, A], ["bs4", TYPE.A, A], ["bs4", TYPE.AAAA, SIX]);
  const to = wanted({ bs1: { ipv4: A }, bs2: { ipv4: B }, bs4: { ipv4: A }, bs5: { ipv6: SIX } });
  assert.deepEqual(changesOf(from, to).slice(0, 3).sort(), ["bs2 192.0.2.2 -", "bs4 192.0.2.1 -", "bs5 - six"]);
  assert.deepEqual(changesOf(from, to).slice(3), ["bs3 - -"], "what goes comes last");
  const { plan } = planChanges(from, to, LIMITS);
  assert.deepEqual(plan, { added: 1, changed: 2, removed: 1, held: 4 });
  assert.equal(shareOf(plan), 0.75);
});

test("an empty zone holds nothing that a plan could take away", () => {
  assert.equal(shareOf(planChanges(held(), wanted({ bs1: { ipv4: A } }), LIMITS).plan), 0);
});

test("names that the recipe cannot make, other types and the apex are nobody's business", () => {
  const text = Uint8Array.of(1, 0x78);
  const from = held(["www", TYPE.A, A], ["bs1", 16, text], ["@", TYPE.A, A], ["x.bs1", TYPE.A, A], ["bs2", TYPE.A, A]);
  assert.equal(from.contents.size, 1);
  assert.deepEqual(changesOf(from, wanted({})), ["bs2 - -"]);
});

test("another TTL than ours, and a second address of a family, are put right", () => {
  const from = held(["bs1", TYPE.A, A, 300], ["bs2", TYPE.A, B], ["bs2", TYPE.A, A], ["bs3", TYPE.A, A]);
  const to = wanted({ bs1: { ipv4: A }, bs2: { ipv4: A }, bs3: { ipv4: A } });
  assert.deepEqual(changesOf(from, to).toSorted(), ["bs1 192.0.2.1 -", "bs2 192.0.2.1 -"]);
});

test("batches have as many names as they may, and as many bytes", () => {
  const names = Object.fromEntries(Array.from({ length: 1100 }, (_, index) => [`bs${index}`, { ipv4: A }]));
  const { batches } = planChanges(held(), wanted(names), LIMITS);
  assert.deepEqual(
    batches.map((batch) => [...readNameStates(batch)].length),
    [500, 500, 100],
  );
  const long = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`bs${index}-${"x".repeat(50)}`, { ipv4: A }]));
  assert.ok(planChanges(held(), wanted(long), { names: 500, bytes: 6000 }).batches.length > 4);
});
