import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NotificationQueue, type Report } from "../../src/bootstrap/index.ts";

function report(kind: Report["kind"], endpoint: string): Report {
  return { kind, endpoint, session: endpoint, at: 0 };
}

test("a batch stays as it is until it is acknowledged, and numbers have no gap", () => {
  const queue = new NotificationQueue(100);
  for (const endpoint of ["a", "b", "c"]) queue.add(report("commenced", endpoint));
  const first = queue.batch(2);
  assert.deepEqual(
    first.map(({ sequence, endpoint }) => [sequence, endpoint]),
    [
      [1, "a"],
      [2, "b"],
    ],
  );
  queue.add(report("completed", "a"));
  assert.deepEqual(queue.batch(100), first);
  assert.equal(queue.size, 4);
  queue.acknowledge();
  assert.deepEqual(
    queue.batch(100).map(({ sequence, kind, endpoint }) => [sequence, kind, endpoint]),
    [
      [3, "commenced", "c"],
      [4, "completed", "a"],
    ],
  );
  queue.acknowledge();
  assert.equal(queue.size, 0);
  assert.deepEqual(queue.batch(100), []);
});

test("at the bound reports of commencement go first, then the oldest; never what is under way", () => {
  const queue = new NotificationQueue(8);
  queue.add(report("completed", "under way"));
  const batch = queue.batch(1);
  for (const endpoint of ["a", "b", "c", "d"]) {
    queue.add(report("commenced", endpoint));
    queue.add(report("completed", endpoint));
  }
  queue.add(report("commenced", "e"));
  assert.equal(queue.dropped, 4, "the four commencements");
  assert.deepEqual(queue.batch(100), batch, "what was sent and not acknowledged is not touched");
  for (const endpoint of ["f", "g", "h", "i"]) queue.add(report("failed", endpoint));
  queue.acknowledge();
  assert.deepEqual(
    queue.batch(100).map(({ sequence, endpoint }) => `${sequence} ${endpoint}`),
    // "e" was the only commencement that waited, and "a" the oldest of the rest
    ["2 b", "3 c", "4 d", "5 f", "6 g", "7 h", "8 i"],
  );
});

test("whatever happens, numbers rise by one, order is kept and the bound holds", () => {
  const action = fc.oneof(
    fc.record({ do: fc.constant("add" as const), kind: fc.constantFrom<Report["kind"]>("commenced", "completed", "failed") }),
    fc.record({ do: fc.constant("send" as const), most: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ do: fc.constant("acknowledge" as const) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const queue = new NotificationQueue(10);
      let added = 0;
      let sequence = 0;
      let newest = -1;
      let taken = 0;
      for (const one of actions) {
        if (one.do === "add") queue.add({ ...report(one.kind, `${added}`), at: added++ });
        if (one.do === "send") queue.batch(one.most);
        if (one.do !== "acknowledge") continue;
        for (const notification of queue.batch(5)) {
          assert.equal(notification.sequence, ++sequence);
          assert.ok(notification.at > newest);
          newest = notification.at;
          taken++;
        }
        queue.acknowledge();
        assert.ok(queue.size <= 10 + 9);
      }
      assert.equal(taken + queue.size + queue.dropped, added, "nothing is lost but what is counted as dropped");
    }),
  );
});
