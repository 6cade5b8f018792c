import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatPath, InvalidPath, parsePath, uriPath } from "../../src/lwm2m/index.ts";

test("paths of every level are read and written", () => {
  for (const [text, ids, uri] of [
    ["/", [], []],
    ["/0", [0], ["0"]],
    ["/65535", [65535], ["65535"]],
    ["/1/65534", [1, 65534], ["1", "65534"]],
    ["/1/0/65535", [1, 0, 65535], ["1", "0", "65535"]],
    ["/2/0/2/65535", [2, 0, 2, 65535], ["2", "0", "2", "65535"]],
  ] as const) {
    assert.deepEqual(parsePath(text), ids);
    assert.equal(formatPath(ids), text);
    assert.deepEqual(uriPath(text), uri);
  }
});

test("what is no path is refused, with its reason", () => {
  for (const text of [
    "",
    "0",
    "//",
    "/0/",
    "/00",
    "/01",
    "/-1",
    "/1.5",
    "/1e3",
    "/ 1",
    "/65536",
    "/1/65535",
    "/1/2/3/4/5",
    "/a",
    `/${"9".repeat(99)}`,
  ]) {
    assert.throws(() => parsePath(text), { name: "InvalidPath", code: "invalid-path" }, text);
  }
});

test("any text is a path that is written back the same, or refused", () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[/0-9]*$/));
  fc.assert(
    fc.property(text, (input) => {
      try {
        assert.equal(formatPath(parsePath(input)), input);
      } catch (error) {
        assert.ok(error instanceof InvalidPath);
      }
    }),
  );
});
