import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type RegistryFenced, RegistryUnavailable, type TsigAlgorithm, type TsigKey } from "../../src/dns/index.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { DnsConnection, DnsFailure } from "../../src/net/index.ts";
import type { Rfc2136Options, Rfc2136Registry } from "../../src/registry/index.ts";
import { type DnsServer, newKey, ZONE } from "../support/dns-servers.ts";
import { needsNsupdate, nsupdate } from "../support/nsupdate.ts";
import { type Addresses, all, label, many, shows, states } from "./contract.ts";
import { updateRegistry } from "./update-subject.ts";

type Wanted = Readonly<Record<string, Addresses>>;

/** What a connection does with a request in place of what it should. */
type Impair = (connection: DnsConnection, message: Uint8Array, timeout: number) => Promise<Uint8Array>;

/** What is true of a registry that is a primary which takes updates (spec R3, R5, R6), whichever it is. */
export function updateContract(
  title: string,
  skip: string | false,
  start: (key: TsigKey) => Promise<DnsServer>,
  algorithm: TsigAlgorithm,
  { saysWhy = true }: { /** Whether it says what it does not like about a signature. */ readonly saysWhy?: boolean } = {},
): void {
  describe(title, { skip: skip || needsNsupdate() }, () => {
    const key = newKey(algorithm);
    const opened: Rfc2136Registry[] = [];
    let server: DnsServer;
    let term = 0;
    const open = (options: Partial<Rfc2136Options> = {}): Rfc2136Registry => {
      const registry = updateRegistry(server, key, { owner: { fleet: "fleet-a", term: ++term }, ...options });
      opened.push(registry);
      return registry;
    };
    /** One that holds the zone, with these names in it. */
    const holding = async (wanted: Wanted = {}, options: Partial<Rfc2136Options> = {}): Promise<Rfc2136Registry> => {
      const registry = open(options);
      await registry.replace(all(wanted), 1);
      return registry;
    };
    /** That the zone holds just these names, as another registry sees it. */
    const holds = async (wanted: Wanted): Promise<void> => {
      assert.equal((await open().replace(all(wanted), 0)).changed, 0);
    };
    const texts = async (): Promise<readonly string[]> => (await server.ask(ZONE, "TXT"))?.answers ?? [];
    const rejects = async (promise: Promise<unknown>, code: string, message: RegExp): Promise<void> => {
      await assert.rejects(promise, (error: RegistryFenced) => {
        assert.deepEqual([error.code, message.test(error.message)], [code, true], error.message);
        return true;
      });
    };

    before(async () => {
      server = await start(key);
    });
    after(async () => {
      for (const registry of opened) await registry.close();
      await server?.stop();
    });

    test("R6: a balancer that the brake holds shuts out none that publishes", async () => {
      const first = await holding(many(20, "192.0.2.1"));
      await assert.rejects(open().replace(all(many(1, "192.0.2.1", 500)), 0.3), { code: "held" });
      await first.write(states({ [label(1)]: { ipv4: "192.0.2.2" } }));
      await shows(server, label(1), { ipv4: "192.0.2.2" });
      await shows(server, label(500), "NXDOMAIN");
    });

    test("names are not asked for while the server cannot be reached", async () => {
      const connect = (): Promise<never> => Promise.reject(new DnsFailure("connection-refused", "127.0.0.1:9: nobody listens"));
      async function* asked(): AsyncGenerator<Uint8Array> {
        yield assert.fail("all names are asked for");
      }
      await rejects(open({ connect, attempts: 1 }).replace(asked(), 1), "connection", /nobody listens/);
    });

    test("records of others stay as they are, at our names and at the zone's own too", async () => {
      await holding();
      const spf = `update add ${ZONE}. 300 TXT "v=spf1 -all"`;
      const others = [`update add www.${ZONE}. 60 A 192.0.2.80`, `update add ${label(1)}.${ZONE}. 60 TXT "a note"`];
      await nsupdate(server, key, [spf, ...others]);
      const registry = await holding(many(3, "192.0.2.1"));
      await registry.write(states({ [label(0)]: {}, [label(1)]: {} }));
      assert.deepEqual((await server.ask(`www.${ZONE}`, "A"))?.answers, ["A 60 192.0.2.80"]);
      assert.deepEqual((await server.ask(`${label(1)}.${ZONE}`, "TXT"))?.answers, ["TXT 60 a note"]);
      assert.equal((await server.ask(`${label(1)}.${ZONE}`, "A"))?.answers.length, 0);
      const owner = `TXT 300 berth owner=fleet-a term=${term} by=`;
      const [ours = "", theirs] = (await texts()).toSorted();
      assert.deepEqual([ours.slice(0, owner.length), theirs], [owner, "TXT 300 v=spf1 -all"]);
      await nsupdate(server, key, [`update delete ${ZONE}. TXT "v=spf1 -all"`, `update add ${ZONE}. 300 TXT "other"`]);
      await registry.write(states(many(1, "192.0.2.2")));
      await shows(server, label(0), { ipv4: "192.0.2.2" });
      await nsupdate(server, key, [`update delete ${ZONE}. TXT "other"`, `update delete ${label(1)}.${ZONE}. TXT`]);
    });

    test("another TTL, and a second address that somebody added, are put right by a comparison (R5)", async () => {
      await holding(many(2, "192.0.2.1"));
      await nsupdate(server, key, [`update add ${label(0)}.${ZONE}. ${30} A 192.0.2.66`]);
      assert.equal((await holdingCount(many(2, "192.0.2.1"))).changed, 1);
      await shows(server, label(0), { ipv4: "192.0.2.1" });
      const longer = open({ ttl: 60 });
      assert.equal((await longer.replace(all(many(2, "192.0.2.1")), 1)).changed, 2);
      assert.deepEqual((await server.ask(`${label(1)}.${ZONE}`, "A"))?.answers, ["A 60 192.0.2.1"]);
    });
    const holdingCount = (wanted: Wanted) => open().replace(all(wanted), 1);

    test("a zone that belongs to another fleet is refused, and stays as it is", async () => {
      await holding(many(2, "192.0.2.1"));
      const before = await texts();
      const other = open({ owner: { fleet: "fleet-b", term: 1000 } });
      await rejects(other.replace(all({}), 1), "foreign", /fleet-a.*fleet-b.*delete that record/);
      assert.deepEqual(await texts(), before);
      await shows(server, label(0), { ipv4: "192.0.2.1" });
    });

    test("a balancer whose zone was taken by a later reign changes nothing any more (R6)", async () => {
      const first = await holding(many(2, "192.0.2.1"));
      const second = await holding(many(2, "192.0.2.2"));
      await rejects(first.write(states(many(1, "192.0.2.9"))), "fenced", /later reign/);
      await rejects(first.write(states({})), "fenced", /later reign/);
      await rejects(open({ owner: { fleet: "fleet-a", term: term - 1 } }).replace(all({}), 1), "fenced", /later reign/);
      await second.write(states(many(1, "192.0.2.3", 2)));
      await holds({ ...many(2, "192.0.2.2"), ...many(1, "192.0.2.3", 2) });
    });

    test("of two that both believe to lead in one reign, only the last to take the zone writes (R6)", async () => {
      const owner = { fleet: "fleet-a", term: ++term };
      const [first, second] = [open({ owner }), open({ owner })];
      await Promise.all(
        [first.replace(all(many(1000, "192.0.2.1")), 1), second.replace(all(many(1000, "192.0.2.2")), 1)].map(quiet),
      );
      const written = await Promise.all([first, second].map((one) => quiet(one.write(states(many(1, "192.0.2.9", 5000))))));
      assert.equal(written.filter((ok) => ok).length, 1, "one of them writes");
      const [a, b] = [await server.ask(`${label(0)}.${ZONE}`), await server.ask(`${label(999)}.${ZONE}`)];
      assert.deepEqual(a?.answers, b?.answers);
    });

    test("a zone whose owner record is gone was edited or restored: it is compared before it is written to", async () => {
      const registry = await holding(many(1, "192.0.2.1"));
      await nsupdate(server, key, [`update delete ${ZONE}. TXT`]);
      await rejects(registry.write(states(many(1, "192.0.2.2"))), "zone", /compared anew/);
      await registry.replace(all(many(1, "192.0.2.1")), 1);
      const [old = ""] = await texts();
      await registry.replace(all(many(1, "192.0.2.1")), 1);
      await nsupdate(server, key, [`update delete ${ZONE}. TXT`, `update add ${ZONE}. 30 TXT "${old.replace("TXT 30 ", "")}"`]);
      await rejects(registry.write(states(many(1, "192.0.2.2"))), "zone", /compared anew/);
      await shows(server, label(0), { ipv4: "192.0.2.1" });
      await registry.replace(all(many(1, "192.0.2.2")), 1);
      await shows(server, label(0), { ipv4: "192.0.2.2" });
    });

    test("a key with another secret, and one that the server does not know, are told as such", async () => {
      for (const wrong of [newKey(algorithm), { ...key, name: "unknown" }]) {
        await rejects(open({ key: wrong }).replace(all({}), 1), "bad-key", /look at key name, algorithm and secret/);
      }
    });

    test("a clock that is 10 minutes off is told, with by how much", async () => {
      for (const [off, how] of [
        [-600_000, /bad-time (599|600|601) s ahead of/],
        [600_000, /bad-time (599|600|601) s behind/],
      ] as const) {
        const clock: Clock = { now: () => Date.now() + off };
        if (!saysWhy) {
          await rejects(open({ clock }).replace(all({}), 1), "bad-key", /clock/);
          continue;
        }
        await assert.rejects(open({ clock }).replace(all({}), 1), (error: RegistryFenced) => {
          const [, by = error.message] = /its clock is (.*) ours/.exec(error.message) ?? [];
          assert.match(`${error.code} ${by}`, how);
          return true;
        });
      }
    });

    test("a server that is killed in the middle and comes back has it all in the end", async () => {
      let answers = 0;
      let back: Promise<void> | undefined;
      const connect = (): Promise<DnsConnection> =>
        impaired(server, async (connection, message, timeout) => {
          const answer = await connection.request(message, timeout);
          if (++answers === 10) {
            await server.kill();
            back = server.restart();
          }
          return answer;
        });
      const registry = await holding(many(1000, "192.0.2.1"), { attempts: 20, connect });
      const wanted = { ...many(500, "192.0.2.1"), ...many(5500, "192.0.2.2", 500) };
      await registry.write(states(many(5500, "192.0.2.2", 500)));
      await back;
      assert.ok(answers > 10);
      await holds(wanted);
    });

    test("a server that stands still for a while has it all in the end", async () => {
      const registry = await holding(many(10, "192.0.2.1"), { attempts: 20, timeout: 800 });
      server.freeze();
      const written = registry.write(states(many(10, "192.0.2.2", 5)));
      setTimeout(() => server.thaw(), 2000);
      await written;
      await holds({ ...many(5, "192.0.2.1"), ...many(10, "192.0.2.2", 5) });
    });

    test("what was not confirmed is written with the next", async () => {
      const registry = await holding(many(10, "192.0.2.1"), { attempts: 2 });
      await server.kill();
      await rejects(registry.write(states(many(3, "192.0.2.2"))), "connection", /refused|ECONNREFUSED/);
      await server.restart();
      await registry.write(states({ [label(9)]: {} }));
      await holds({ ...many(3, "192.0.2.2"), ...many(6, "192.0.2.1", 3) });
    });

    test("an answer that is lost is no harm: the message is repeated", async () => {
      let requests = 0;
      const registry = await holding(
        {},
        {
          connect: () =>
            impaired(server, async (connection, message, timeout) => {
              const answer = await connection.request(message, timeout);
              if (++requests % 4 === 3) throw new DnsFailure("timeout", "lost");
              return answer;
            }),
        },
      );
      await registry.write(states(many(2000, "192.0.2.1")));
      await registry.write(states(many(1000, "192.0.2.2")));
      await holds({ ...many(1000, "192.0.2.2"), ...many(1000, "192.0.2.1", 1000) });
    });

    test("a message that was lost, and arrives when its names have long moved on, changes nothing", async () => {
      let late: Uint8Array | undefined;
      let losing = false;
      const connect = (): Promise<DnsConnection> =>
        impaired(server, (connection, message, timeout) => {
          if (!losing) return connection.request(message, timeout);
          losing = false;
          late = message;
          return Promise.reject(new DnsFailure("timeout", "lost"));
        });
      const registry = await holding(many(5, "192.0.2.1"), { connect });
      losing = true;
      await registry.write(states(many(5, "192.0.2.2")));
      await registry.write(states(many(5, "192.0.2.3")));
      assert.ok(late !== undefined);
      const connection = await DnsConnection.open(server, 1000);
      const answer = await connection.request(late, 1000);
      connection.close();
      assert.equal((answer[3] ?? 0) & 0x0f, 8, "NXRRSET");
      await shows(server, label(0), { ipv4: "192.0.2.3" });
    });

    test("SERVFAIL is told, and passes", async () => {
      let failing = false;
      const connect = (): Promise<DnsConnection> =>
        impaired(server, (connection, message, timeout) =>
          failing ? Promise.resolve(servfail(message)) : connection.request(message, timeout),
        );
      const registry = await holding({}, { connect, pause: () => Promise.resolve(), attempts: 3 });
      failing = true;
      await assert.rejects(registry.write(states(many(1000, "192.0.2.1"))), (error: unknown) => {
        assert.ok(error instanceof RegistryUnavailable);
        assert.equal(error.code, "servfail");
        return true;
      });
      failing = false;
      assert.equal((await registry.write(states(many(1000, "192.0.2.1")))).names, 1000);
      await holds(many(1000, "192.0.2.1"));
    });
  });
}

/** Whether it went well. */
async function quiet(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => true,
    () => false,
  );
}

/** A connection whose requests go another way. */
async function impaired(server: DnsServer, impair: Impair): Promise<DnsConnection> {
  const connection = await DnsConnection.open(server, 1000);
  return new Proxy(connection, {
    get: (target, name) => {
      if (name === "request") return (message: Uint8Array, timeout: number) => impair(target, message, timeout);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** What a server in trouble answers: the header alone. */
function servfail(request: Uint8Array): Uint8Array {
  return Uint8Array.of(request[0] ?? 0, request[1] ?? 0, 0x80 | (request[2] ?? 0), 2, 0, 0, 0, 0, 0, 0, 0, 0);
}
