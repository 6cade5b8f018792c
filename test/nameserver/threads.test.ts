import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import { NO_NAME, NON_TERMINAL, SharedNames, type ZoneOptions, ZoneTable } from "../../src/dns/index.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { startThread } from "../../src/lib/start-thread.ts";
import { Nameserver } from "../../src/nameserver/index.ts";
import { canSharePort } from "../../src/net/index.ts";
import { needsCurrentNode, runInCurrentNode } from "../support/tools.ts";
import { queryBytes, reading, ZONE } from "./fixture.ts";

const OPTIONS = { zone: ZONE.name, seed: new Uint8Array(16).fill(1), shared: true } as const;

const LOOKUPS = 5_000_000;

function wire(labels: string): Uint8Array {
  return Buffer.concat(labels.split(".").map((label) => Buffer.concat([Uint8Array.of(label.length), Buffer.from(label)])));
}

test("R2: another thread sees in shared memory what the zone table has, whatever was done to it", () => {
  const name = fc.constantFrom("a", "b", "c", "d.e", "f.e", "g", "h.i.k");
  const step = fc.oneof(
    fc.record({ kind: fc.constant("set" as const), name, instance: fc.nat(3) }),
    fc.record({ kind: fc.constant("delete" as const), name }),
    fc.record({ kind: fc.constant("epoch" as const), name, instance: fc.nat(3) }),
    fc.record({ kind: fc.constant("withdraw" as const) }),
    fc.record({ kind: fc.constant("address" as const), instance: fc.nat(3), last: fc.nat(255) }),
    fc.record({ kind: fc.constant("many" as const), from: fc.nat(1000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const table = new ZoneTable(OPTIONS);
      const first = table.beginGeneration(1, 1);
      table.publish(first);
      const reader = new SharedNames(table.sharedNow());
      table.share((zone) => reader.follow(zone));
      let epoch = 1;
      for (const one of steps) {
        if (one.kind === "set") table.set(epoch, `${one.name}.${ZONE.name}`, one.instance);
        else if (one.kind === "delete") table.delete(epoch, `${one.name}.${ZONE.name}`);
        else if (one.kind === "withdraw") table.generations.length > 1 && table.withdraw(epoch - 1);
        else if (one.kind === "address") table.setInstance(one.instance, { ipv4: `192.0.2.${one.last}` });
        else if (one.kind === "many") {
          for (let index = 0; index < 100; index++) table.set(epoch, `n${one.from + index}.${ZONE.name}`, 1);
        } else {
          const next = table.beginGeneration(++epoch, 1);
          next.add(`${one.name}.${ZONE.name}`, one.instance);
          table.publish(next);
        }
      }
      for (const labels of ["a", "b", "c", "d.e", "f.e", "e", "g", "h.i.k", "i.k", "k", "n5", "n500", "zz"]) {
        const name = wire(labels);
        assert.equal(reader.lookup(name, name.length), table.lookup(name, name.length), labels);
      }
      for (let instance = 0; instance < 4; instance++) {
        assert.deepEqual(reader.addresses.ipv4(instance), table.addresses.ipv4(instance));
      }
    }),
    { numRuns: 300 },
  );
});

test("R2: a live name is found by another thread in every moment in which others are taken out and put in", async () => {
  const table = new ZoneTable(OPTIONS);
  // As full as it gets, and those that live come last: so each removal moves some of them up, which stay there.
  const live = Array.from({ length: 20 }, (_, index) => `live${index}`);
  const others = Array.from({ length: 31 }, (_, index) => `other${index}.${ZONE.name}`);
  const next = (id: number): void => {
    const epoch = table.beginGeneration(id, 1);
    for (const host of others) epoch.add(host, 1);
    for (const label of live) epoch.add(`${label}.${ZONE.name}`, 7);
    table.publish(epoch);
    table.withdraw(id - 1);
  };
  next(0);
  const reader = startThread(new URL("./live-reader.ts", import.meta.url), {
    zone: table.sharedNow(),
    live: live.map(wire),
    rounds: LOOKUPS,
  });
  const unfollow = table.share((zone) => reader.postMessage(zone));
  const done = once(reader, "message") as Promise<[{ looked: number; missed: number }]>;
  let over = false;
  void done.finally(() => {
    over = true;
  });
  let changes = 0;
  for (let id = 1; !over; id++) {
    next(id);
    await pause(1);
    for (const host of others) table.delete(id, host);
    changes += others.length;
  }
  const [{ looked, missed }] = await done;
  unfollow();
  await reader.terminate();
  assert.ok(looked >= LOOKUPS && changes > 1000);
  assert.equal(missed, 0);
});

test("R2: sockets share a port from Node 22.12 and 23.1 on; where they cannot, the error says which Node is needed", async () => {
  for (const version of ["22.12.0", "22.20.1", "23.1.0", "24.0.0", "26.1.0"]) assert.equal(canSharePort(version), true, version);
  for (const version of ["20.20.2", "21.9.0", "22.11.0", "23.0.0"]) assert.equal(canSharePort(version), false, version);
  if (canSharePort()) return;
  const options = { zone: ZONE, table: new ZoneTable(OPTIONS), listen: [], log: silentLogger, threads: 2 };
  await assert.rejects(Nameserver.start(options), { code: "invalid-input", message: /2 threads .* need Node 22\.12 or later/ });
});

/** A nameserver of several threads. */
async function start(t: TestContext, table: ZoneTable, zone: ZoneOptions = ZONE): Promise<{ server: Nameserver; port: number }> {
  const listen = [{ address: "127.0.0.1", port: 0 }];
  const server = await Nameserver.start({ zone, table, listen, log: silentLogger, threads: 3 });
  t.after(() => server.close());
  return { server, port: server.addresses[0]?.port ?? 0 };
}

/** Asks from so many ports, as the kernel deals queries out by where they come from. */
async function askAll(port: number, name: string, sockets: number): Promise<readonly string[]> {
  return Promise.all(
    Array.from({ length: sockets }, async () => {
      const socket = createSocket("udp4");
      try {
        socket.send(queryBytes(name, "A"), port, "127.0.0.1");
        const [answer] = (await once(socket, "message", { signal: AbortSignal.timeout(5000) })) as [Buffer];
        const { rcode, answer: records } = reading(answer);
        return records[0] ?? rcode;
      } finally {
        socket.close();
      }
    }),
  );
}

test("RFC 8020 2: a thread tells no name from one that has names below", () => {
  const table = new ZoneTable(OPTIONS);
  const reader = new SharedNames(table.sharedNow());
  table.share((zone) => reader.follow(zone));
  table.publish(table.beginGeneration(1, 1));
  table.set(1, `x.y.${ZONE.name}`, 0);
  assert.deepEqual([reader.lookup(wire("y"), 2), reader.lookup(wire("z"), 2)], [NON_TERMINAL, NO_NAME]);
});

if (canSharePort()) {
  test("R2: several threads answer on one port, and follow the table", async (t) => {
    const table = new ZoneTable(OPTIONS);
    table.setInstance(0, { ipv4: "192.0.2.1" });
    table.publish(table.beginGeneration(1, 10));
    const { server, port } = await start(t, table);
    const name = `late.${ZONE.name}`;
    const all = async (expected: string): Promise<void> => {
      await pause(50);
      assert.deepEqual(new Set(await askAll(port, name, 40)), new Set([expected]));
    };
    await all("NXDOMAIN");
    table.set(1, name, 0);
    await all(`A ${name} 30 192.0.2.1`);
    table.setInstance(0, { ipv4: "192.0.2.9" });
    await all(`A ${name} 30 192.0.2.9`);
    const next = table.beginGeneration(2, 10);
    next.add(name, 1);
    table.setInstance(1, { ipv4: "192.0.2.10" });
    table.publish(next);
    table.withdraw(1);
    await all(`A ${name} 30 192.0.2.10`);
    for (let index = 0; index < 5000; index++) table.set(2, `n${index}.${ZONE.name}`, 1);
    await pause(50);
    assert.deepEqual(new Set(await askAll(port, `n4999.${ZONE.name}`, 40)), new Set([`A n4999.${ZONE.name} 30 192.0.2.10`]));
    void server.stats;
    await pause(50);
    assert.equal(server.stats.queries, 200);
  });

  test("R2: a port of another program is named although threads share it, and nothing stays open", async (t) => {
    const socket = createSocket("udp4");
    t.after(() => socket.close());
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    const listen = [{ address: "127.0.0.1", port: socket.address().port }];
    const options = { zone: ZONE, table: new ZoneTable(OPTIONS), listen, log: silentLogger, threads: 2 };
    await assert.rejects(Nameserver.start(options), { code: "address-in-use" });
  });
} else {
  test("R2: several threads answer in a Node whose sockets share a port", { skip: needsCurrentNode() }, () => {
    const report = runInCurrentNode(import.meta.url);
    assert.match(report, /^ok \d+ - R2: several threads answer on one port, and follow the table$/m, "they were tested there");
  });
}
