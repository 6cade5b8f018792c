import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { LeshanSource } from "../../src/balancer/index.ts";
import { BerthError } from "../../src/lib/errors.ts";
import { breathe } from "../../src/net/index.ts";
import { ScriptedServer } from "../support/https.ts";

let body = "";
const server = await ScriptedServer.start(() => ({ status: 200, body }));
const source = new LeshanSource({ name: "hostile", url: server.url, terms: {}, breathe });
after(() => Promise.all([source.close(), server.close()]));

/** What the source makes of a text; a string is the code of the error it fails with. */
async function read(text: string) {
  body = text;
  try {
    const answer = await source.poll(undefined, new AbortController().signal);
    assert.ok(!answer.unchanged);
    return { devices: answer.devices, rejected: answer.rejected };
  } catch (error) {
    assert.ok(error instanceof BerthError, String(error));
    assert.doesNotMatch(error.message, /5ec7e7/);
    return error.code;
  }
}

const psk = (endpoint: string, key = "00"): object => ({ endpoint, tls: { mode: "psk", details: { identity: endpoint, key } } });

test("what is no list of JSON is malformed as a whole, and its text is not repeated", async () => {
  for (const text of [
    "",
    "5ec7e7",
    "null",
    "{}",
    '"5ec7e7"',
    "[",
    "[5ec7e7]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[}",
    "[[]",
    "[{]}]",
    "[]]",
    "[] 5ec7e7",
    '["5ec7e7]',
    '["5ec7e7\\"]',
    '["5ec7e7\\',
    "<html>5ec7e7</html>",
    "[".repeat(1_000_000),
    `[${'{"a":'.repeat(100_000)}`,
  ]) {
    assert.equal(await read(text), "source-malformed", text.slice(0, 20));
  }
});

test("a text is read if, and only if, it is a JSON array, whatever was cut out of it or put in", async () => {
  const text = fc.tuple(
    fc.json(),
    fc.json(),
    fc.nat(),
    fc.nat(3),
    fc.constantFrom("", "", "[", "]", "{", "}", ",", '"', "\\", " "),
  );
  await fc.assert(
    fc.asyncProperty(text, async ([one, two, at, cut, put]) => {
      const whole = ` [ ${one} , ${two} ] `;
      const place = at % whole.length;
      const broken = whole.slice(0, place) + put + whole.slice(place + cut);
      const answer = await read(broken);
      let wanted: unknown;
      try {
        wanted = JSON.parse(broken);
      } catch {}
      if (!Array.isArray(wanted)) assert.equal(answer, "source-malformed");
      else assert.equal(typeof answer === "string" ? answer : answer.devices.length + answer.rejected.length, wanted.length);
    }),
    { numRuns: 300 },
  );
});

test("what is no client is rejected by itself, with its name if it has one", async () => {
  const nameless = "it is no client with an endpoint name";
  const entries: [unknown, object][] = [
    [1, { reason: nameless }],
    [null, { reason: nameless }],
    [[], { reason: nameless }],
    [{ endpoint: "" }, { reason: nameless }],
    [{ endpoint: 5 }, { reason: nameless }],
    [
      { endpoint: "a", tls: "psk" },
      { endpoint: "a", reason: nameless },
    ],
    [{ endpoint: "b" }, { endpoint: "b", reason: "it has neither a pre-shared key nor a raw public key" }],
    [
      { endpoint: "c", oscore: {} },
      { endpoint: "c", reason: "it has neither a pre-shared key nor a raw public key" },
    ],
    [
      { endpoint: "d", tls: { mode: "psk" } },
      { endpoint: "d", reason: "psk: identity or key is missing, or no text" },
    ],
    [
      { endpoint: "e", psk: { identity: "e", key: 7 } },
      { endpoint: "e", reason: "psk: identity or key is missing, or no text" },
    ],
    [
      { endpoint: "f", rpk: { x: "1", y: "2" } },
      { endpoint: "f", reason: "rpk: its key is not given as one SubjectPublicKeyInfo in hex" },
    ],
    [
      { endpoint: "g", x509: true },
      { endpoint: "g", reason: "x509: a certificate is no secret that names could be made of; import it with a secret" },
    ],
    [{ __proto__: null, constructor: 1 }, { reason: nameless }],
  ];
  const answer = await read(`[${entries.map(([value]) => JSON.stringify(value)).join()},{"__proto__":{"endpoint":"h"}}]`);
  assert.ok(typeof answer === "object");
  assert.deepEqual(answer.devices, []);
  assert.deepEqual(answer.rejected, [...entries.map(([, rejected]) => rejected), { reason: nameless }]);
});

test("of two clients with one name the first counts; brackets and quotes inside texts mean nothing", async () => {
  const names = ['"]', "[{", "\\", "\\\\]", "é\u{1f600}", "__proto__"];
  const answer = await read(JSON.stringify([...names.map((name) => psk(name)), psk("[{", "01")]));
  assert.ok(typeof answer === "object");
  assert.deepEqual(
    answer.devices,
    names.map((endpoint) => ({ endpoint, mode: "psk", psk: "00" })),
  );
  assert.deepEqual(answer.rejected, [{ endpoint: "[{", reason: "its endpoint name comes twice" }]);
});
