import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runFleet, systemEnvironment } from "../../src/device/index.ts";
import { fromHex } from "../../src/lib/bytes.ts";
import { type Random, seededRandom } from "../../src/lib/random.ts";
import { builtInRecipe } from "../../src/naming/index.ts";
import { resolveHost } from "../../src/net/index.ts";
import { firstHello } from "../dtls/harness.ts";
import { run } from "../support/program.ts";
import { hexOf, System, type TestDevice } from "../support/system.ts";
import { coapCorpus, dnsCorpus, dtlsCorpus } from "./corpus.ts";
import { flood, type Target } from "./flood.ts";
import { garbled } from "./mutate.ts";
import { feedParsers } from "./parsers.ts";
import { httpGarbage, tcpGarbage } from "./streams.ts";

/** How much of it. */
export interface CampaignOptions {
  /** To each UDP port. */
  readonly datagrams: number;
  readonly seed: number;
  /** Told how it goes. */
  readonly say: (line: string) => void;
}

/** Memory of a process: RSS in MB. */
export interface Memory {
  readonly start: number;
  /** After a tenth of the datagrams, when everything is warm. */
  readonly warm: number;
  readonly end: number;
}

/** What came of it. */
export interface CampaignFigures {
  readonly memory: Readonly<Record<string, Memory>>;
  readonly http: Readonly<Record<string, number>>;
  readonly parsers: { readonly taken: number; readonly refused: number };
  readonly garbledNetwork: { readonly devices: number; readonly attempts: number };
}

/** Port of `coap:` (RFC 7252 section 6.1). */
const COAP_PORT = 5683;
/** Device rows used last, when all the garbage is over. */
const AFTERWARDS = 10;

/**
 * Throws hostile input at every port of a running system, and at every parser. Fails when a process ends, stops
 * answering, logs a fault of ours, or does not serve a device and a query afterwards as before.
 */
export async function fuzz({ datagrams, seed, say }: CampaignOptions): Promise<CampaignFigures> {
  const random = seededRandom(seed);
  const system = await System.start({ instances: 1, devices: 40, nosec: true, yaml: "log: { level: info }" });
  try {
    const targets = targetsOf(system);
    const start = await memoryOf(system);
    for (const target of targets) await flood(target, datagrams / 10, random);
    const warm = await memoryOf(system);
    for (const target of targets) {
      say(`${datagrams} datagrams to ${target.name}`);
      await flood(target, (datagrams * 9) / 10, random);
    }
    say("garbage over TCP to the nameserver");
    await tcpGarbage(system.dns, Math.ceil(datagrams / 100), dnsCorpus("fleet.berth.test"), random);
    say("garbage over HTTP to the control API");
    const tokenOf = (role: string): string => readFileSync(join(system.folder, `${role}.token`), "utf8").trim();
    const tokens = { operator: tokenOf("operator"), instance: tokenOf("instance") };
    const control = { address: system.dns.address, port: system.controlPort, tokens };
    const http = await httpGarbage(control, Math.ceil(datagrams / 50), random);
    say("devices on a network that garbles every tenth datagram");
    const garbledNetwork = await garblingDevices(system, random);
    say("files and objects that are almost right");
    const parsers = await feedParsers(goodFiles(system), Math.ceil(datagrams / 10), random);
    await servesAsBefore(system);
    const end = await memoryOf(system);
    const memory = Object.fromEntries(
      Object.keys(end).map((name) => [name, { start: start[name] ?? 0, warm: warm[name] ?? 0, end: end[name] ?? 0 }]),
    );
    const faults = system.logs.split("\n").filter((line) => /"level":(50|60)/.test(line));
    assert.deepEqual(faults, [], "a fault of ours is in the log");
    assert.deepEqual(
      Object.keys(http).filter((answer) => answer.startsWith("5")),
      [],
      "an answer says it is our fault",
    );
    return { memory, http, parsers, garbledNetwork };
  } finally {
    await system.stop();
  }
}

function targetsOf(system: System): Target[] {
  const address = system.address("bs-1");
  const endpoints = system.devices.slice(0, 5).map(({ endpoint }) => endpoint);
  return [
    { name: "coaps", address, port: system.port, corpus: dtlsCorpus(), probe: firstHello() },
    // An empty confirmable message: whoever gets it says Reset (RFC 7252 section 4.3).
    { name: "coap", address, port: COAP_PORT, corpus: coapCorpus(endpoints), probe: Buffer.of(0x40, 0, 0xab, 0xcd) },
    { name: "dns", ...system.dns, corpus: dnsCorpus("fleet.berth.test"), probe: dnsCorpus("fleet.berth.test")[2] ?? Buffer.of() },
  ];
}

/** Real devices whose datagrams arrive garbled now and then, so that every step of a handshake and a session meets it. */
async function garblingDevices(system: System, random: Random): Promise<{ devices: number; attempts: number }> {
  const world = systemEnvironment({ resolvers: [`${system.dns.address}:${system.dns.port}`] });
  const environment: typeof world = {
    ...world,
    openSocket: async (options) => {
      const socket = await world.openSocket(options);
      return {
        ...socket,
        send: (bytes, ...to) => socket.send(random.uniform() < 0.1 ? garbled(random, bytes) : bytes, ...to),
      };
    },
  };
  const members = (devices: readonly TestDevice[]) =>
    devices.map((device) => ({ endpoint: device.endpoint, identity: device.endpoint, psk: fromHex(hexOf(device)) }));
  const common = { environment, deadline: 120_000 };
  const secure = system.devices.slice(AFTERWARDS, AFTERWARDS + 15);
  const fleets = [
    runFleet({
      ...common,
      devices: members(secure),
      uri: `coaps://bs.fleet.berth.test:${system.port}`,
      recipe: builtInRecipe("berth-1"),
    }),
    runFleet({
      ...common,
      devices: members(system.devices.slice(AFTERWARDS + 15)),
      uri: `coap://${system.address("bs-1")}:${COAP_PORT}`,
    }),
  ];
  const summaries = await Promise.all(fleets.map(({ done }) => done));
  for (const fleet of fleets) fleet.stop();
  const [overDtls] = summaries;
  assert.equal(overDtls?.completed, secure.length, `over DTLS all get there: ${JSON.stringify(overDtls)}`);
  return {
    devices: summaries.reduce((sum, { completed }) => sum + completed, 0),
    attempts: summaries.reduce((sum, { attempts }) => sum + attempts, 0),
  };
}

function goodFiles(system: System): Parameters<typeof feedParsers>[0] {
  const read = (path: string): string => readFileSync(path, "utf8");
  return {
    csv: read(system.fleetFile),
    config: read(system.config),
    profile: read("examples/profile.yaml"),
    leshan: read("examples/profile.leshan.json"),
    object: read("docs/objects/27378.xml"),
  };
}

/** A query is answered and a device bootstraps, by the processes that were there from the start. */
async function servesAsBefore(system: System): Promise<void> {
  for (const device of system.devices.slice(0, AFTERWARDS)) {
    const { state, names = [] } = await system.device(device.endpoint);
    // Whoever knows an endpoint name may bootstrap it over coap: without security; the datagrams do know some.
    if (state !== "pending") continue;
    const { ipv4 } = await resolveHost(names[0] ?? "", [`${system.dns.address}:${system.dns.port}`]);
    assert.deepEqual(ipv4, [system.address("bs-1")]);
    const { code, stderr } = await system.berth("device", "--endpoint", device.endpoint, "--psk", hexOf(device));
    assert.equal(code, 0, stderr);
    return;
  }
  assert.fail("no device is left to try");
}

async function memoryOf(system: System): Promise<Record<string, number>> {
  const entries = [...system.programs].map(async ([name, { pid }]): Promise<[string, number]> => {
    const { code, stdout } = await run("ps", ["-o", "rss=", "-p", String(pid)]);
    assert.equal(code, 0, `${name} has ended`);
    return [name, Math.round(Number(stdout) / 1024)];
  });
  return Object.fromEntries(await Promise.all(entries));
}
