import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type NameState, packNameStates, readNameStates, ZoneContents } from "../../src/dns/index.ts";

const label = (text: string): Uint8Array => Uint8Array.from([text.length, ...Buffer.from(text)]);
const address = (length: number): fc.Arbitrary<Uint8Array | undefined> =>
  fc.option(fc.uint8Array({ minLength: length, maxLength: length }), { nil: undefined });
const state: fc.Arbitrary<NameState> = fc.record({
  name: fc.oneof(
    fc.integer({ min: 0, max: 60 }).map((number) => label(`bs${number}`)),
    fc.integer({ min: 0, max: 20 }).map((number) => Uint8Array.from([...label(`d${number}`), ...label("token")])),
  ),
  ipv4: address(4),
  ipv6: address(16),
});
const text = ({ name, ipv4, ipv6 }: NameState): string =>
  [name, ipv4, ipv6].map((bytes) => (bytes === undefined ? "-" : Buffer.from(bytes).toString("hex"))).join();
const keyOf = ({ name }: NameState): string => Buffer.from(name).toString("hex");

test("zone contents are what a Map would hold, whatever is set and taken away", () => {
  fc.assert(
    fc.property(fc.array(state, { maxLength: 400 }), (states) => {
      const contents = new ZoneContents();
      const twin = new Map<string, string>();
      for (const each of states) {
        const [before, after] = [twin.get(keyOf(each)), text(each)];
        const gone = each.ipv4 === undefined && each.ipv6 === undefined;
        const expected = gone
          ? before === undefined
            ? "same"
            : "removed"
          : before === undefined
            ? "added"
            : before === after
              ? "same"
              : "changed";
        assert.equal(contents.has(each), expected === "same");
        assert.equal(contents.set(each), expected);
        if (gone) twin.delete(keyOf(each));
        else twin.set(keyOf(each), after);
      }
      assert.equal(contents.size, twin.size);
      assert.deepEqual([...contents.entries()].map(text).sort(), [...twin.values()].sort());
    }),
  );
});

test("names that stay are seen once by whoever reads while others come and go", () => {
  const contents = new ZoneContents();
  const one = (number: number): NameState => ({
    name: label(`bs${number}`),
    ipv4: Uint8Array.of(127, 0, 0, 1),
    ipv6: undefined,
  });
  for (let number = 0; number < 5000; number++) contents.set(one(number));
  const seen: string[] = [];
  let turn = 0;
  for (const each of contents.entries()) {
    seen.push(keyOf(each));
    contents.set({ ...one(turn++ % 1000), ipv4: undefined });
    contents.set(one(10_000 + turn));
    if (turn === 5000) break;
  }
  const unique = new Set(seen);
  assert.equal(unique.size, seen.length, "none is seen twice");
  for (let number = 1000; number < 5000; number++) {
    if (number < 3000) assert.ok(unique.has(keyOf(one(number))), `bs${number}`);
  }
});

test("packed states read as they were written", () => {
  fc.assert(
    fc.property(fc.array(state), (states) => {
      assert.deepEqual([...readNameStates(packNameStates(states))].map(text), states.map(text));
    }),
  );
});
