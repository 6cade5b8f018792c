import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { BerthError, InvalidInput } from "../../src/lib/errors.ts";
import {
  epochAt,
  FUNCTIONS,
  KeySlab,
  liveEpochs,
  liveSteps,
  lookAheadOf,
  nameKey,
  parseRecipe,
  parseRecipeText,
  prepareNaming,
  type Recipe,
  stepAt,
  stepsToTry,
  temporaryUri,
  usesCounter,
} from "../../src/naming/index.ts";

const place = fc.oneof(
  fc.record({ in: fc.constant("label"), label: fc.nat(2), at: fc.constantFrom("start", "end", 1) }),
  fc.record({ in: fc.constant("own-label"), before: fc.nat(2) }),
  fc.constant({ in: "path" }),
  fc.constant({ in: "query", key: "t" }),
);
const inUri = fc.record({ place, encoding: fc.constantFrom("plain", "hex", "base32") }, { requiredKeys: ["place"] });
const parameters = fc
  .tuple(
    fc.record({ kind: fc.constant("endpoint"), inUri }, { requiredKeys: ["kind"] }),
    fc.record(
      { kind: fc.constant("time"), unit: fc.integer({ min: 1, max: 90_000 }), round: fc.constantFrom("nearest", "down"), inUri },
      { requiredKeys: ["kind", "unit"] },
    ),
    fc.record({ kind: fc.constant("counter"), inUri }, { requiredKeys: ["kind"] }),
    fc.record({ kind: fc.constant("random"), length: fc.integer({ min: 1, max: 32 }), inUri }, { requiredKeys: ["kind"] }),
  )
  .chain((all) => fc.shuffledSubarray<object>(all));
const way = fc.oneof(
  fc.record({ first: fc.integer({ min: 1, max: 12 }) }),
  fc.record({ last: fc.integer({ min: 1, max: 12 }) }),
  fc.constant({ all: true }),
  fc.record({ positions: fc.uniqueArray(fc.nat(5), { minLength: 1 }) }),
);
const combine = fc.oneof(
  fc.record({ order: fc.constantFrom("secret-first", "parameters-first") }),
  fc.record({ order: fc.constantFrom("parameters-in-secret", "secret-in-parameters"), offset: fc.nat(40) }),
);

/** Recipes that mostly make sense; those that do not are refused by the schema and left out. */
const recipe: fc.Arbitrary<Recipe> = fc
  .record(
    {
      version: fc.constant(1),
      nameKey: fc.record(
        { info: fc.string({ maxLength: 20 }), length: fc.integer({ min: 16, max: 100 }) },
        { requiredKeys: ["info"] },
      ),
      function: fc.constantFrom(...FUNCTIONS.keys(), ...Array<string>(6).fill("hmac-sha-256")),
      combine,
      parameters,
      separator: fc.constantFrom("|", "", "::", "é"),
      token: fc
        .tuple(fc.constantFrom("hex", "base32", "base32", "decimal", "base64url"), way)
        .map(([encoding, rest]) => ({ encoding, ...rest })),
      place,
    },
    { requiredKeys: ["version", "function", "parameters", "token"] },
  )
  .map((input) => (FUNCTIONS.get(input.function)?.kind === "keyed" ? { ...input, combine: undefined } : input))
  .map((input) => JSON.parse(JSON.stringify(input)) as unknown)
  .filter((input) => {
    try {
      parseRecipe(input);
      return true;
    } catch {
      return false;
    }
  })
  .map((input) => parseRecipe(input));

const staticUri = fc.constantFrom(
  "coaps://bs.myserver.com",
  "coap://BS.Myserver.com:5683/a/b?c=d",
  "coaps://bs{token}.x.example",
  "coaps://{token}.a.b.example/",
  "coaps://a.b.c/{token}",
  "coaps://192.0.2.7:5684",
);
const endpoint = fc.oneof(
  fc.constantFrom("urn:dev:1", "urn:imei:490154203237518", "meter-17"),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }),
  fc.string({ minLength: 600, maxLength: 800 }),
);
const secret = fc.oneof(fc.uint8Array({ minLength: 16, maxLength: 32 }), fc.uint8Array({ minLength: 0, maxLength: 200 }));
const instant = fc.integer({ min: -4e12, max: 4e12 });
const counter = fc.nat();

/** What a call gives, or the code with which it refuses. */
function outcome<T>(call: () => T): T | string {
  try {
    return call();
  } catch (error) {
    assert.ok(error instanceof BerthError, String(error));
    return `refused: ${error.code}`;
  }
}

test("the fast path gives what the plain function gives, and every URI keeps the rules", () => {
  let made = 0;
  const check = (how: Recipe, uri: string, ep: string, bytes: Uint8Array, at: number, count: number): void => {
    const input = { secret: bytes, endpoint: ep, instant: at, counter: count };
    const plain = outcome(() => temporaryUri(how, uri, input));
    const prepared = outcome(() => {
      const namer = prepareNaming(how, uri);
      const key = namer.nameKey(bytes);
      const step = stepAt(how, input);
      const host = outcome(() => namer.host(key, ep, step));
      return { host, uri: namer.uri(key, ep, step) };
    });
    if (typeof plain === "string" || typeof prepared === "string") {
      // Several things can be wrong at once, and the prepared one looks at the URI first.
      assert.equal(typeof prepared, typeof plain);
      return;
    }
    assert.deepEqual(prepared.uri, plain);
    assert.equal(prepared.host, plain.host);
    made += 1;
    assert.ok(plain.uri.length <= 255 && plain.host.length <= 253);
    assert.match(plain.host, /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/);
    assert.match(plain.uri, /^[a-z][a-z+]*:\/\/[a-z0-9.-]+(:\d+)?(\/([A-Za-z0-9._~-]|%[0-9A-F]{2})*)*(\?[A-Za-z0-9._~=&%-]*)?$/);
  };
  fc.assert(fc.property(recipe, staticUri, endpoint, secret, instant, counter, check), { numRuns: 3000 });
  assert.ok(made > 500, `only ${made} of the random cases made a name`);
});

test("a recipe survives JSON and YAML", () => {
  const check = (how: Recipe): void => {
    assert.deepEqual(parseRecipe(JSON.parse(JSON.stringify(how))), how);
    assert.deepEqual(parseRecipeText(JSON.stringify(how)), how);
    assert.deepEqual(parseRecipeText(stringify(how)), how);
  };
  fc.assert(fc.property(recipe, check), { numRuns: 200 });
});

test("what is no recipe is refused as invalid input, never otherwise", () => {
  const check = (how: Recipe, key: string, value: unknown): void => {
    for (const input of [
      value,
      { ...how, [key]: value },
      { ...how, token: { ...how.token, [key]: value } },
      { ...how, parameters: [value] },
    ]) {
      try {
        parseRecipe(input);
      } catch (error) {
        assert.ok(error instanceof InvalidInput, String(error));
      }
    }
  };
  const key = fc.oneof(
    fc.string(),
    fc.constantFrom("version", "token", "place", "parameters", "function", "first", "nameKey", "__proto__"),
  );
  fc.assert(fc.property(recipe, key, fc.anything(), check), { numRuns: 500 });
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.throws(() => parseRecipeText(text), InvalidInput);
    }),
  );
});

const timed = (unit: number, round: string): Recipe =>
  parseRecipe({
    version: 1,
    function: "sha-256",
    parameters: [{ kind: "time", unit, round }],
    token: { encoding: "hex", first: 8 },
  });
const unitAndRound = [fc.integer({ min: 1, max: 100_000 }), fc.constantFrom("nearest", "down")] as const;

test("epochs: each instant lies in its own, and they follow each other without gap", () => {
  const check = (unit: number, round: string, at: number): void => {
    const how = timed(unit, round);
    const epoch = epochAt(how, at);
    assert.ok(epoch && epoch.start <= at && at < epoch.end);
    assert.ok(Number.isInteger(epoch.value / unit));
    assert.equal(epoch.end - epoch.start, unit * 1000);
    assert.equal(epoch.value * 1000 - epoch.start, round === "nearest" ? unit * 500 : 0);
    assert.deepEqual(epochAt(how, epoch.end - 1), epoch);
    assert.equal(epochAt(how, epoch.end)?.value, epoch.value + unit);
    assert.equal(stepAt(how, { instant: at }).time, epoch.value);
  };
  fc.assert(fc.property(...unitAndRound, instant, check));
});

test("live epochs are those a device with a clock off by up to the margins is in", () => {
  const check = (unit: number, round: string, at: number, lead: number, grace: number): void => {
    const how = timed(unit, round);
    const live = liveEpochs(how, at, { lead, grace }).map(({ value }) => value);
    const dumb: number[] = [];
    for (let k = -40; k <= 40; k += 1) {
      const epoch = epochAt(how, at + k * unit * 1000);
      if (epoch && epoch.start - lead <= at && at < epoch.end + grace) dumb.push(epoch.value);
    }
    assert.deepEqual(live, dumb);
    if (grace > 0) assert.ok(live.includes(epochAt(how, at - grace + 1)?.value ?? Number.NaN));
    assert.ok(live.includes(epochAt(how, at + lead)?.value ?? Number.NaN));
  };
  const margin = fc.nat(20_000);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4000 }), unitAndRound[1], instant, margin, margin, (unit, ...rest) => {
      fc.pre((rest[2] + rest[3]) / (unit * 1000) < 35);
      check(unit, ...rest);
    }),
  );
});

test("live steps and the steps a device tries: its own is live and comes first, neighbours follow", () => {
  const check = (how: Recipe, at: number, count: number): void => {
    const own = stepAt(how, { instant: at, counter: count });
    const live = liveSteps(how, at, { lead: 0, grace: 0 }, count);
    assert.equal(live.length, lookAheadOf(how) + 1);
    assert.deepEqual(live[0], own);
    const tried = stepsToTry(how, at, count);
    assert.deepEqual(tried[0], own);
    const epoch = epochAt(how, at);
    assert.equal(tried.length, (epoch === undefined ? 1 : 3) * (lookAheadOf(how) + 1));
    assert.equal(new Set(tried.map((step) => JSON.stringify(step))).size, tried.length);
    assert.equal(own.counter, usesCounter(how) ? count : undefined);
    if (epoch === undefined) return;
    const unit = (epoch.end - epoch.start) / 1000;
    const side = epoch.end - at <= at - epoch.start ? unit : -unit;
    assert.deepEqual(
      tried.slice(0, 3).map(({ time = 0 }) => time - epoch.value),
      [0, side, -side],
    );
  };
  fc.assert(fc.property(recipe, instant, counter, check));
});

test("a key slab keeps what a map keeps", () => {
  const action = fc.tuple(fc.nat(200), fc.option(fc.uint8Array({ minLength: 1, maxLength: 80 })));
  const check = (actions: readonly [number, Uint8Array | null][], room: number, keyLength: number): void => {
    const slab = new KeySlab(room, keyLength);
    const twin = new Map<number, Uint8Array>();
    for (const [index, key] of actions) {
      if (key === null) {
        slab.delete(index);
        twin.delete(index);
      } else {
        slab.set(index, key);
        twin.set(index, key.slice());
        key.fill(0);
      }
    }
    for (let index = 0; index <= 201; index += 1) {
      const kept = slab.get(index);
      assert.deepEqual(kept && [...kept], twin.has(index) ? [...(twin.get(index) ?? [])] : undefined);
    }
  };
  fc.assert(fc.property(fc.array(action, { maxLength: 60 }), fc.nat(50), fc.integer({ min: 1, max: 64 }), check));
  assert.throws(() => new KeySlab(1).set(0, new Uint8Array(0)), InvalidInput);
  assert.equal(new KeySlab(1000, 32).byteLength, 34_000);
});

test("name keys of the fast path are those of the plain function", () => {
  const check = (how: Recipe, bytes: Uint8Array): void => {
    const namer = prepareNaming({ ...how, place: { in: "path" }, parameters: [] }, "coaps://bs.myserver.com");
    const plain = outcome(() => nameKey(how, bytes));
    assert.deepEqual(
      outcome(() => namer.nameKey(bytes)),
      plain,
    );
    if (typeof plain !== "string" && namer.keyLength !== undefined) assert.equal(plain.byteLength, namer.keyLength);
  };
  const bytes = fc.oneof(secret, fc.uint8Array({ minLength: 600, maxLength: 2100 }));
  const short = recipe.filter(({ token }) => token.all === undefined);
  fc.assert(fc.property(short, bytes, check), { numRuns: 500 });
});
