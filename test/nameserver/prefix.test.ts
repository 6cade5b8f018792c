import assert from "node:assert/strict";
import { test } from "node:test";
import { ipv6Bytes, isWithin, parsePrefix, ZoneTable } from "../../src/dns/index.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { Nameserver } from "../../src/nameserver/index.ts";
import { run } from "../support/program.ts";
import { needs } from "../support/tools.ts";
import { ZONE } from "./fixture.ts";

const PREFIX = "2001:db8:1:2::/64";
const NAMES = Array.from({ length: 20 }, (_, index) => `dev${index}`);

/** Names of one epoch at an instance with a prefix and an IPv4 address, in a table with a seed of its own. */
function tableOf(epoch: number, seed: number): ZoneTable {
  const table = new ZoneTable({ zone: ZONE.name, seed: new Uint8Array(16).fill(seed), addressKey: new Uint8Array(16).fill(3) });
  table.setInstance(0, { ipv4: "192.0.2.1", prefix: PREFIX });
  const generation = table.beginGeneration(epoch, NAMES.length);
  for (const name of NAMES) generation.add(`${name}-${epoch}.${ZONE.name}`, 0);
  table.publish(generation);
  return table;
}

/** What dig says of names, one after the other on one socket. */
async function dig(table: ZoneTable, type: string, names: readonly string[]): Promise<string[]> {
  const listen = [{ address: "127.0.0.1", port: 0 }];
  const server = await Nameserver.start({ zone: ZONE, table, listen, log: silentLogger });
  const port = String(server.addresses[0]?.port);
  const questions = names.flatMap((name) => [`${name}.${ZONE.name}`, type, "+short"]);
  const { stdout } = await run("dig", ["@127.0.0.1", "-p", port, "+norecurse", "+tries=1", ...questions]);
  await server.close();
  return stdout.trim().split("\n");
}

const of = (epoch: number): string[] => NAMES.map((name) => `${name}-${epoch}`);

test("R5: dig finds one AAAA within the prefix, another for each name and epoch, the same after a restart and for any case", {
  skip: needs("dig", "bind9-dnsutils"),
}, async () => {
  const first = await dig(tableOf(1, 1), "AAAA", of(1));
  const second = await dig(tableOf(2, 1), "AAAA", of(2));
  const all = [...first, ...second];
  assert.equal(all.length, 2 * NAMES.length);
  assert.equal(new Set(all).size, all.length);
  for (const address of all) assert.ok(isWithin(ipv6Bytes(address), 0, parsePrefix(PREFIX)), address);
  assert.deepEqual(await dig(tableOf(1, 2), "AAAA", of(1)), first, "the table's own seed is new at each start");
  assert.deepEqual(
    await dig(
      tableOf(1, 1),
      "AAAA",
      of(1).map((name) => name.toUpperCase()),
    ),
    first,
  );
  assert.deepEqual(new Set(await dig(tableOf(1, 1), "A", of(1))), new Set(["192.0.2.1"]), "IPv4 is the instance's");
});
