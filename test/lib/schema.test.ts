import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { InvalidInput } from "../../src/lib/errors.ts";
import { parseWith } from "../../src/lib/schema.ts";

const Schema = z.strictObject({
  dns: z.strictObject({ ttl: z.number(), listen: z.array(z.string()) }).optional(),
  servers: z.array(z.strictObject({ uri: z.string(), psk: z.string().min(8) })).default([]),
});

function complaint(input: unknown): string {
  try {
    parseWith(Schema, input, "berth.yaml");
  } catch (error) {
    assert.ok(error instanceof InvalidInput);
    return error.message;
  }
  return assert.fail("it was accepted");
}

test("an unknown key is an error that names the nearest known one, at any depth", () => {
  assert.match(complaint({ dsn: {} }), /^berth\.yaml: unknown key "dsn", did you mean "dns"\?$/);
  assert.match(complaint({ dns: { ttl: 1, lisen: [] } }), /dns: unknown key "lisen", did you mean "listen"\?/);
  assert.match(
    complaint({ servers: [{ uri: "x", psk: "12345678", url: 1 }] }),
    /servers\[0\]: unknown key "url", did you mean "uri"\?/,
  );
});

test("a wrong value is an error that names its path and repeats it", () => {
  assert.match(complaint({ dns: { ttl: "soon", listen: [] } }), /dns\.ttl: .*\(got "soon"\)/);
});

test("a secret is never repeated", () => {
  const message = complaint({ servers: [{ uri: "x", psk: "hunter2" }] });
  assert.match(message, /servers\[0\]\.psk/);
  assert.doesNotMatch(message, /hunter2/);
});

test("a file of a key, given in place of another, is not repeated", () => {
  assert.doesNotMatch(complaint("00112233445566778899aabbccddeeff"), /0011/);
});

test("all problems are told at once", () => {
  assert.match(complaint({ dns: { ttl: "soon", listen: [1] } }), /dns\.ttl.*; dns\.listen\[0\]/);
});
