import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { ContentFormat, compileProfile, parseProfile, profileWarnings, resourceValue } from "../../src/lwm2m/index.ts";
import { bootstrapSteps, DEVICE, KEY, nameOf, profileOf, server, toInstance, writtenBy } from "./support.ts";

test("the example: deletes, security before server, finish; values filled in from the device", () => {
  const profile = parseProfile(parse(readFileSync("examples/profile.yaml", "utf8")));
  assert.deepEqual(profileWarnings(profile), []);
  const steps = bootstrapSteps(profile, DEVICE);
  assert.deepEqual(steps.map(nameOf), ["delete /0", "delete /1", "write /0/10", "write /1/10", "finish"]);
  assert.deepEqual(writtenBy(steps), [
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

test("formats to try: the profile's, the client's, then what most clients read; none twice, none that cannot be written", () => {
  const formats = (yaml: string, pct?: number): readonly number[] => compileProfile(profileOf(yaml)).formats(pct);
  const { tlv, senmlCbor, senmlJson, lwm2mCbor } = ContentFormat;
  assert.deepEqual(formats(server()), [tlv, senmlCbor, senmlJson, lwm2mCbor]);
  assert.deepEqual(formats(server(), 112), [senmlCbor, tlv, senmlJson, lwm2mCbor]);
  assert.deepEqual(formats(server(), 11544), [lwm2mCbor, tlv, senmlCbor, senmlJson]);
  for (const unwritable of [50, 11543, 0, 42, 60]) assert.equal(formats(server(), unwritable)[0], tlv, String(unwritable));
  assert.deepEqual(formats(`${server()}\ncontentFormat: lwm2m-cbor`, 110), [lwm2mCbor, senmlJson, tlv, senmlCbor]);
  assert.deepEqual(formats(`${server()}\ncontentFormat: tlv`, 11542), [tlv, senmlCbor, senmlJson, lwm2mCbor]);
});

test("every format writes the same instances", () => {
  const profile = profileOf(`${server()}\nobjects: { /2/0: { 0: 5, 1: 0, 2: { 101: 15, 0: 1 }, 3: 101 } }`);
  const steps = bootstrapSteps(profile, DEVICE);
  for (const format of compileProfile(profile).formats())
    assert.deepEqual(writtenBy(steps, format), writtenBy(steps), String(format));
});

test("a payload asked for again is the same; one that does not depend on the device is the same for all", () => {
  const compiled = compileProfile(profileOf(server()));
  const [a, b] = ["a", "b"].map((endpoint) => compiled.plan({ ...DEVICE, endpoint }, {}).steps);
  const payload = (steps: typeof a, index: number, format: number): Uint8Array | undefined => {
    const step = steps?.[index];
    return step?.kind === "write" ? step.payload(format) : undefined;
  };
  for (const format of [112, 11542, 112]) {
    assert.notDeepEqual(payload(a, 2, format), payload(b, 2, format));
    assert.equal(payload(a, 2, format), payload(a, 2, format));
    assert.ok(payload(a, 3, format));
    assert.equal(payload(a, 3, format), payload(b, 3, format));
  }
});

test("a compiled profile gives each device its own, in any order of formats", () => {
  const compiled = compileProfile(profileOf(server()));
  for (const [endpoint, key] of [
    ["a", "0101"],
    ["b", "0202"],
  ] as const) {
    const { steps } = compiled.plan({ endpoint, attributes: { server_key: key } }, {});
    for (const format of [112, 11542, 112]) {
      const [security] = writtenBy(steps, format);
      assert.ok(security);
      assert.deepEqual(resourceValue(security, 3, "opaque"), new Uint8Array(Buffer.from(endpoint)));
      assert.deepEqual(resourceValue(security, 5, "opaque"), new Uint8Array(Buffer.from(key, "hex")));
    }
  }
});

test("a write keeps the types of its values in every format", () => {
  const [, , , , other] = bootstrapSteps(profileOf(`${server()}\nobjects: { /33000/0: { 0: { float: 21 } } }`), DEVICE);
  assert.ok(other?.kind === "write");
  assert.equal(Buffer.from(other.payload(ContentFormat.tlv)).toString("hex"), "c40041a80000");
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
  for (const instance of writtenBy(bootstrapSteps(profile, DEVICE), 110)) {
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
      compiled.plan({ endpoint: "x", attributes }, {});
    } catch (error) {
      assert.equal((error as { code?: string }).code, "profile-mismatch");
      return (error as Error).message;
    }
    return assert.fail("not refused");
  };
  assert.equal(refused({}), 'servers[0]: /0/x/5 Secret Key: needs the attribute "server_key", which this device has not');
  assert.match(refused({ server_key: "" }), /needs the attribute/);
  assert.match(
    refused({ server_key: "12345z" }),
    /^servers\[0\]: \/0\/x\/5 Secret Key: the attributes of this device do not fit: must be hex: only the hex digits/,
  );
  assert.match(refused({ server_key: "123" }), /even number of digits/);
  assert.throws(
    () => bootstrapSteps(profileOf(server("", `{ mode: psk, identity: "{attributes.toString}", key: "${KEY}" }`)), DEVICE),
    {
      code: "profile-mismatch",
    },
  );
  assert.throws(
    () => bootstrapSteps(profileOf(server('    serverResources: { 2: "{attributes.zone}" }')), DEVICE),
    /whole number/,
  );
});
