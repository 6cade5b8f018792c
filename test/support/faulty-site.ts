import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { TsigKey } from "../../src/dns/index.ts";
import { startBind } from "./bind.ts";
import { type DnsServer, newKey } from "./dns-servers.ts";
import { checkDns, holdsNoSecret, logged, publicationIs, startUpdating, steadyRecipe, zoneIsRight } from "./registries.ts";
import { type System, type SystemOptions, type TestDevice, testDevices } from "./system.ts";

const EARLY = 20;

/** A BIND with names in it, and the system they are of. */
export interface Site {
  readonly key: TsigKey;
  readonly server: DnsServer;
  readonly system: System;
  /** `NAME ADDRESS` of those that are live before the fault. */
  readonly live: readonly string[];
}

/** Starts both; names are in the zone. */
export async function startSite(t: TestContext, options: SystemOptions = {}): Promise<Site> {
  const key = newKey();
  const server = await startBind(key);
  t.after(() => server.stop());
  const system = await startUpdating(server, key, { devices: EARLY, recipe: steadyRecipe(), ...options });
  t.after(() => system.stop());
  const live = await zoneIsRight(system, server, key);
  assert.ok(live.length >= EARLY);
  return { key, server, system, live };
}

/** What the log says of the trouble: once that it is tried again, once that names cannot be published. */
export function told(system: System): string {
  const [cannot = "", ...again] = logged(system, /names cannot be published/);
  assert.deepEqual(again, [], "told once");
  assert.ok(logged(system, /it is tried again/).length <= 1, "told once");
  return cannot;
}

/** What was live before the fault is. */
export async function staysLive({ server, live }: Site): Promise<void> {
  for (const name of live) {
    const [host = "", address] = name.split(" ");
    assert.deepEqual((await server.ask(host))?.answers, [`A 30 ${address}`]);
  }
}

function hostOf(name: string): string {
  return name.split(" ")[0] ?? "";
}

/** Devices that nobody knows yet. */
export function newDevices(count: number): TestDevice[] {
  return testDevices(EARLY + count).slice(EARLY);
}

/** The fault is over: the zone is as the balancer says, and `berth check dns` finds nothing. */
export async function isMended(site: Site, seconds: number = 30): Promise<void> {
  const { system, server, key, live } = site;
  await publicationIs(system, "following", seconds);
  const names = await zoneIsRight(system, server, key);
  // Instances may have changed places, as for a balancer whose clock leaps all of them have been silent for long.
  const hosts = names.map(hostOf);
  assert.deepEqual(
    live.map(hostOf).filter((host) => !hosts.includes(host)),
    [],
    "what was live is",
  );
  assert.deepEqual((await checkDns(system)).errors, []);
  holdsNoSecret(system.logs, key);
}
