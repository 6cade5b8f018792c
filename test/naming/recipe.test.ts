import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "../../src/lib/bytes.ts";
import { InvalidInput } from "../../src/lib/errors.ts";
import {
  builtInRecipe,
  parseRecipe,
  parseRecipeText,
  parseTarget,
  StaticUriInvalid,
  temporaryUri,
} from "../../src/naming/index.ts";

const BERTH_1 = builtInRecipe("berth-1");

test("a malformed recipe's error names the key, the value, and the nearest known key", () => {
  const rows: [unknown, RegExp][] = [
    [{ ...BERTH_1, paramters: [] }, /unknown key "paramters", did you mean "parameters"\?/],
    [{ ...BERTH_1, token: { encoding: "base32", frist: 3 } }, /token: unknown key "frist", did you mean "first"\?/],
    [
      { ...BERTH_1, parameters: [{ kind: "time", unit: 3600, rond: 1 }] },
      /parameters\[0\]: unknown key "rond", did you mean "round"\?/,
    ],
    [{ ...BERTH_1, parameters: [{ kind: "tim" }] }, /parameters\[0\]\.kind: .*'time'.*\(got "tim"\)/],
    [{ ...BERTH_1, place: { in: "label", labl: 1 } }, /place: unknown key "labl", did you mean "label"\?/],
    [{ ...BERTH_1, function: "md5" }, /function: .*"hmac-sha-256".*\(got "md5"\)/],
    [{ ...BERTH_1, version: 2 }, /version: .*expected 1.*\(got 2\)/],
    [{ ...BERTH_1, token: { encoding: "hex", first: 65 } }, /token: asks for 65 characters, but hmac-sha-256 in hex gives 64/],
    [[], /expected object/],
  ];
  for (const [input, message] of rows) {
    assert.throws(
      () => parseRecipe(input, "my.yaml"),
      (error) => {
        assert.ok(error instanceof InvalidInput);
        assert.match(error.message, /^my\.yaml: /);
        assert.match(error.message, message);
        return true;
      },
    );
  }
});

test("text that is neither JSON nor YAML is refused with its place", () => {
  assert.throws(
    () => parseRecipeText("version: 1\nversion: 1", "r.yaml"),
    /^InvalidInput: r\.yaml: neither JSON nor YAML: .*line 2/,
  );
  assert.throws(() => parseRecipeText("{", "r.json"), /^InvalidInput: r\.json: neither JSON nor YAML/);
});

test("an unknown built-in recipe names the nearest", () => {
  assert.throws(
    () => builtInRecipe("bert-1"),
    /there is no built-in recipe "bert-1"; did you mean "berth-1"\? There are: berth-1, ni-3/,
  );
});

test("ni-3 has the form of the worked example, and changes at the half hour", () => {
  const at = (time: string): string =>
    temporaryUri(builtInRecipe("ni-3"), "coaps://bs.myserver.com", {
      secret: fromHex("00112233445566778899aabbccddeeff"),
      endpoint: "urn:dev:1",
      instant: Date.parse(`2026-01-01T${time}:00Z`),
    }).uri;
  assert.match(at("10:29"), /^coaps:\/\/bs\d{3}\.myserver\.com$/);
  assert.equal(at("09:31"), at("10:29"));
  assert.notEqual(at("10:31"), at("10:29"));
});

test("a password in the static URI is not repeated in the error", () => {
  assert.throws(
    () => parseTarget("coaps://me:hunter2@bs.myserver.com"),
    (error) => {
      assert.ok(error instanceof StaticUriInvalid);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    },
  );
});

test("a URI in its parts, to fall back to", () => {
  assert.deepEqual(parseTarget("COAPS://BS.myserver.com:5684/a/?x=1"), {
    uri: "coaps://bs.myserver.com:5684/a/?x=1",
    scheme: "coaps",
    host: "bs.myserver.com",
    port: 5684,
    path: "/a/",
    query: "x=1",
  });
  assert.deepEqual(parseTarget("coap://[2001:db8::1]"), {
    uri: "coap://[2001:db8::1]",
    scheme: "coap",
    host: "[2001:db8::1]",
    path: "",
  });
  for (const uri of [
    "coaps://bs{token}.myserver.com",
    "coaps://bs.myserver.com/{token}",
    "coaps://300.1.1.1",
    "coaps://a..b",
    "nonsense",
  ]) {
    assert.throws(() => parseTarget(uri), StaticUriInvalid, uri);
  }
});
