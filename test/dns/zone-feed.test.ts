import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readNameStates, ZoneContents, type ZoneFeed, ZoneTable } from "../../src/dns/index.ts";

const ZONE = "bs.example.com";

function followedTable(): { table: ZoneTable; feed: ZoneFeed } {
  const table = new ZoneTable({ zone: ZONE, seed: new Uint8Array(16).fill(7), followed: true });
  for (let instance = 0; instance < 3; instance++) table.setInstance(instance, { ipv4: `192.0.2.${instance + 1}` });
  const { feed } = table;
  assert.ok(feed !== undefined);
  return { table, feed };
}

/** What waits in the feed, as `name -> last byte of its IPv4 address, or null`. */
function taken(feed: ZoneFeed, most = 100): Record<string, number | null> {
  const seen: Record<string, number | null> = {};
  for (let states = feed.take(most); states !== undefined; states = feed.take(most)) {
    for (const { name, ipv4 } of readNameStates(states)) {
      seen[Buffer.from(name.subarray(1)).toString()] = ipv4?.[3] ?? null;
    }
  }
  return seen;
}

describe("the feed of a zone table (spec R3, R4)", () => {
  test("names of a generation are told once it is published, and again once it is withdrawn", () => {
    const { table, feed } = followedTable();
    const epoch = table.beginGeneration(1, 10);
    epoch.add(`a.${ZONE}`, 0);
    epoch.add(`b.${ZONE}`, 1);
    assert.deepEqual(taken(feed), {}, "not published yet");
    table.publish(epoch);
    assert.equal(feed.pending, 2);
    assert.deepEqual(taken(feed), { a: 1, b: 2 });
    assert.equal(feed.pending, 0);
    table.withdraw(1);
    assert.deepEqual(taken(feed), { a: null, b: null });
  });

  test("a name that another generation has too leads there when its own is withdrawn", () => {
    const { table, feed } = followedTable();
    for (const id of [1, 2]) {
      const epoch = table.beginGeneration(id, 10);
      epoch.add(`a.${ZONE}`, id);
      table.publish(epoch);
    }
    assert.deepEqual(taken(feed), { a: 3 });
    table.withdraw(2);
    assert.deepEqual(taken(feed), { a: 2 });
  });

  test("names that are set, moved and taken away are told one by one; a move to where they are is none", () => {
    const { table, feed } = followedTable();
    table.publish(table.beginGeneration(1, 10));
    table.set(1, `a.${ZONE}`, 0);
    table.set(1, `b.${ZONE}`, 0);
    table.set(1, `b.${ZONE}`, 2);
    table.set(1, `c.${ZONE}`, 1);
    table.delete(1, `c.${ZONE}`);
    assert.deepEqual(taken(feed, 2), { a: 1, b: 3, c: null });
    table.set(1, `a.${ZONE}`, 0);
    assert.equal(feed.take(10), undefined);
  });

  test("all names are told when an instance is reached elsewhere, and none when it says the same again", () => {
    const { table, feed } = followedTable();
    table.publish(table.beginGeneration(1, 10));
    table.set(1, `a.${ZONE}`, 0);
    taken(feed);
    table.setInstance(0, { ipv4: "192.0.2.1" });
    assert.equal(feed.pending, 0);
    table.setInstance(0, { ipv4: "192.0.2.99" });
    assert.deepEqual(taken(feed), { a: 99 });
    table.setInstance(0, undefined);
    assert.deepEqual(taken(feed), { a: null });
  });

  test("what could not be passed on is told again, as it is by then", () => {
    const { table, feed } = followedTable();
    table.publish(table.beginGeneration(1, 10));
    table.set(1, `a.${ZONE}`, 0);
    const states = feed.take(10);
    assert.ok(states !== undefined);
    table.set(1, `a.${ZONE}`, 2);
    feed.putBack(states);
    assert.deepEqual(taken(feed), { a: 3 });
  });

  test("names that come while a generation is looked at do not make it look done before it is", () => {
    const { table, feed } = followedTable();
    const epoch = table.beginGeneration(1, 10);
    for (let number = 0; number < 4; number++) epoch.add(`n${number}.${ZONE}`, 0);
    table.publish(epoch);
    const follower = new ZoneContents();
    const take = (most: number): void => {
      for (const state of readNameStates(feed.take(most) ?? new Uint8Array(0))) follower.set(state);
    };
    take(1);
    table.set(1, `late.${ZONE}`, 1);
    take(4);
    assert.ok(feed.pending > 0, "one name of the generation has not been looked at");
    while (feed.pending > 0) take(4);
    assert.equal(follower.size, 5);
  });

  test("instances that are reached elsewhere one after the other make each name be looked at once", () => {
    const { table, feed } = followedTable();
    table.publish(table.beginGeneration(1, 10));
    for (let number = 0; number < 10; number++) table.set(1, `n${number}.${ZONE}`, number % 3);
    taken(feed);
    for (let address = 0; address < 100; address++) table.setInstance(address % 3, { ipv4: `198.51.100.${address}` });
    assert.equal(feed.pending, 10);
    feed.take(5);
    table.setInstance(0, { ipv4: "198.51.100.200" });
    const seen = Object.values(taken(feed));
    assert.equal(seen.filter((address) => address === 200).length, 4);
  });

  test("while nobody takes anything it remembers no more than is worth it, and then leads on by all there is", () => {
    const { table, feed } = followedTable();
    table.publish(table.beginGeneration(1, 10));
    table.set(1, `a.${ZONE}`, 0);
    for (let change = 0; change < 400_000 && !feed.overrun; change++) table.set(1, `b.${ZONE}`, change % 2);
    assert.ok(feed.overrun);
    assert.equal(feed.take(10), undefined);
    assert.ok(feed.pending > 0);
    const all = [...feed.all(10)].flatMap((states) => [...readNameStates(states)]);
    assert.equal(all.length, 2);
    assert.deepEqual([feed.overrun, feed.pending], [false, 0]);
    // So many epochs are gone that to remember them takes more than to look at all.
    for (let id = 2; id < 10; id++) {
      const epoch = table.beginGeneration(id, 10);
      epoch.add(`a.${ZONE}`, 0);
      table.publish(epoch);
      table.withdraw(id);
    }
    assert.ok(feed.overrun);
  });

  test("whoever follows it has what the table says, however changes and taking mix", () => {
    const host = (number: number): string => `${number % 5 === 0 ? "sub." : ""}n${number}.${ZONE}`;
    const step = fc.record({
      kind: fc.constantFrom("set", "delete", "publish", "withdraw", "take", "readdress", "all"),
      id: fc.integer({ min: 1, max: 3 }),
      number: fc.integer({ min: 0, max: 30 }),
      instance: fc.integer({ min: 0, max: 2 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const { table, feed } = followedTable();
        let follower = new ZoneContents();
        const follow = (states: Uint8Array | undefined): void => {
          for (const state of readNameStates(states ?? new Uint8Array(0))) follower.set(state);
        };
        for (const { kind, id, number, instance } of steps) {
          const isLive = table.generations.includes(id);
          if (kind === "publish") {
            const epoch = table.beginGeneration(id, 4);
            for (let index = number; index < number + 10; index++) epoch.add(host(index), (index + instance) % 3);
            table.publish(epoch);
          }
          if (kind === "set" && isLive) table.set(id, host(number), instance);
          if (kind === "delete" && isLive) table.delete(id, host(number));
          if (kind === "withdraw") table.withdraw(id);
          if (kind === "take") follow(feed.take(number + 1));
          if (kind === "readdress") table.setInstance(instance, { ipv4: `198.51.100.${number}` });
          if (kind !== "all") continue;
          follower = new ZoneContents();
          for (const states of feed.all(number + 1)) follow(states);
        }
        for (let states = feed.take(7); states !== undefined; states = feed.take(7)) follow(states);
        let live = 0;
        for (let number = 0; number < 45; number++) {
          const found = table.get(host(number));
          if (found === undefined) continue;
          live++;
          const name = Buffer.from(host(number).replace(`.${ZONE}`, ""));
          const wire = name
            .toString()
            .split(".")
            .flatMap((label) => [label.length, ...Buffer.from(label)]);
          assert.deepEqual(
            Buffer.from(follower.get(Uint8Array.from(wire))?.ipv4 ?? []),
            Buffer.from(table.addresses.ipv4(found) ?? []),
          );
        }
        assert.equal(follower.size, live);
      }),
    );
  });
});
