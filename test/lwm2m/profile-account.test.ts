import assert from "node:assert/strict";
import { test } from "node:test";
import { BERTH_OBJECT, type BootstrapStep, compileProfile, resourceValue } from "../../src/lwm2m/index.ts";
import { bootstrapSteps, DEVICE, discovered, KEY, nameOf, profileOf, server, toInstance, writtenBy } from "./support.ts";

const ACCOUNT = `
bootstrapServer:
  uri: coaps://bs{token}.bs.example.com:5684
  security: { mode: psk, identity: "{endpoint}", key: "{attributes.server_key}" }
  securityResources: { 11: 5, 14: sni.example.com }`;
const RECIPE = {
  version: 1,
  function: "hmac-sha-256",
  parameters: [{ kind: "endpoint" }],
  token: { encoding: "hex", first: 16 },
};
const WITH_RECIPE = `${ACCOUNT}
  recipe: ${JSON.stringify(RECIPE)}
  nameSecret: "{attributes.server_key}"`;

function steps(yaml: string, answer: string | undefined): readonly BootstrapStep[] {
  return bootstrapSteps(profileOf(yaml), DEVICE, answer === undefined ? {} : { found: discovered(answer) });
}

test("the bootstrap account is written over in place, complete and last before Finish", () => {
  const sent = steps(`${server(WITH_RECIPE)}\nobjects: { /33000/0: { 0: 1 } }`, "</>;lwm2m=1.1,</0/7>");
  assert.deepEqual(sent.map(nameOf), [
    ...["delete /0", "delete /1", "write /0/0", "write /1/0", "write /33000/0"],
    ...[`write /${BERTH_OBJECT}/0`, "write /0/7", "finish"],
  ]);
  const [, , , berth, account] = writtenBy(sent);
  assert.deepEqual(account, {
    ...toInstance("/0/7", {
      0: ["string", "coaps://bs{token}.bs.example.com:5684"],
      1: ["boolean", true],
      2: ["integer", 0],
      3: ["opaque", Buffer.from("urn:dev:1").toString("hex")],
      4: ["opaque", ""],
      5: ["opaque", KEY],
      11: ["integer", 5],
      14: ["string", "sni.example.com"],
    }),
  });
  assert.deepEqual(
    berth,
    toInstance(`/${BERTH_OBJECT}/0`, {
      0: ["string", JSON.stringify(RECIPE)],
      1: ["objlnk", "0:7"],
      2: ["opaque", KEY],
    }),
  );
});

test("without a recipe the Berth object is not written, and without a name secret that is not", () => {
  assert.equal(
    steps(server(ACCOUNT), "</>;lwm2m=1.1,</0/7>").some((step) => nameOf(step).includes(`/${BERTH_OBJECT}`)),
    false,
  );
  const [, , berth] = writtenBy(steps(server(WITH_RECIPE.replace(/\n\s*nameSecret.*/, "")), "</>;lwm2m=1.1,</0/7>"));
  assert.deepEqual([...(berth?.resources.keys() ?? [])], [0, 1]);
});

test("a profile that leaves the bootstrap account alone never writes it", () => {
  for (const id of [0, 1, 10]) {
    assert.ok(!steps(server(), `</>;lwm2m=1.1,</0/${id}>`).some((step) => nameOf(step) === `write /0/${id}`));
  }
});

test("where the account cannot be known, nothing is begun", () => {
  for (const [answer, expected] of [
    [undefined, /this client does not say what it has \(Bootstrap-Discover\)/],
    ["</>;lwm2m=1.1,</0>,</1>", /this client shows no bootstrap account/],
    ["</>;lwm2m=1.1,</0/0>;ssid=3", /shows no bootstrap account/],
    ['lwm2m="1.0",</0/0>,</0/1>', /shows 2 instances of \/0 without a short server id/],
  ] as const) {
    assert.throws(() => steps(server(ACCOUNT), answer), { code: "profile-mismatch", message: expected }, String(answer));
  }
});

test("an instance in the profile says where the account is when the client does not", () => {
  const yaml = server(`${ACCOUNT}\n  instance: 1`);
  const at = (answer: string | undefined, text = yaml): string | undefined => steps(text, answer).map(nameOf).at(-2);
  assert.equal(at(undefined), "write /0/1");
  assert.equal(at("</>;lwm2m=1.1,</0>,</1>"), "write /0/1");
  assert.equal(at('lwm2m="1.0",</0/0>,</0/1>'), "write /0/1");
  assert.equal(at("</>;lwm2m=1.1,</0/4>"), "write /0/4");
  assert.throws(() => at('lwm2m="1.0",</0/0>,</0/2>'), { code: "profile-mismatch" });
  assert.equal(at(undefined, `discover: false\n${yaml}`), "write /0/1");
  assert.throws(
    () => profileOf(`discover: false\n${server(ACCOUNT)}`),
    /bootstrapServer: needs an instance where discover is false/,
  );
});

test("the account is written over, not deleted first: what was there stays usable until then", () => {
  const yaml = `delete: [/0/1, /0/2, /1]\n${server(`${ACCOUNT}\n  instance: 1`)}`;
  for (const answer of [undefined, "</>;lwm2m=1.1,</0>,</1>", "</>;lwm2m=1.1,</0/1>", 'lwm2m="1.0",</0/0>,</0/1>']) {
    const sent = steps(yaml, answer).map(nameOf);
    assert.deepEqual([sent.slice(0, 2), sent.at(-2)], [["delete /0/2", "delete /1"], "write /0/1"], String(answer));
  }
});

test("in a static URI the placeholders of names stay for the device, attributes are filled in", () => {
  const uriOf = (uri: string, more = ""): string | undefined => {
    const yaml = server(`${ACCOUNT.replace("coaps://bs{token}.bs.example.com:5684", uri)}${more}`);
    const account = writtenBy(steps(yaml, "</>;lwm2m=1.1,</0/7>")).at(-1);
    return account && resourceValue(account, 0, "string");
  };
  assert.equal(
    uriOf('"coaps://{token}.{attributes.zone}.example.com:1/{endpoint}"'),
    "coaps://{token}.eu.example.com:1/{endpoint}",
  );
  assert.equal(
    uriOf('"coaps://a.example.com:1/{endpoint}"', `\n  recipe: ${JSON.stringify(RECIPE)}`),
    "coaps://a.example.com:1/{endpoint}",
  );
  assert.equal(uriOf('"coaps://a.example.com:1/{endpoint}"'), "coaps://a.example.com:1/urn:dev:1");
  assert.throws(
    () => uriOf('"coaps://{name}.example.com:1"'),
    /bootstrapServer: \/0\/x\/0 LWM2M Server URI: unknown placeholder \{name\}/,
  );
  assert.throws(() => uriOf(`coaps://${"a".repeat(250)}:5684`), /bootstrapServer: \/0\/x\/0 .*263 characters; 255/);
});

test("mistakes in bootstrapServer are named", () => {
  for (const [yaml, expected] of [
    [`${ACCOUNT}\n  nameSecret: "00"`, /bootstrapServer\.nameSecret: belongs to a recipe/],
    [
      WITH_RECIPE.replace('nameSecret: "{attributes.server_key}"', "nameSecret: no-hex"),
      /bootstrapServer: \/27378\/0\/2 Name Secret: must be hex/,
    ],
    [ACCOUNT.replace("11: 5", "1: false"), /bootstrapServer: \/0\/x\/1 is set twice/],
    [ACCOUNT.replace("11: 5", "3: '00'"), /bootstrapServer: \/0\/x\/3 is set twice/],
    [ACCOUNT.replace("mode: psk, identity", "mode: fresh-psk, identity"), /bootstrapServer\.security/],
    [`${ACCOUNT}\nobjects: { /0/3: { 0: "coap://a:1", 1: true, 2: 3 } }`, /is a second bootstrap account/],
    [
      `objects: { /0: { 3: { 0: "coap://a:1", 1: true, 2: 3 } } }`,
      /objects: \/0\/3 is the bootstrap account, which is written by itself/,
    ],
  ] as const) {
    assert.throws(() => profileOf(server(yaml)), { code: "invalid-input", message: expected }, `${yaml}: ${String(expected)}`);
  }
});

test("a bootstrap account asks for no fresh keys, and a compiled profile says whether it discovers", () => {
  const compiled = compileProfile(profileOf(server(ACCOUNT)));
  assert.deepEqual([compiled.discovers, compiled.freshKeys], [true, []]);
  assert.equal(compileProfile(profileOf(`discover: false\n${server()}`)).discovers, false);
});
