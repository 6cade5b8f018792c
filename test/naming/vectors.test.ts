import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../../src/lib/bytes.ts";
import { BerthError } from "../../src/lib/errors.ts";
import {
  derivative,
  epochAt,
  FUNCTIONS,
  liveEpochs,
  nameKey,
  parseRecipe,
  prepareNaming,
  stepAt,
  takeToken,
  temporaryUri,
} from "../../src/naming/index.ts";
import { vectors } from "./vectors.ts";

test("functions: RFC 6920, RFC 4231, RFC 5869", () => {
  for (const row of vectors.functions) {
    const fn = FUNCTIONS.get(row.function);
    assert.ok(fn, row.function);
    const options = row.options ?? {};
    const output =
      fn.kind === "hash"
        ? fn.derive(fromHex(row.input ?? ""))
        : fn.derive(fromHex(row.key ?? ""), fromHex(row.message ?? ""), options);
    assert.equal(toHex(output).slice(0, row.output.length), row.output, row.source);
    assert.equal(output.byteLength, fn.outputLength(options), row.source);
  }
});

test("every function has a vector", () => {
  const seen = new Set([...vectors.functions.map((row) => row.function)]);
  assert.deepEqual(
    [...FUNCTIONS.keys()].filter((name) => !seen.has(name)),
    [],
  );
});

test("encodings: RFC 4648 and our own", () => {
  for (const { encoding, bytes, text, source } of vectors.encodings) {
    if (bytes !== "") assert.equal(takeToken({ encoding, all: true }, fromHex(bytes)), text, source);
  }
});

test("tokens: first, last, all and positions in each encoding", () => {
  for (const row of vectors.tokens) assert.equal(takeToken(row.token, fromHex(row.derivative)), row.text, JSON.stringify(row));
});

function timeRecipe(unit: number, round: string) {
  return parseRecipe({
    version: 1,
    function: "hmac-sha-256",
    parameters: [{ kind: "time", unit, round }],
    token: { encoding: "base32", first: 16 },
  });
}

test("epochs: rounding to nearest and down, halves, before 1970", () => {
  for (const { unit, round, instant, rounded, start, end } of vectors.epochs) {
    assert.deepEqual(epochAt(timeRecipe(unit, round), instant), { value: rounded, start, end }, `${unit} ${round} ${instant}`);
  }
});

test("live epochs: start - lead <= instant < end + grace", () => {
  for (const { unit, round, instant, lead, grace, rounded } of vectors.liveEpochs) {
    const live = liveEpochs(timeRecipe(unit, round), instant, { lead, grace });
    assert.deepEqual(
      live.map(({ value }) => value),
      rounded,
      `${unit} ${round} ${instant} ${lead} ${grace}`,
    );
  }
});

test("names: each step, plainly and by the fast path", () => {
  for (const row of vectors.names) {
    const where = JSON.stringify(row).slice(0, 300);
    const recipe = parseRecipe(row.recipe);
    const input = { ...row, secret: fromHex(row.secret) };
    const step = stepAt(recipe, input);
    const key = nameKey(recipe, input.secret);
    assert.equal(toHex(key), row.nameKey, where);
    assert.equal(toHex(derivative(recipe, key, row.endpoint, step)), row.derivative, where);
    const { uri, host, token } = temporaryUri(recipe, row.staticUri, input);
    assert.deepEqual({ uri, host, token }, { uri: row.uri, host: row.host, token: row.token }, where);
    const namer = prepareNaming(recipe, row.staticUri);
    assert.equal(toHex(namer.nameKey(input.secret)), row.nameKey, where);
    assert.equal(namer.host(key, row.endpoint, step), row.host, where);
    assert.equal(namer.uri(key, row.endpoint, step).uri, row.uri, where);
    const out = new Uint8Array(300).fill(0x2a);
    const length = namer.writeHost(key, row.endpoint, step, out, 7);
    assert.equal(Buffer.from(out).toString("latin1"), `${"*".repeat(7)}${row.host}${"*".repeat(293 - length)}`, where);
  }
});

test("errors: each with its code, and without the secret", () => {
  for (const row of vectors.errors) {
    const where = JSON.stringify(row).slice(0, 300);
    assert.throws(
      () => temporaryUri(parseRecipe(row.recipe), row.staticUri, { ...row, secret: fromHex(row.secret) }),
      (error) => {
        assert.ok(error instanceof BerthError, `${where}: ${String(error)}`);
        assert.equal(error.code, row.code, `${where}: ${error.message}`);
        assert.ok(row.secret === "" || !error.message.includes(row.secret.slice(0, 12)), where);
        assert.ok(!error.message.includes("\n"), where);
        return true;
      },
    );
  }
});
