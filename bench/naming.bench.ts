import assert from "node:assert/strict";
import { builtInRecipe, KeySlab, type Namer, prepareNaming, temporaryUri } from "../src/naming/index.ts";

const STATIC_URI = "coaps://bs{token}.berth.example.org";
const STEP = { time: 1_767_261_600 };

/** Fewer names than this are made over and over until they are this many, as a short run measures the garbage collector's threads. */
const MIN_NAMES = 1_000_000;

/** How often `work`, done once per device, is done in a second of CPU time; other processes on the machine do not count. */
function perCpuSecond(devices: number, work: (device: number) => void): number {
  const rounds = Math.ceil(MIN_NAMES / devices);
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round += 1) {
    for (let device = 0; device < devices; device += 1) work(device);
  }
  const { user, system } = process.cpuUsage(before);
  return Math.round((rounds * devices * 1e6) / (user + system));
}

/** Memory in bytes once garbage is gone (`npm run bench` passes --expose-gc). */
function memory(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** 16-byte secrets that differ and look like nothing; good enough to be hashed, never for keys. */
function secretOf(device: number): Uint8Array {
  const secret = new Uint8Array(16);
  for (let i = 0; i < 16; i += 4) {
    const word = Math.imul(device + i + 1, 0x9e3779b1);
    secret.set([word >>> 24, word >>> 16, word >>> 8, word], i);
  }
  return secret;
}

/** Names of `devices` devices in one epoch, as the balancer derives them; their endpoint names are made beforehand. */
function deriveAll(namer: Namer, devices: number): Record<string, number> {
  const endpoints = Array.from({ length: devices }, (_, device) => `urn:dev:os:0023C7-${String(device).padStart(7, "0")}`);
  const before = memory();
  const keys = new KeySlab(devices, namer.keyLength ?? 16);
  const keysPerSecond = perCpuSecond(devices, (device) => keys.set(device, namer.nameKey(secretOf(device))));
  const slabMemory = memory() - before;
  const keyOf = (device: number): Uint8Array => {
    const key = keys.get(device);
    assert.ok(key);
    return key;
  };
  const out = new Uint8Array(256);
  const endpointOf = (device: number): string => endpoints[device] ?? "";
  const namesPerSecond = perCpuSecond(devices, (device) => namer.writeHost(keyOf(device), endpointOf(device), STEP, out, 0));
  const hostStringsPerSecond = perCpuSecond(devices, (device) => namer.host(keyOf(device), endpointOf(device), STEP));
  const last = devices - 1;
  const input = { secret: secretOf(last), endpoint: endpoints[last] ?? "", instant: STEP.time * 1000 };
  assert.equal(namer.host(keyOf(last), input.endpoint, STEP), temporaryUri(namer.recipe, STATIC_URI, input).host);
  return {
    devices,
    namesPerSecond,
    hostStringsPerSecond,
    keysPerSecond,
    namesWithKeyDerivationPerSecond: Math.round(1 / (1 / keysPerSecond + 1 / namesPerSecond)),
    keyMegabytes: Math.round(slabMemory / 1e5) / 10,
    bytesPerKey: Math.round(slabMemory / devices),
  };
}

/** Names per CPU second of one core for the built-in recipes, and what kept name keys cost. */
export async function run(): Promise<Record<string, unknown>> {
  const figures: Record<string, unknown> = {};
  for (const recipe of ["berth-1", "ni-3"]) {
    const namer = prepareNaming(builtInRecipe(recipe), STATIC_URI);
    const rows = [10_000, 100_000, 1_000_000].map((devices) => deriveAll(namer, devices));
    for (const row of rows) {
      console.error(
        `${recipe.padEnd(8)} ${String(row.devices).padStart(8)} devices: ${row.namesPerSecond} names/s into bytes, ` +
          `${row.hostStringsPerSecond} as strings, ${row.namesWithKeyDerivationPerSecond} with key derivation; ` +
          `kept keys ${row.keyMegabytes} MB, ${row.bytesPerKey} bytes each`,
      );
    }
    figures[recipe] = rows;
  }
  return figures;
}
