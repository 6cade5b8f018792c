import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigSchema } from "../../src/cli/config-schema.ts";
import type { DnsConfig } from "../../src/cli/dns-schema.ts";
import { parseWith } from "../../src/lib/schema.ts";
import { LIMITS } from "../../src/nameserver/index.ts";

function parse(dns: object): DnsConfig {
  return parseWith(ConfigSchema, { uri: "coaps://bs{token}.bs.example.com:5684", dns }, "berth.yaml").dns;
}

test("R2: what dns.limits does not say is as the nameserver has it", () => {
  assert.deepEqual(parse({}).limits, LIMITS);
  assert.equal(parse({}).threads, 1);
  const limits = parse({ limits: { responses: 0, window: "1m", exempt: ["10.0.0.0/8"] } }).limits;
  assert.deepEqual(limits, { ...LIMITS, responses: 0, window: 60_000, exempt: ["10.0.0.0/8"] });
});

test("R2: a limit or a number of threads that cannot be is refused, and the error names the key", () => {
  for (const [dns, message] of [
    [{ limits: { responses: -1 } }, /dns\.limits\.responses/],
    [{ limits: { slip: 11 } }, /dns\.limits\.slip/],
    [{ limits: { window: "10ms" } }, /dns\.limits\.window.*from 1s to 1h/],
    [{ limits: { idle: "10ms" } }, /dns\.limits\.idle.*at least 1s/],
    [{ limits: { exempt: ["10.0.0.0/33"] } }, /dns\.limits\.exempt.*"10\.0\.0\.0\/33" is no network/],
    [{ limits: { connections: 0 } }, /dns\.limits\.connections/],
    [{ limits: { qps: 5 } }, /qps/],
    [{ threads: 0 }, /dns\.threads/],
    [
      { threads: 2, registry: "primary", keys: { k: { file: "k" } }, transfer: { key: "k" } },
      /threads: a hidden primary answers from one thread/,
    ],
  ] as const) {
    assert.throws(() => parse(dns), { code: "invalid-input", message });
  }
});
