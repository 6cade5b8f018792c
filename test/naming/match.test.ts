import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "../../src/lib/bytes.ts";
import {
  builtInRecipe,
  liveSteps,
  matchName,
  type Namer,
  parseRecipe,
  prepareNaming,
  type SeenUri,
} from "../../src/naming/index.ts";

const BERTH_1 = builtInRecipe("berth-1");
const SECRET = fromHex("00112233445566778899aabbccddeeff");
/** 10:28, within the margins of the epoch that starts at 10:30. */
const NOW = Date.parse("2026-01-01T10:28:00Z");
const MARGINS = { lead: 300_000, grace: 300_000 };
const [OWN = {}, NEXT = {}] = liveSteps(BERTH_1, NOW, MARGINS);

function match(namer: Namer, seen: SeenUri, endpoint = "urn:dev:1") {
  return matchName(namer, namer.nameKey(SECRET), endpoint, liveSteps(namer.recipe, NOW, MARGINS), seen);
}

test("a host matches in each live epoch, in any case, with or without a final dot", () => {
  const namer = prepareNaming(BERTH_1, "coaps://bs.myserver.com");
  const host = (step: object): string => namer.host(namer.nameKey(SECRET), "urn:dev:1", step);
  assert.deepEqual(match(namer, { host: host(OWN) }), { kind: "match", step: OWN });
  assert.deepEqual(match(namer, { host: `${host(NEXT).toUpperCase()}.` }), { kind: "match", step: NEXT });
  assert.deepEqual(match(namer, { host: host({ time: (OWN.time ?? 0) - 3600 }) }), { kind: "mismatch" });
  assert.deepEqual(match(namer, { host: host(OWN) }, "urn:dev:2"), { kind: "mismatch" });
  assert.deepEqual(match(namer, { host: "bs.myserver.com" }), { kind: "mismatch" });
});

test("nothing sent says nothing: no host, or only parts that are the same in all names", () => {
  const namer = prepareNaming(BERTH_1, "coaps://bs.myserver.com/a?x=1");
  for (const seen of [{}, { host: "" }, { path: ["a"] }, { query: ["x=1"] }, { path: ["b"], query: ["ep=urn:dev:1"] }]) {
    assert.deepEqual(match(namer, seen), { kind: "unseen" });
  }
});

test("a path matches by its segments", () => {
  const namer = prepareNaming(BERTH_1, "coaps://bs.myserver.com/a%20b/{token}");
  const { token } = namer.uri(namer.nameKey(SECRET), "urn:dev:1", OWN);
  assert.deepEqual(match(namer, { path: ["a b", token] }), { kind: "match", step: OWN });
  assert.deepEqual(match(namer, { path: ["a b", token], host: "192.0.2.1" }), { kind: "match", step: OWN });
  assert.deepEqual(match(namer, { path: [`a b/${token}`] }), { kind: "mismatch" });
  assert.deepEqual(match(namer, { path: ["a b", token, "c"] }), { kind: "mismatch" });
  assert.deepEqual(match(namer, { path: [] }), { kind: "unseen" });
});

test("a query matches by the items the name has; the others are the device's own", () => {
  const namer = prepareNaming(BERTH_1, "coaps://192.0.2.1?t={token}&v=1");
  const { token } = namer.uri(namer.nameKey(SECRET), "urn:dev:1", NEXT);
  assert.deepEqual(match(namer, { query: [`t=${token}`, "v=1", "ep=urn:dev:1"] }), { kind: "match", step: NEXT });
  assert.deepEqual(match(namer, { query: ["ep=urn:dev:1", `t=${token}x`, "v=1"] }), { kind: "mismatch" });
  assert.deepEqual(match(namer, { query: [`t=${token}`] }), { kind: "mismatch" });
  assert.deepEqual(match(namer, { query: ["ep=urn:dev:1"] }), { kind: "unseen" });
});

test("all parts that vary and were sent must match", () => {
  const namer = prepareNaming(BERTH_1, "coaps://bs{token}.myserver.com/{token}");
  const { host, token } = namer.uri(namer.nameKey(SECRET), "urn:dev:1", OWN);
  assert.equal(match(namer, { host, path: [token] }).kind, "match");
  assert.equal(match(namer, { host }).kind, "match");
  assert.equal(match(namer, { host, path: [`${token}x`] }).kind, "mismatch");
  assert.equal(match(namer, { host: `x${host}`, path: [token] }).kind, "mismatch");
});

test("with a counter the step tells which counter the device has", () => {
  const recipe = parseRecipe({
    ...BERTH_1,
    name: "counted",
    parameters: [{ kind: "endpoint" }, { kind: "counter" }],
    lookAhead: 3,
  });
  const namer = prepareNaming(recipe, "coaps://bs.myserver.com");
  const key = namer.nameKey(SECRET);
  const steps = liveSteps(recipe, NOW, MARGINS, 7);
  const seenAt = (counter: number) =>
    matchName(namer, key, "urn:dev:1", steps, { host: namer.host(key, "urn:dev:1", { counter }) });
  for (const counter of [7, 8, 9, 10]) assert.deepEqual(seenAt(counter), { kind: "match", step: { counter } });
  for (const counter of [6, 11]) assert.deepEqual(seenAt(counter), { kind: "mismatch" });
});

test("a group's secret without a device parameter gives the whole group one name", () => {
  const recipe = parseRecipe({ ...BERTH_1, parameters: [{ kind: "time", unit: 3600 }] });
  const namer = prepareNaming(recipe, "coaps://bs.myserver.com");
  const { host } = namer.uri(namer.nameKey(SECRET), "urn:dev:1", OWN);
  assert.deepEqual(match(namer, { host }, "urn:dev:2"), { kind: "match", step: OWN });
});

test("what names have in common", () => {
  const shape = (uri: string) => {
    const { parentDomain, varies } = prepareNaming(BERTH_1, uri);
    return [parentDomain, ...Object.keys(varies).filter((part) => varies[part as keyof typeof varies])];
  };
  assert.deepEqual(shape("coaps://BS.myserver.com"), ["myserver.com", "host"]);
  assert.deepEqual(shape("coaps://{token}.bs.myserver.com"), ["bs.myserver.com", "host"]);
  assert.deepEqual(shape("coaps://bs.my{token}-x.server.com"), ["server.com", "host"]);
  assert.deepEqual(shape("coaps://bs"), ["", "host"]);
  assert.deepEqual(shape("coaps://bs.myserver.com/{token}?t={token}"), ["bs.myserver.com", "path", "query"]);
});
