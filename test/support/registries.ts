import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Finding } from "../../src/cli/check/finding.ts";
import type { PublicationStatus } from "../../src/control/index.ts";
import type { TsigKey } from "../../src/dns/index.ts";
import { type DnsPlace, ZONE } from "./dns-servers.ts";
import { berth, run } from "./program.ts";
import { csvOf, System, type SystemOptions, type TestDevice } from "./system.ts";
import { needs } from "./tools.ts";
import { until } from "./until.ts";

/** For `{ skip: needsDig() }`. */
export function needsDig(): string | false {
  return needs("dig", "bind9-dnsutils");
}

/** The file of the key, beside the configuration. */
export const KEY_FILE = "tsig.key";

/** A key's secret as the configuration's file has it. */
export function secretOf({ secret }: TsigKey): string {
  return Buffer.from(secret).toString("base64");
}

/** A system whose names get to a server by dynamic update. */
export function startUpdating(server: DnsPlace, key: TsigKey, options: SystemOptions = {}, more: string = ""): Promise<System> {
  const update = `update: { server: "${server.address}:${server.port}", key: ${key.name}, owner: fleet }`;
  return start(key, options, `registry: rfc2136, ${keys(key)}, ${update}${more}`);
}

/** A system that is hidden primary of the server that is to be at `secondary`. */
export function startPrimary(secondary: DnsPlace, key: TsigKey, options: SystemOptions = {}): Promise<System> {
  const transfer = `transfer: { key: ${key.name}, secondaries: ["${secondary.address}:${secondary.port}"] }`;
  return start(key, options, `registry: primary, ${keys(key)}, ${transfer}`);
}

function keys({ name, algorithm }: TsigKey): string {
  return `keys: { ${name}: { algorithm: ${algorithm}, file: ${KEY_FILE} } }`;
}

function start(key: TsigKey, options: SystemOptions, dns: string): Promise<System> {
  // As in docs/dns.
  const negativeTtl = "30s";
  return System.start({ ...options, zone: ZONE, negativeTtl, dns, files: { ...options.files, [KEY_FILE]: secretOf(key) } });
}

/** As berth-1, but of an epoch that neither began lately nor ends soon, not even for a clock that is somewhat off. */
export function steadyRecipe(): unknown {
  const now = Date.now() / 1000;
  const unit = [700_000, 800_000, 900_000, 1_000_000].find((each) => now % each > 20_000 && each - (now % each) > 20_000);
  return {
    version: 1,
    nameKey: { info: "berth/name/v1" },
    function: "hmac-sha-256",
    parameters: [{ kind: "endpoint" }, { kind: "time", unit, round: "down" }],
    token: { encoding: "base32", first: 16 },
  };
}

/** Brings more devices in. */
export async function importMore(system: System, devices: readonly TestDevice[]): Promise<void> {
  const file = join(system.folder, "more.csv");
  writeFileSync(file, csvOf(devices), { mode: 0o600 });
  const { code, stderr } = await system.berth("import", file);
  assert.equal(code, 0, stderr);
}

/** Live names as the balancer has them: `NAME ADDRESS`, in their order. */
export async function liveNames(system: Pick<System, "client" | "address">): Promise<string[]> {
  const names: string[] = [];
  for (let after: string | undefined; ; ) {
    const page = await system.client.call("devices", { query: { names: true, limit: 1000, ...(after && { after }) } });
    for (const device of page.devices) {
      for (const name of device.names ?? []) names.push(`${name} ${system.address(device.instance ?? "")}`);
    }
    if (page.next === null) return names.sort();
    after = page.next;
  }
}

/** All of the zone, as dig gets it by a transfer: `NAME TTL TYPE DATA`, without its SOA. */
export async function transferred(server: DnsPlace, key: TsigKey): Promise<string[]> {
  const where = [`@${server.address}`, "-p", `${server.port}`, "-y", `${key.algorithm}:${key.name}:${secretOf(key)}`];
  const { stdout } = await run("dig", [...where, "+noall", "+answer", "+onesoa", ZONE, "AXFR"]);
  const records = stdout.split("\n").filter((line) => /\sIN\s/.test(line));
  assert.ok(records.length > 0, stdout);
  const texts = records.map((line) => line.replace(/^(\S+)\.\s+(\d+)\s+IN\s+(\S+)\s+/, "$1 $2 $3 "));
  return texts.filter((text) => !/ SOA /.test(text)).sort();
}

/** Names of devices among these records, as {@link liveNames} has them. */
export function deviceNames(records: readonly string[]): string[] {
  const ours = records.filter((record) => /^bs[a-z2-7]{16}\./.test(record));
  return ours.map((record) => record.replace(/ 30 A+ /, " ")).sort();
}

/** Waits until the zone is just what the balancer says. */
export async function zoneIsRight(system: System, server: DnsPlace, key: TsigKey, seconds: number = 30): Promise<string[]> {
  let [wanted, found]: [string[], string[]] = [[], []];
  const isRight = async (): Promise<boolean> => {
    found = deviceNames(await transferred(server, key).catch(() => []));
    wanted = await liveNames(system);
    return wanted.length === found.length && wanted.every((name, index) => name === found[index]);
  };
  await until(isRight, "the zone is right", seconds).catch((error: Error) => {
    const state = `${wanted.length} names are live, ${found.length} in the zone`;
    throw new Error(`${error.message}: ${state}; ${system.program("balancer").stderr.slice(-3000)}`);
  });
  return wanted;
}

/** How publication stands. */
export async function publication(system: System): Promise<PublicationStatus> {
  const { publication: status } = await system.status();
  assert.ok(status !== null);
  return status;
}

/** Waits until publication stands so. */
export function publicationIs(system: System, state: PublicationStatus["state"], seconds: number = 30): Promise<true> {
  let last = "";
  const is = async (): Promise<boolean> => {
    const status = await publication(system);
    last = JSON.stringify(status);
    return status.state === state;
  };
  return until(is, `publication is ${state}`, seconds).then(
    () => true,
    (error: Error) => assert.fail(`${error.message}; it is ${last}`),
  );
}

/** What `berth check dns` finds wrong, as `CHECK: MESSAGE`. */
export async function checkDns(
  { config }: System,
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; errors: readonly string[]; said: string }> {
  const { code, stdout, stderr } = await berth(["check", "dns", "--json", "--config", config], { env });
  const { findings } = JSON.parse(stdout || assert.fail(stderr)) as { findings: readonly Finding[] };
  const errors = findings.filter(({ level }) => level === "error");
  return { code, errors: errors.map(({ check, message }) => `${check}: ${message}`), said: stdout };
}

/** Messages that the balancer has logged, at warn and above, of these words. */
export function logged(system: System, words: RegExp): string[] {
  const lines = system
    .program("balancer")
    .stderr.split("\n")
    .filter((line) => line.startsWith("{"));
  const entries = lines.map((line) => JSON.parse(line) as { level: number; msg: string });
  return entries.filter(({ level, msg }) => level >= 40 && words.test(msg)).map(({ msg }) => msg);
}

/** That nothing that was logged or said holds a live name or a key. */
export function holdsNoSecret(text: string, key: TsigKey): void {
  assert.doesNotMatch(text, /bs[a-z2-7]{16}\./, "a live name");
  assert.ok(!text.includes(secretOf(key)), "a key");
}
