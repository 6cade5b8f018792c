import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { berth, type Ended } from "../support/program.ts";

/* Profiles are checked before anybody is asked to use them. */

const folder = mkdtempSync(join(tmpdir(), "berth-profiles-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const check = (...args: readonly string[]): Promise<Ended> => berth(["profile", "check", ...args], { cwd: folder });

const SERVER = `servers:
  - uri: coaps://lwm2m.test:5684
    shortServerId: 101
    security: { mode: psk, identity: "{endpoint}", key: "00112233445566778899aabbccddeeff" }
`;

/** An object of OMA's registry with one resource, in so many words. */
const objectXml = (id: number, version: string, type: string): string => `<?xml version="1.0"?>
<LWM2M><Object ObjectType="MODefinition"><Name>Test</Name><ObjectID>${id}</ObjectID><ObjectURN>urn:oma:lwm2m:x:${id}</ObjectURN>
<LWM2MVersion>1.0</LWM2MVersion><ObjectVersion>${version}</ObjectVersion>
<MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory><Resources>
<Item ID="7"><Name>Value</Name><Operations>RW</Operations><MultipleInstances>Single</MultipleInstances>
<Mandatory>Optional</Mandatory><Type>${type}</Type><RangeEnumeration></RangeEnumeration><Units></Units><Description></Description></Item>
</Resources></Object></LWM2M>`;

test("what can be used is said to be, with what may trouble some clients; the exit code is 0", async () => {
  const good = file("good.yaml", SERVER);
  const warned = file("warned.yaml", SERVER.replace(":5684", ""));
  const { code, stdout, stderr } = await check(good, warned);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, `${good}: the profile can be used\n${warned}: the profile can be used\n`);
  assert.match(stderr, new RegExp(`^${warned}: warning: servers\\[0\\].*port[^\\n]*\\n$`));
});

test("all that is wrong is said, file by file, with the path of each problem; no key is repeated", async () => {
  const bad = file(
    "bad.yaml",
    `${SERVER.replace("{ mode: psk", "{ mode: psk, colour: red").replace("101", "70000")}objects: { /3303: 5 }\ndelet: []\n`,
  );
  const none = join(folder, "none.yaml");
  const { code, stdout, stderr } = await check(bad, none, file("good.yaml", SERVER));
  assert.equal(code, 1);
  assert.match(stdout, /good\.yaml: the profile can be used\n$/);
  const [first = "", second = ""] = stderr.split("\n");
  assert.ok(first.startsWith(`${bad}: `));
  for (const problem of [
    /servers\[0\]\.shortServerId: .*\(got 70000\)/,
    /servers\[0\]\.security: unknown key "colour"/,
    /objects\.\/3303: /,
    /unknown key "delet", did you mean "delete"\?/,
  ]) {
    assert.match(first, problem);
  }
  assert.equal(second, `${none}: there is no such file`);
  assert.ok(!stderr.includes("00112233"));
});

test("--json says the same for a script", async () => {
  const leshan = file(
    "leshan.json",
    JSON.stringify({
      "urn:a": { servers: { 0: server(101) }, security: { 0: account(101, false), 1: account(0, true) } },
      "urn:b": { servers: { 0: server(102) }, security: { 0: account(102, false), 1: account(0, true) } },
    }),
  );
  const { code, stdout } = await check(leshan, join(folder, "none.yaml"), "--json");
  assert.equal(code, 1);
  const [first, second] = JSON.parse(stdout) as { file: string; profiles: string[]; warnings: string[]; error?: string }[];
  assert.deepEqual([first?.file, first?.profiles, first?.error], [leshan, ["urn:a", "urn:b"], undefined]);
  assert.match(second?.error ?? "", /there is no such file/);
});

test("a recipe is checked where it stands, and against the URI beside it; a named one does", async () => {
  const withAccount = (uri: string, recipe: string): string =>
    `${SERVER}bootstrapServer:\n  uri: ${uri}\n  security: { mode: nosec }\n  recipe: ${recipe}\n`;
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ["coap://bs.test:5683", "{ version: 1 }", /: bootstrapServer\.recipe: function: /],
    [
      "coap://bs.test:5683",
      "berth-2",
      /: bootstrapServer\.recipe: there is no built-in recipe "berth-2"; did you mean "berth-1"\?/,
    ],
    ["bs.test", "berth-1", /: bootstrapServer\.uri: /],
    ["coap://bs{counter}.test:5683", "berth-1", /: bootstrapServer\.uri: .*counter/],
  ];
  const paths = cases.map(([uri, recipe], index) => file(`recipe-${index}.yaml`, withAccount(JSON.stringify(uri), recipe)));
  const { stderr } = await check(...paths);
  for (const [index, [, , says]] of cases.entries()) assert.match(stderr.split("\n")[index] ?? "", says);
  const good = ["coap://bs.test:5683", "coap://bs{token}.x.test:5683/{endpoint}", "coap://{attributes.host}:5683"];
  const named = await check(
    ...good.map((uri, index) => file(`named-${index}.yaml`, withAccount(JSON.stringify(uri), "berth-1"))),
  );
  assert.equal(named.code, 0, named.stderr);
});

test("a fresh key for a store that the configuration does not name is a warning", async () => {
  const fresh = SERVER.replace(/security: .*/, 'security: { mode: fresh-psk, identity: "{endpoint}", securityStore: fleet }');
  const path = file("fresh.yaml", fresh);
  const config = file(
    "stores.yaml",
    "uri: coaps://bs.fleet.test\nsecurityStores: { fleet: { url: https://lwm2m.test/api/security/clients } }\n",
  );
  const [without, with_] = await Promise.all([check(path), check(path, "--config", config)]);
  assert.match(without.stderr, /warning: servers\[0\]\.security\.securityStore: "fleet" is not among the securityStores here/);
  assert.doesNotMatch(with_.stderr, /securityStore/);
});

test("objects of a folder give their resources' types; of several versions the newest counts; built-in ones stay", async () => {
  const objects = join(folder, "objects");
  mkdirSync(objects);
  for (const [name, xml] of [
    ["33000-1_9.xml", objectXml(33000, "1.9", "Integer")],
    ["33000.XML", objectXml(33000, "1.10", "Float")],
    ["33000-1_0.xml", objectXml(33000, "1.0", "String")],
    ["1.xml", objectXml(1, "9.0", "String")],
    ["notes.txt", "not read"],
  ] as const) {
    writeFileSync(join(objects, name), xml);
  }
  const wrong = file("wrong.yaml", `${SERVER}objects: { /33000/0: { 7: warm } }\n`);
  const right = file("right.yaml", `${SERVER}objects: { /33000/0: { 7: 21 } }\n`);
  const outcome = await check(wrong, right, "--objects", objects);
  assert.equal(outcome.code, 1);
  assert.match(outcome.stderr, /wrong\.yaml: objects: \/33000\/0\/7 Value: must be a number/);
  assert.match(outcome.stdout, /right\.yaml: the profile can be used/);
  const config = file("objects.yaml", "uri: coaps://bs.fleet.test\nobjects: objects\n");
  assert.equal((await check(wrong, "--config", config)).code, 1, "the configuration names the folder too");
  assert.equal((await check(wrong)).code, 0, "without a definition a text is as good as a number");

  writeFileSync(join(objects, "again.xml"), objectXml(33000, "1.10", "Float"));
  const twice = await check(right, "--objects", objects);
  assert.equal(twice.code, 2);
  assert.match(
    twice.stderr,
    /^berth: .*again\.xml: object 33000, version 1\.10, is in .*33000\.XML already; remove one of them\n$/,
  );
});

function server(shortId: number): object {
  return { shortId, lifetime: 86_400, defaultMinPeriod: 1, notifIfDisabled: true, binding: "U" };
}

function account(serverId: number, bootstrapServer: boolean): object {
  return {
    uri: "coap://lwm2m.test:5683",
    bootstrapServer,
    securityMode: "NO_SEC",
    ...(bootstrapServer ? {} : { serverId }),
  };
}
