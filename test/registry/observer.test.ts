import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import dnsPacket, { type Answer, type Packet } from "dns-packet";
import { type NameState, nameToWire } from "../../src/dns/index.ts";
import { VirtualClock } from "../../src/lib/clock.ts";
import { type Logger, silentLogger } from "../../src/lib/log.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { Observer } from "../../src/registry/index.ts";

const ZONE = "bs.example.com";
const START = 1_700_000_000_000;

/** A server as the observer sees it. */
interface Scripted {
  serial: number;
  names: Map<string, string>;
  state: "up" | "silent" | "servfail" | "refused" | "cached";
  /** Whether only SOA gets an answer. */
  swallows?: boolean;
  asked: string[];
}

/** The state of a name with one IPv4 address, or without any. */
function state(label: string, address?: string): NameState {
  const whole = nameToWire(`${label}.${ZONE}`);
  const name = whole.subarray(0, label.length + 1);
  return { name, ipv4: address === undefined ? undefined : Uint8Array.from(address.split("."), Number), ipv6: undefined };
}

function isNoSoa(message: Uint8Array): boolean {
  return dnsPacket.decode(Buffer.from(message)).questions?.[0]?.type !== "SOA";
}

function answerTo(server: Scripted, message: Uint8Array): Buffer {
  const { id, questions = [] } = dnsPacket.decode(Buffer.from(message));
  const [question] = questions;
  assert.ok(question !== undefined);
  server.asked.push(`${question.type} ${question.name}`);
  const rcodes = { servfail: 2, refused: 5 } as const;
  const answers: Answer[] = [];
  let rcode: number = server.state === "servfail" || server.state === "refused" ? rcodes[server.state] : 0;
  const label = question.name.replace(`.${ZONE}`, "");
  if (rcode === 0 && question.type === "SOA") {
    const soa = {
      mname: `ns1.${ZONE}`,
      rname: `hostmaster.${ZONE}`,
      serial: server.serial,
      refresh: 1,
      retry: 1,
      expire: 1,
      minimum: 30,
    };
    answers.push({ type: "SOA", name: ZONE, ttl: 30, data: soa });
  } else if (rcode === 0) {
    const address = server.names.get(label);
    if (address === undefined) rcode = 3;
    else if (question.type === "A") answers.push({ type: "A", name: question.name, ttl: 30, data: address });
  }
  const authoritative = server.state === "cached" ? 0 : 0x0400;
  const packet: Packet = { type: "response", id: id ?? 0, flags: authoritative | rcode, questions, answers };
  return dnsPacket.encode(packet);
}

/** An observer of scripted servers, whose answers take no time, under a clock that is moved by hand. */
class World {
  readonly clock = new VirtualClock(START);
  readonly servers: Scripted[];
  readonly observer: Observer;
  readonly log: string[] = [];

  constructor(count = 1) {
    this.servers = Array.from({ length: count }, () => ({ serial: 10, names: new Map(), state: "up", asked: [] }));
    const warn: Logger["warn"] = ({ server, problem }, message) => void this.log.push(`${server}: ${message}: ${problem}`);
    const info: Logger["info"] = ({ server }, message) => void this.log.push(`${server}: ${message}`);
    this.observer = new Observer({
      zone: ZONE,
      servers: this.servers.map((_, index) => ({ address: `192.0.2.${index + 1}`, port: 53 })),
      clock: this.clock,
      random: seededRandom(1),
      log: { ...silentLogger, warn, info },
      ask: async ({ address }, message) => {
        const server = this.servers[Number(address.split(".")[3]) - 1];
        assert.ok(server !== undefined);
        const silent = server.state === "silent" || (server.swallows === true && isNoSoa(message));
        if (server.swallows === true && isNoSoa(message)) server.asked.push("A swallowed");
        if (silent) throw new Error("no answer in 1000 ms");
        return answerTo(server, message);
      },
    });
  }

  server(index = 0): Scripted {
    const server = this.servers[index];
    assert.ok(server !== undefined);
    return server;
  }

  /** Lets time pass, in steps of 10 ms. */
  async pass(span: number): Promise<void> {
    for (let left = span; left >= 0; left -= 10) {
      const due = this.observer.nextDeadline();
      if (due !== undefined && due <= this.clock.now()) {
        this.observer.tick();
        await turn();
      }
      if (left > 0) this.clock.advance(10);
    }
  }

  publish(serial: number | null, ...samples: NameState[]): void {
    this.observer.published({ at: this.clock.now(), serial, samples });
  }

  view(index = 0): { serial: number | null; lag: number; problem: string | null } {
    const { serial, lag, problem } = this.observer.views()[index] ?? {};
    assert.ok(serial !== undefined && lag !== undefined && problem !== undefined);
    return { serial, lag, problem };
  }
}

test("a server's serial says that it has a change; until then the lag grows (RFC 1982)", async () => {
  const world = new World();
  world.server().serial = 0xffff_ffff;
  await world.pass(100);
  assert.deepEqual(world.view(), { serial: 0xffff_ffff, lag: 0, problem: null });
  world.publish(1);
  await world.pass(3000);
  assert.deepEqual(world.view(), { serial: 0xffff_ffff, lag: 3000, problem: null });
  assert.equal(world.observer.lastLag, null);
  world.server().serial = 1;
  await world.pass(2000);
  assert.deepEqual(world.view(), { serial: 1, lag: 0, problem: null });
  assert.ok((world.observer.lastLag ?? 0) > 3000 && (world.observer.lastLag ?? 0) <= 5000);
});

test("a change that is there at once is seen within 50 ms", async () => {
  const world = new World();
  await world.pass(100);
  world.server().serial = 11;
  world.publish(11);
  await world.pass(60);
  assert.equal(world.observer.lastLag, 50);
});

test("without a serial, names that changed tell; one that was removed too", async () => {
  const world = new World();
  world.server().names.set("gone", "192.0.2.9");
  world.publish(null, state("new", "192.0.2.7"), state("gone"));
  await world.pass(1000);
  assert.equal(world.view().lag, 1000);
  world.server().names.set("new", "192.0.2.7");
  await world.pass(2000);
  assert.equal(world.view().lag, 3000, "the other is still there");
  world.server().names.delete("gone");
  await world.pass(2000);
  assert.equal(world.view().lag, 0);
});

test("a secondary that signs and counts for itself is not believed by its serial alone", async () => {
  const world = new World();
  world.server().serial = 5000;
  world.publish(11, state("new", "192.0.2.7"));
  await world.pass(20_000);
  assert.match(world.view().problem ?? "", /behind for 20 s: its serial 5000 says it has what was published, but a name/);
  world.server().names.set("new", "192.0.2.7");
  await world.pass(2000);
  assert.equal(world.view().problem, null);
});

test("the lag is that of the last server, and each has its own", async () => {
  const world = new World(2);
  await world.pass(100);
  world.publish(11);
  world.server(0).serial = 11;
  await world.pass(1000);
  assert.equal(world.view(0).lag, 0);
  assert.equal(world.view(1).lag, 1000);
  assert.equal(world.observer.lastLag, null);
  world.server(1).serial = 11;
  await world.pass(2000);
  assert.ok((world.observer.lastLag ?? 0) > 1000);
});

test("a server that is always five changes behind has a lag of five changes, whatever else changes", async () => {
  const world = new World();
  const { names } = world.server();
  for (let second = 0; second < 60; second++) {
    const label = `n${second % 3}`;
    world.publish(null, state(label, `192.0.2.${second}`));
    const late = second - 5;
    if (late >= 0) names.set(`n${late % 3}`, `192.0.2.${late}`);
    await world.pass(1000);
    if (second > 10) assert.ok(world.view().lag <= 8000, `second ${second}: ${world.view().lag}`);
  }
});

test("a dead server is said to be so, asked ever more seldom, and found again; the log says both once", async () => {
  const world = new World(2);
  world.server(1).state = "silent";
  for (let change = 0; change < 200; change++) {
    world.publish(11 + change);
    world.server(0).serial = 11 + change;
    await world.pass(500);
  }
  assert.deepEqual(world.view(0), { serial: 210, lag: 0, problem: null });
  assert.deepEqual(world.view(1), { serial: null, lag: 100_000, problem: "no answer in 1000 ms" });
  world.server(1).state = "up";
  world.server(1).serial = 210;
  await world.pass(20_000);
  assert.deepEqual(world.view(1), { serial: 210, lag: 0, problem: null });
  assert.deepEqual(world.log, [
    "192.0.2.2:53: a server of the zone does not have what is published: no answer in 1000 ms",
    "192.0.2.2:53: a server of the zone is up to date again",
  ]);
});

test("what a server says instead of an answer is told in words", async () => {
  for (const [state, words] of [
    ["servfail", /SERVFAIL/],
    ["refused", /the zone is not configured there/],
    ["cached", /without authority/],
  ] as const) {
    const world = new World();
    world.server().state = state;
    await world.pass(100);
    assert.match(world.view().problem ?? "", words);
  }
});

test("a server that loses what it had is found out, and back again", async () => {
  const world = new World();
  world.server().serial = 11;
  world.publish(11);
  await world.pass(1000);
  const lag = world.observer.lastLag;
  world.server().serial = 3;
  await world.pass(60_000);
  assert.match(world.view().problem ?? "", /its serial is 3, published is 11/);
  world.server().serial = 11;
  await world.pass(3000);
  assert.equal(world.view().problem, null);
  assert.equal(world.observer.lastLag, lag, "nothing was published meanwhile");
});

test("a server that has everything is left alone for half a minute at a time", async () => {
  const world = new World();
  await world.pass(100);
  world.server().asked.length = 0;
  await world.pass(120_000);
  assert.equal(world.server().asked.length, 4);
});

test("what the rate limit of a server swallows is no fault of it, and asked for again; few names are asked for", async () => {
  const world = new World();
  await world.pass(100);
  world.server().asked.length = 0;
  world.server().swallows = true;
  const changed = Array.from({ length: 20 }, (_, index) => state(`n${index}`, index % 2 === 0 ? "192.0.2.7" : undefined));
  for (let index = 0; index < 20; index += 2) world.server().names.set(`n${index}`, "192.0.2.7");
  world.server().serial = 11;
  world.publish(11, ...changed);
  await world.pass(3000);
  assert.deepEqual(world.view(), { serial: 11, lag: 3000, problem: null });
  const rounds = world.server().asked.filter((question) => question.startsWith("SOA")).length;
  assert.ok(rounds >= 4 && world.server().asked.length <= 4 * rounds, `${rounds} ${world.server().asked.length}`);
  world.server().swallows = false;
  world.server().asked.length = 0;
  await world.pass(3000);
  assert.equal(world.view().lag, 0);
  assert.deepEqual(
    world.server().asked.sort(),
    ["A n0", "A n1", "A n2", "AAAA n0", "AAAA n2", "SOA"].map((question) => {
      const [type = "", label] = question.split(" ");
      return `${type} ${label === undefined ? ZONE : `${label}.${ZONE}`}`;
    }),
  );
});

test("a clock that is set back neither stops the asking nor makes a lag of an hour", async () => {
  const world = new World();
  await world.pass(100);
  world.publish(11);
  world.clock.advance(-3_600_000);
  world.server().serial = 11;
  await world.pass(1000);
  assert.equal(world.view().lag, 0);
  assert.ok((world.observer.lastLag ?? -1) >= 0 && (world.observer.lastLag ?? 0) < 1000);
});

test("after close nobody is asked; no log line has a name", async () => {
  const world = new World();
  world.publish(null, state("secretlabel", "192.0.2.7"));
  await world.pass(30_000);
  assert.equal(world.log.length, 1);
  assert.doesNotMatch(world.log.join() + JSON.stringify(world.observer.views()), /secretlabel/);
  world.observer.close();
  assert.equal(world.observer.nextDeadline(), undefined);
});
