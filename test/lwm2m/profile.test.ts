import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import {
  type BootstrapStep,
  ContentFormat,
  compileProfile,
  decodeContent,
  encodeContent,
  type ObjectInstance,
  parsePath,
  parseProfile,
  profileWarnings,
  resourceValue,
} from "../../src/lwm2m/index.ts";
import { bootstrapSteps, toInstance } from "./support.ts";

const KEY = "00112233445566778899aabbccddeeff";
const DEVICE = { endpoint: "urn:dev:1", attributes: { server_key: KEY, zone: "eu", lifetime: "600" } };

function profileOf(yaml: string): ReturnType<typeof parseProfile> {
  return parseProfile(parse(yaml), "profile.yaml");
}

function written(step: BootstrapStep): readonly ObjectInstance[] {
  return step.kind === "write" ? decodeContent(step.contentFormat, parsePath(step.path), step.payload) : [];
}

/** One PSK server, with `more` lines in it. */
const server = (more = "", security = `{ mode: psk, identity: "{endpoint}", key: "{attributes.server_key}" }`): string => `
servers:
  - uri: coaps://lwm2m.example.com:5684
    shortServerId: 101
    security: ${security}
${more}`;

test("the example: deletes, security before server, finish; values filled in from the device", () => {
  const profile = parseProfile(parse(readFileSync("examples/profile.yaml", "utf8")));
  assert.deepEqual(profileWarnings(profile), []);
  const steps = bootstrapSteps(profile, DEVICE);
  assert.deepEqual(
    steps.map((step) => `${step.kind} ${"path" in step ? step.path : ""}`),
    ["delete /0", "delete /1", "write /0/10", "write /1/10", "finish "],
  );
  assert.deepEqual(steps.flatMap(written), [
    toInstance("/0/10", {
      0: ["string", "coaps://lwm2m.example.com:5684"],
      1: ["boolean", false],
      2: ["integer", 0],
      3: ["opaque", Buffer.from("urn:dev:1").toString("hex")],
      4: ["opaque", ""],
      5: ["opaque", KEY],
      10: ["integer", 101],
    }),
    toInstance("/1/10", { 0: ["integer", 101], 1: ["integer", 86_400], 6: ["boolean", true], 7: ["string", "U"] }),
  ]);
});

test("a profile written as JSON and read again is the same", () => {
  const profile = profileOf(`${server("    lifetime: 2h\n    serverResources: { 16: true }")}
objects: { /2/0: { 0: 5, 1: 0, 2: { 101: 15 }, 3: 101 } }
contentFormat: senml-json
delete: []`);
  assert.deepEqual(parseProfile(JSON.parse(JSON.stringify(profile))), profile);
  assert.equal(profile.servers[0]?.lifetime, 7200);
});

test("objects are written in the order /0, /1, /2, others, whatever order they stand in", () => {
  const profile = profileOf(`${server()}
  - { uri: "coap://b.example.com:5683", shortServerId: 102, security: { mode: nosec } }
  - { uri: "coap://c.example.com:5683", shortServerId: 103, instance: 11, security: { mode: nosec } }
objects:
  /9999/1: { 0: 1 }
  /2/5: { 0: 5, 1: 0, 3: 101 }
  /21/0: { 0: { hex: "0a" }, 1: { hex: "" }, 2: { hex: "" } }`);
  const paths = bootstrapSteps(profile, DEVICE).flatMap((step) => (step.kind === "write" ? [step.path] : []));
  assert.deepEqual(paths, ["/0/10", "/0/11", "/0/12", "/1/10", "/1/11", "/1/12", "/2/5", "/21/0", "/9999/1"]);
});

test("the format is the profile's, else the client's, else TLV; a client's format that cannot be written is passed over", () => {
  const formats = (yaml: string, pct?: number): number[] => {
    const steps = compileProfile(profileOf(yaml)).steps(DEVICE, pct);
    return [...new Set(steps.flatMap((step) => (step.kind === "write" ? [step.contentFormat] : [])))];
  };
  assert.deepEqual(formats(server()), [ContentFormat.tlv]);
  assert.deepEqual(formats(server(), 112), [ContentFormat.senmlCbor]);
  assert.deepEqual(formats(server(), 110), [ContentFormat.senmlJson]);
  assert.deepEqual(formats(server(), 50), [ContentFormat.tlv]);
  assert.deepEqual(formats(`${server()}\ncontentFormat: tlv`, 112), [ContentFormat.tlv]);
});

test("every format writes the same instances", () => {
  const compiled = compileProfile(profileOf(`${server()}\nobjects: { /2/0: { 0: 5, 1: 0, 2: { 101: 15, 0: 1 }, 3: 101 } }`));
  const [tlv, json, cbor] = [undefined, 110, 112].map((pct) => compiled.steps(DEVICE, pct).flatMap(written));
  assert.deepEqual(json, tlv);
  assert.deepEqual(cbor, tlv);
});

test("a write can be repeated in another format, with nothing lost of its types", () => {
  const compiled = compileProfile(
    profileOf(`${server()}\ncontentFormat: senml-json\nobjects: { /33000/0: { 0: { float: 21 } } }`),
  );
  const [, , security, , other] = compiled.steps(DEVICE);
  assert.ok(security?.kind === "write" && other?.kind === "write");
  assert.deepEqual([security.instance], written(security));
  const tlv = encodeContent(ContentFormat.tlv, parsePath(other.path), [other.instance]);
  assert.equal(Buffer.from(tlv).toString("hex"), "c40041a80000");
});

test("a compiled profile gives each device its own, in any order of formats", () => {
  const compiled = compileProfile(profileOf(server()));
  for (const [endpoint, key] of [
    ["a", "0101"],
    ["b", "0202"],
  ] as const) {
    for (const pct of [112, 11542, 112]) {
      const [security] = compiled.steps({ endpoint, attributes: { server_key: key } }, pct).flatMap(written);
      assert.ok(security);
      assert.deepEqual(resourceValue(security, 3, "opaque"), new Uint8Array(Buffer.from(endpoint)));
      assert.deepEqual(resourceValue(security, 5, "opaque"), new Uint8Array(Buffer.from(key, "hex")));
    }
  }
});

test("values of every type, plain, in a notation and from attributes", () => {
  const profile = profileOf(`
delete: []
servers:
  - uri: "coaps://{attributes.zone}.example.com:5684"
    shortServerId: 101
    lifetime: 3600
    security: { mode: psk, identity: "x", key: "${KEY}" }
    securityResources: { 13: 3, 14: "{endpoint}.{attributes.zone}", 16: { 0: 49320, 1: 49316 }, 17: "21:0" }
    serverResources: { 2: "{attributes.lifetime}", 16: "true", 10: { objlnk: "11:0" } }
objects:
  /21/0: { 0: { base64: "AAECAw==" }, 1: { text: "{endpoint}" }, 2: { hex: "" }, 3: 10 }
  /9999/0: { 0: -5, 1: 0.5, 2: true, 3: "text", 4: { time: 1367491215 }, 5: { unsigned: "18446744073709551615" }, 6: { float: 2 }, 7: { 3: { text: "a" } } }`);
  const values = new Map<string, unknown>();
  for (const instance of bootstrapSteps(profile, DEVICE, 110).flatMap(written)) {
    for (const resource of instance.resources.values()) {
      const at = `/${instance.objectId}/${instance.id}/${resource.id}`;
      values.set(
        at,
        resource.kind === "single" ? resource.value.value : [...resource.instances].map(([id, { value }]) => [id, value]),
      );
    }
  }
  const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
  for (const [path, expected] of [
    ["/0/10/0", "coaps://eu.example.com:5684"],
    ["/0/10/13", 3],
    ["/0/10/14", "urn:dev:1.eu"],
    ["/0/10/16", [[0, 49320], [1, 49316]]], // biome-ignore format: pairs read best in one line
    ["/0/10/17", { objectId: 21, instanceId: 0 }],
    ["/1/10/1", 3600],
    ["/1/10/2", 600],
    ["/1/10/16", true],
    ["/1/10/10", { objectId: 11, instanceId: 0 }],
    ["/21/0/0", Uint8Array.of(0, 1, 2, 3)],
    ["/21/0/1", bytes("urn:dev:1")],
    ["/21/0/3", 10],
    ["/9999/0/0", -5],
    ["/9999/0/1", 0.5],
    ["/9999/0/2", true],
    ["/9999/0/3", "text"],
    ["/9999/0/4", 1_367_491_215],
    ["/9999/0/5", 2n ** 64n - 1n],
    ["/9999/0/6", 2],
    ["/9999/0/7", [[3, bytes("a")]]],
  ] as const) {
    assert.deepEqual(values.get(path), expected, path);
  }
});

test("a device without what the profile needs is refused, and no value shows", () => {
  const compiled = compileProfile(profileOf(server()));
  const refused = (attributes: Record<string, string>): string => {
    try {
      compiled.steps({ endpoint: "x", attributes });
    } catch (error) {
      assert.equal((error as { code?: string }).code, "profile-mismatch");
      return (error as Error).message;
    }
    return assert.fail("not refused");
  };
  assert.equal(refused({}), '/0/10/5 Secret Key: needs the attribute "server_key", which this device has not');
  assert.match(refused({ server_key: "" }), /needs the attribute/);
  assert.match(
    refused({ server_key: "12345z" }),
    /^\/0\/10\/5 Secret Key: the attributes of this device do not fit: must be hex: only the hex digits/,
  );
  assert.match(refused({ server_key: "123" }), /even number of digits/);
  assert.throws(
    () => compileProfile(profileOf(server("", `{ mode: psk, identity: "{attributes.toString}", key: "${KEY}" }`))).steps(DEVICE),
    {
      code: "profile-mismatch",
    },
  );
  assert.throws(
    () => compileProfile(profileOf(server('    serverResources: { 2: "{attributes.zone}" }'))).steps(DEVICE),
    /whole number/,
  );
});

test("mistakes are named by their path", () => {
  const account = "0: coap://a:1, 1: false, 2: 3";
  const one = "{ 0: 101, 1: 60, 6: true, 7: U }";
  for (const [yaml, expected] of [
    ["servers: 5", /^profile\.yaml: servers: .*expected array/],
    [server("    lifetim: 5"), /servers\[0\]: unknown key "lifetim", did you mean "lifetime"\?/],
    [server("    lifetime: soon"), /servers\[0\]\.lifetime: .*is not a duration/],
    [server("", "{ mode: none }"), /servers\[0\]\.security/],
    [server("", `{ mode: psk, identity: x, key: "0xyz" }`), /servers\[0\]: \/0\/10\/5 Secret Key: must be hex/],
    [
      server("", `{ mode: psk, identity: "{name}", key: "${KEY}" }`),
      /\/0\/10\/3 Public Key or Identity: unknown placeholder \{name\}; there are/,
    ],
    [server("", `{ mode: psk, identity: x, key: 11223344 }`), /security\.key: .*expected string/],
    [server("    securityResources: { 5: '00' }"), /servers\[0\]: \/0\/10\/5 is set twice/],
    [server("    instance: 70000"), /servers\[0\]\.instance/],
    [server("    serverResources: { 8: 1 }"), /\/1\/10\/8 Registration Update Trigger: can only be executed/],
    [server("    serverResources: { 2: { 0: 1 } }"), /\/1\/10\/2 Default Minimum Period: has one value only/],
    [server("    serverResources: { 2: { hex: '00' } }"), /is of type integer, not opaque/],
    [server("    serverResources: { 2: { seconds: 5 } }"), /expected \{ TYPE: value \} with one of/],
    [server("    serverResources: { 2: [1] }"), /servers\[0\]\.serverResources\.2: expected a value/],
    [server("    serverResources: { 2: 1.5 }"), /must be a whole number/],
    [server("    serverResources: { 13: -1 }"), /not negative/],
    [server("    serverResources: { 15: 1 }"), /must be true or false/],
    [server("    serverResources: { 22: 1 }"), /must be a text/],
    [server("    serverResources: { 10: '11' }"), /must be an object link/],
    [server("    securityResources: { 13: 4 }"), /is 4; 0 to 3 are allowed/],
    [server("    securityResources: { 16: 49320 }"), /has several values/],
    [`${server()}\ndelete: [/0/0/1]`, /delete: \/0\/0\/1 is a resource/],
    [`${server()}\ndelete: ["0"]`, /delete: "0" is not an LwM2M path: it must start/],
    [`${server()}\nobjects: { /2: {} }`, /expected the path of an object instance, such as \/2\/0/],
    [`${server()}\nobjects: { /2/65535: { 0: 1, 1: 0, 3: 1 } }`, /objects: \/2\/65535 is no object instance/],
    [`${server()}\nobjects: { /2/0: { a: 1 } }`, /a resource id is a number/],
    [`${server()}\nobjects: { /2/0: { 0: 1, 3: 1 } }`, /objects: \/2\/0\/1 Object Instance ID is missing/],
    [`${server("    instance: 5")}\nobjects: { /1/5: ${one} }`, /objects: \/1\/5 is written twice/],
    ["{}", /no server is written after all were deleted/],
    [`objects: { /1/5: ${one} }`, /\/1\/5 has the short server id 101, which no server account in \/0 has/],
    [`objects: { /1/5: ${one}, /0/5: { ${account} } }`, /\/0\/5\/10 Short Server ID is missing/],
    [`objects: { /1/5: ${one}, /0/5: { 0: coap://a:1, 1: true, 2: 3, 10: 101 } }`, /which no server account in \/0 has/],
    [`objects: { /1/5: ${one}, /1/6: ${one}, /0/5: { ${account}, 10: 101 } }`, /\/1\/6 has the short server id 101 of \/1\/5/],
    [
      `objects: { /1/5: ${one}, /0/5: { ${account}, 10: 101 }, /0/6: { ${account}, 10: 101 } }`,
      /\/0\/6 has the short server id 101 of \/0\/5/,
    ],
    [
      `objects: { /1/5: ${one}, /0/5: { ${account}, 10: 101, 3: "aa" } }`,
      /\/0\/5\/3 Public Key or Identity must be empty in mode NoSec/,
    ],
    [`objects: { /1/5: ${one}, /0/5: { 0: "", 1: false, 2: 3, 10: 101 } }`, /\/0\/5\/0 LWM2M Server URI is empty/],
    [`objects: { /1/5: ${one}, /0/5: { 0: coaps://a:1, 1: false, 10: 101 } }`, /\/0\/5\/2 Security Mode is missing/],
    [
      `objects: { /1/5: ${one}, /0/5: { 0: coaps://a:1, 1: false, 2: 0, 3: "aa", 5: "", 10: 101 } }`,
      /\/0\/5\/5 Secret Key is empty/,
    ],
    [`objects: { /1/5: ${one}, /0/5: { 0: coaps://a:1, 1: false, 2: 0, 3: "ff", 5: "aa", 10: 101 } }`, /is not UTF-8 text/],
    [
      `objects: { /1/5: ${one}, /0/5: { 0: coaps://a:1, 1: false, 2: 2, 3: "aa", 4: "bb", 5: "cc", 10: 101 } }`,
      /\/0\/5\/3 .* is not an X.509 certificate in DER/,
    ],
    [
      `objects: { /1/5: ${one}, /0/5: { 0: coaps://a:1, 1: false, 2: 1, 3: "aa", 4: "bb", 5: "cc", 10: 101 } }`,
      /\/0\/5\/5 .* is not a PKCS #8 private key in DER/,
    ],
    [`objects: { /1/5: ${one}, /0/5: { 0: coaps://a:1, 1: false, 2: 4, 10: 101 } }`, /EST, which is not supported/],
    [
      `objects: { /1/5: ${one}, /0/5: { ${account}, 10: 101, 17: "21:3" } }`,
      /\/0\/5\/17 links to \/21\/3, which is not written here/,
    ],
    [
      `${server()}\nobjects: { /0/0: { 0: coap://a:1, 1: true, 2: 3 }, /0/1: { 0: coap://a:1, 1: true, 2: 3 } }`,
      /\/0\/1 is a second bootstrap account/,
    ],
  ] as const) {
    assert.throws(
      () => profileOf(yaml),
      (error: Error & { code?: string }) => error.code === "invalid-input" && expected.test(error.message),
      `${yaml}: ${String(expected)}`,
    );
  }
});

test("no error of a profile repeats a key", () => {
  const secret = "5ec2e7";
  for (const yaml of [
    server("", `{ mode: psk, identity: x, key: "${secret}z" }`),
    server("", `{ mode: psk, identity: x, key: ["${secret}"] }`),
    server("", `{ mode: psk, identity: x, key: "{${secret}}" }`).replace(`{${secret}}`, `${secret}{attributes}`),
    `objects: { /0/5: { 0: coaps://a:1, 1: false, 2: 0, 3: "aa", 5: "${secret}0", 10: 101 } }`,
  ]) {
    assert.throws(
      () => profileOf(yaml),
      (error: Error) => !error.message.includes(secret),
      yaml,
    );
  }
});

test("what troubles some clients is allowed with a warning", () => {
  const warns = (yaml: string, expected: RegExp): void => {
    const warnings = profileWarnings(profileOf(yaml));
    assert.ok(
      warnings.some((warning) => expected.test(warning)),
      `${yaml}: ${JSON.stringify(warnings)}`,
    );
  };
  const uri = (text: string): string => server().replace("coaps://lwm2m.example.com:5684", text);
  const psk = (identity: string, key: string): string => server("", `{ mode: psk, identity: ${identity}, key: "${key}" }`);
  warns(uri("coaps://lwm2m.example.com"), /\/0\/10\/0 .* has no port/);
  warns(uri("coaps://lwm2m.example.com:5684/"), /has a path/);
  warns(uri("coap://lwm2m.example.com:5683"), /does not go with a security mode with keys/);
  warns(uri("http://lwm2m.example.com:80"), /is not a CoAP URI/);
  warns(psk("x".repeat(33), KEY), /identity of 33 bytes; tinydtls/);
  warns(psk("x", `${KEY}00`), /key of 17 bytes; tinydtls/);
  warns(psk("x", "0011"), /recommends 16/);
  warns(server("    instance: 0"), /\/0\/0 is where Wakaama/);
  warns(server("    instance: 1"), /\/0\/1 is where Anjay/);
  warns(server("    serverResources: { 99: 1 }"), /\/1\/10\/99 is no resource/);
  warns(`${server()}\ncontentFormat: senml-cbor`, /refused by Wakaama/);
  warns(`${server()}\nobjects: { /0/0: { 0: "coap://a:1", 1: true, 2: 3 } }`, /\/0\/0 is a bootstrap account/);
  warns(
    `${server()}\nobjects: { /0/20: { 0: "coap://a:1", 1: false, 2: 3, 10: 7 } }`,
    /for short server id 7, which no instance of \/1/,
  );
  assert.deepEqual(profileWarnings(profileOf(uri("coaps://[2001:db8::1]:5684"))), []);
  assert.deepEqual(profileWarnings(profileOf(psk("x".repeat(32), KEY))), []);
});
