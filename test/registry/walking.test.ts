import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { nameToWire } from "../../src/dns/index.ts";
import { needsBind, startBind, startBindSecondary } from "../support/bind.ts";
import { newKey, ZONE } from "../support/dns-servers.ts";
import { run } from "../support/program.ts";
import { needs } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { type Addresses, all } from "./contract.ts";
import { updateRegistry } from "./update-subject.ts";

/** The digits of NSEC3 hashes (RFC 4648 section 7). */
const DIGITS = "0123456789abcdefghijklmnopqrstuv";

/** The hash of a name as NSEC3 has it without iterations and salt (RFC 5155 section 5). */
function nsec3(name: string): string {
  const bits = [...createHash("sha1").update(nameToWire(name)).digest()]
    .map((byte) => byte.toString(2).padStart(8, "0"))
    .join("");
  return (bits.match(/.{5}/g) ?? []).map((five) => DIGITS[Number.parseInt(five, 2)]).join("");
}

const skip = needsBind() || needs("dig", "bind9-dnsutils");

test("who asks a signed secondary for what is not there learns hashes, and guesses no live name (R7)", { skip }, async () => {
  const names = Array.from({ length: 200 }, () => `bs${[...randomBytes(16)].map((byte) => DIGITS[byte & 31]).join("")}`);
  const key = newKey();
  const primary = await startBind(key);
  const registry = updateRegistry(primary, key, { owns: (name) => name[0] === 18 });
  await registry.replace(all(Object.fromEntries(names.map((name): [string, Addresses] => [name, { ipv4: "192.0.2.1" }]))), 1);
  await registry.close();
  const secondary = await startBindSecondary(key, primary, { sign: true });
  const dig = async (...questions: readonly string[]): Promise<string> => {
    const server = [`@${secondary.address}`, "-p", `${secondary.port}`];
    return (await run("dig", [...server, "+norecurse", "+dnssec", "+noall", "+answer", "+authority", ...questions])).stdout;
  };
  await until(async () => / NSEC3 .*RRSIG/.test((await dig(`no.${ZONE}`)).replaceAll("\t", " ")), "the zone is signed");

  const probes = Array.from({ length: 400 }, (_, index) => `probe${index}.${ZONE}`);
  const seen = (await dig(...probes)).toLowerCase();
  const hashes = new Set([...seen.matchAll(/\b([0-9a-v]{32})\b/g)].map(([, hash]) => hash));
  assert.ok(hashes.size > 100, `${hashes.size} hashes`);
  assert.doesNotMatch(seen, /\sNSEC\s/i);
  assert.deepEqual(
    names.filter((name) => seen.includes(name)),
    [],
    "no live name stands in an answer",
  );

  // Of the dictionary of somebody who looks for names, only what everybody knows is there.
  const guesses = ["", "www.", "ns1.", "bs.", ...Array.from({ length: 100_000 }, (_, index) => `bs${index.toString(32)}.`)];
  const found = guesses.filter((guess) => hashes.has(nsec3(`${guess}${ZONE}`)));
  assert.deepEqual(
    found.filter((guess) => guess !== "" && guess !== "ns1."),
    [],
  );
  assert.ok(found.includes(""), "the zone's own name is known by its hash");
  assert.ok(names.filter((name) => hashes.has(nsec3(`${name}.${ZONE}`))).length > 50, "live names are there, as hashes");
  assert.match((await run("dig", [`@${secondary.address}`, "-p", `${secondary.port}`, ZONE, "AXFR"])).stdout, /Transfer failed/);
  await secondary.stop();
  await primary.stop();
});
