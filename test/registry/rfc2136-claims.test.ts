import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CLASS_IN,
  MessageBuilder,
  nameToWire,
  OPCODE,
  readMessage,
  signTsig,
  TYPE,
  textOf,
  verifyTsig,
} from "../../src/dns/index.ts";
import { VirtualClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { DnsFailure } from "../../src/net/index.ts";
import { Rfc2136Registry } from "../../src/registry/index.ts";
import { newKey, ZONE } from "../support/dns-servers.ts";
import { all, many, owns, states, TTL } from "./contract.ts";

/* How the zone is taken while the server is in trouble. The server is made up here: it has the zone's TXT records, and no names. */

const wire = nameToWire(ZONE);
const key = newKey();
const clock = new VirtualClock(Date.UTC(2026, 0, 1));

class Server {
  readonly isOpen = true;
  texts: readonly Uint8Array[] = [];
  /** What becomes of an update; its answer is lost but if it is `answered`. */
  updates: "answered" | "carried-out" | "lost" = "answered";
  /** Owner records that somebody wanted to put there, in their order. */
  readonly claims: string[] = [];
  #ids = 0;

  freeId(): number {
    return ++this.#ids;
  }

  async request(message: Uint8Array): Promise<Uint8Array> {
    const { mac, stripped } = verifyTsig(message, key, clock.now());
    const { id, opcode, authorities } = readMessage(stripped);
    const answer = new MessageBuilder({ id, opcode, flags: 0x8400 }).question(wire, TYPE.TXT);
    if (opcode === OPCODE.UPDATE) {
      const claims = authorities.filter((record) => record.type === TYPE.TXT && record.class === CLASS_IN);
      this.claims.push(...claims.map(({ data }) => textOf(data) ?? ""));
      if (this.updates !== "lost" && claims.length > 0) this.texts = claims.map(({ data }) => data.slice());
      if (this.updates !== "answered") throw new DnsFailure("timeout", "no answer");
    } else if (readMessage(stripped).questions[0]?.type === TYPE.SOA) {
      answer.record("answer", soa);
    } else for (const data of this.texts) answer.record("answer", { name: wire, type: TYPE.TXT, class: CLASS_IN, ttl: 30, data });
    return signTsig(answer.finish(), key, clock.now(), { mac }).message;
  }

  async *requestStream(message: Uint8Array): AsyncGenerator<Uint8Array> {
    const { mac, stripped } = verifyTsig(message, key, clock.now());
    const answer = new MessageBuilder({ id: readMessage(stripped).id, flags: 0x8400 }).question(wire, TYPE.AXFR);
    yield signTsig(answer.record("answer", soa).record("answer", soa).finish(), key, clock.now(), { mac }).message;
  }

  close(): void {}
}

const soa = { name: wire, type: TYPE.SOA, class: CLASS_IN, ttl: 30, data: new Uint8Array(22) };

function registryOn(server: Server): Rfc2136Registry {
  return new Rfc2136Registry({
    ...{ key, clock, owns, zone: ZONE, ttl: TTL, log: silentLogger },
    server: "192.0.2.53:53",
    owner: { fleet: "fleet-a", term: 1 },
    random: seededRandom(1),
    connect: async () => server,
    pause: async () => {},
    timeout: 1000,
    attempts: 3,
  });
}

test("while updates fail and reads go well, one owner record is tried again and again: no more have to be remembered", async () => {
  const server = new Server();
  const registry = registryOn(server);
  server.updates = "lost";
  for (let turn = 0; turn < 20; turn++) await assert.rejects(registry.replace(all({}), 1), { code: "timeout" });
  assert.deepEqual([server.claims.length, new Set(server.claims).size], [60, 1]);
  server.updates = "answered";
  assert.equal((await registry.replace(all(many(3, "192.0.2.1")), 1)).names, 3);
  server.updates = "lost";
  for (let turn = 0; turn < 20; turn++) await assert.rejects(registry.write(states(many(3, "192.0.2.2"))), { code: "timeout" });
  assert.equal(new Set(server.claims).size, 2);
  server.updates = "answered";
  await registry.write(states(many(1, "192.0.2.3")));
  assert.equal(textOf(server.texts[0] ?? new Uint8Array(0)), server.claims.at(-1));
});

test("an owner record whose answer was lost is known as ours, and another takes its place", async () => {
  const server = new Server();
  const registry = registryOn(server);
  await registry.replace(all(many(3, "192.0.2.1")), 1);
  server.updates = "carried-out";
  for (let turn = 0; turn < 5; turn++) await assert.rejects(registry.write(states(many(3, "192.0.2.2"))), { code: "timeout" });
  assert.ok(new Set(server.claims).size > 5);
  server.updates = "answered";
  assert.equal((await registry.write(states(many(1, "192.0.2.3")))).names, 3);
});
