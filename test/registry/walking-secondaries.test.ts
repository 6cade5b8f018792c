import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { packNameStates } from "../../src/dns/index.ts";
import { openUdp } from "../../src/net/index.ts";
import { needsBind, startBindSecondary } from "../support/bind.ts";
import { type DnsPlace, type DnsServer, newKey, newPlace, ZONE } from "../support/dns-servers.ts";
import { needsKnot, startKnotSecondary } from "../support/knot.ts";
import { loopbackNet } from "../support/loopback.ts";
import { run } from "../support/program.ts";
import { needs } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { Primary, parts, stateOf } from "./primary-fixture.ts";

type Start = (key: ReturnType<typeof newKey>, primary: DnsPlace, place: DnsPlace) => Promise<DnsServer>;

/** Who signs, and the records by which it proves that a name does not exist. */
const SIGNERS: readonly (readonly [string, string | false, RegExp, Start])[] = [
  ["BIND, NSEC3", needsBind(), /\sNSEC3\s/, (key, primary, place) => startBindSecondary(key, primary, { place, sign: true })],
  ["Knot, NSEC3", needsKnot(), /\sNSEC3\s/, (key, primary, place) => startKnotSecondary(key, primary, { place, sign: true })],
  [
    "Knot, each answer",
    needsKnot(),
    /\sNSEC\s/,
    (key, primary, place) => startKnotSecondary(key, primary, { place, sign: "online" }),
  ],
];
const skipTools = needs("ldns-walk", "ldnsutils") || needs("dig", "bind9-dnsutils") || (await port53Missing());

/** What `ldns-walk` finds: it knows no other port than 53, where a relay stands that knows the server's. */
async function walked(t: TestContext, server: DnsPlace): Promise<string> {
  const clients = new Map<string, readonly [number, string]>();
  const idOf = (bytes: Uint8Array): string => `${bytes[0]} ${bytes[1]}`;
  const address = `${loopbackNet()}53`;
  const front = await openUdp({
    address,
    port: 53,
    onDatagram: (bytes, from, port) => {
      clients.set(idOf(bytes), [port, from]);
      back.send(bytes, server.port, server.address);
    },
  });
  const back = await openUdp({
    address: "127.0.0.1",
    port: 0,
    onDatagram: (bytes) => {
      const client = clients.get(idOf(bytes));
      if (client !== undefined) front.send(bytes, ...client);
    },
  });
  t.after(() => Promise.all([front.close(), back.close()]));
  const { stdout, stderr } = await run("ldns-walk", [`@${address}`, ZONE]);
  return stdout + stderr;
}

/** Why nobody may listen on port 53 here; false if one may. */
async function port53Missing(): Promise<string | false> {
  try {
    const socket = await openUdp({ address: `${loopbackNet()}53`, port: 53, onDatagram: () => {} });
    await socket.close();
    return false;
  } catch (error) {
    return `ldns-walk knows port 53 only: ${(error as Error).message}`;
  }
}

for (const [signer, skip, proof, start] of SIGNERS) {
  test(`R7: ldns-walk and 300 probes of a secondary that signs (${signer}) find no live name`, {
    skip: skip || skipTools,
  }, async (t) => {
    const names = Array.from({ length: 200 }, () => `bs${randomBytes(8).toString("hex")}`);
    const key = newKey();
    const place = await newPlace();
    const primary = await Primary.start({ key, secondaries: [place] });
    t.after(() => primary.stop());
    await primary.registry.replace(parts(packNameStates(names.map((name) => stateOf(name, 1)))), 1);
    const secondary = await start(key, primary, place);
    t.after(() => secondary.stop());
    const dig = async (...questions: readonly string[]): Promise<string> => {
      const where = [
        `@${secondary.address}`,
        "-p",
        `${secondary.port}`,
        "+norecurse",
        "+dnssec",
        "+noall",
        "+answer",
        "+authority",
      ];
      return (await run("dig", [...where, ...questions])).stdout;
    };
    await until(async () => proof.test(await dig(`no.${ZONE}`)), "denial is signed");
    assert.match(await dig(`${names[0]}.${ZONE}`), /\sA\s+127\.0\.0\.1\n[\s\S]*\sRRSIG\s/, "live names are signed");

    const walk = await walked(t, secondary);
    const probes = await dig(...Array.from({ length: 300 }, () => `bs${randomBytes(8).toString("hex")}.${ZONE}`));
    const seen = (walk + probes).toLowerCase();
    assert.match(walk, new RegExp(`^${ZONE}\\.`, "m"), "the walk begins");
    assert.ok(probes.split("\n").length > 600, "probes are answered");
    assert.deepEqual(
      names.filter((name) => seen.includes(name)),
      [],
    );

    // What changes is signed too, and found by who knows it.
    await primary.registry.write(packNameStates([stateOf("bscafe", 2)]));
    await until(async () => /127\.0\.0\.2\n[\s\S]*\sRRSIG\s/.test(await dig(`bscafe.${ZONE}`)), "a new name is signed", 30);
  });
}

test("the walk finds every name where NSEC leads from one to the next, which no configuration here does", {
  skip: needsKnot() || skipTools,
}, async (t) => {
  const key = newKey();
  const place = await newPlace();
  const primary = await Primary.start({ key, secondaries: [place] });
  t.after(() => primary.stop());
  await primary.registry.replace(parts(packNameStates([stateOf("bsone", 1), stateOf("bstwo", 1)])), 1);
  const secondary = await startKnotSecondary(key, primary, { place, sign: true });
  t.after(() => secondary.stop());
  const config = join(secondary.folder, "knot.conf");
  writeFileSync(config, readFileSync(config, "utf8").replace("nsec3: on", "nsec3: off"));
  await secondary.restart();
  await until(async () => /bsone[\s\S]*bstwo/.test(await walked(t, secondary)), "the walk finds them", 30);
});
