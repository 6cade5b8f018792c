import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  type BootstrapProfile,
  type ObjectInstance,
  parseLeshanConfig,
  parseProfile,
  profileWarnings,
} from "../../src/lwm2m/index.ts";
import { bootstrapSteps, discovered, nameOf, toInstance, type VectorResources, type VectorValue, writtenBy } from "./support.ts";

/** A store of Leshan's, of two devices with three servers each (X.509, PSK, RPK) and a bootstrap account. */
const STORE = JSON.parse(readFileSync("examples/fleet.leshan.json", "utf8")) as Readonly<Record<string, Config>>;

interface Config {
  readonly security: Readonly<Record<string, Fields>>;
  readonly servers: Readonly<Record<string, Fields>>;
  readonly acls: Readonly<Record<string, Fields>>;
}
type Fields = Readonly<Record<string, unknown>>;

type Table = Readonly<Record<string, readonly [number, VectorValue[0]]>>;

/** Which resource each field becomes, as Leshan's `BootstrapUtil` has it. */
const SECURITY: Table = {
  ...{ uri: [0, "string"], bootstrapServer: [1, "boolean"], securityMode: [2, "integer"] },
  ...{ publicKeyOrId: [3, "opaque"], serverPublicKey: [4, "opaque"], secretKey: [5, "opaque"], smsSecurityMode: [6, "integer"] },
  ...{ smsBindingKeyParam: [7, "opaque"], smsBindingKeySecret: [8, "opaque"], serverSmsNumber: [9, "string"] },
  ...{ serverId: [10, "integer"], clientOldOffTime: [11, "integer"], bootstrapServerAccountTimeout: [12, "integer"] },
  ...{ certificateUsage: [15, "unsigned"], cipherSuite: [16, "unsigned"] },
};
const SERVER: Table = {
  ...{ shortId: [0, "integer"], lifetime: [1, "integer"], defaultMinPeriod: [2, "integer"], notifIfDisabled: [6, "boolean"] },
  ...{ binding: [7, "string"], bootstrapOnRegistrationFailure: [16, "boolean"] },
  ...{ communicationRetryCount: [17, "unsigned"], CommunicationRetryTimer: [18, "unsigned"] },
};
const ACL: Table = {
  objectId: [0, "integer"],
  objectInstanceId: [1, "integer"],
  acls: [2, "integer"],
  AccessControlOwner: [3, "integer"],
};
const NAMES: Readonly<Record<string, number>> = { PSK: 0, RPK: 1, X509: 2, NO_SEC: 3, DOMAIN_ISSUER_CERTIFICATE: 3 };

function asLeshan(path: string, fields: Fields, table: Table): ObjectInstance {
  const resources: Record<string, VectorResources[string]> = {};
  for (const [name, value] of Object.entries(fields)) {
    const [id, type] = table[name] ?? assert.fail(name);
    const plain = name === "binding" || name === "uri" || name === "serverSmsNumber" ? value : (NAMES[String(value)] ?? value);
    if (type === "opaque") resources[id] = [type, Buffer.from((value as number[]).map((byte) => byte & 0xff)).toString("hex")];
    else if (name === "cipherSuite") resources[id] = { 0: [type, 49320] };
    else if (name === "acls")
      resources[id] = Object.fromEntries(Object.entries(value as Fields).map(([at, one]) => [at, [type, one as number]]));
    else resources[id] = [type, plain as number];
  }
  return toInstance(path, resources);
}

function profileOf(endpoint: string): BootstrapProfile {
  const read = parseLeshanConfig(STORE, "fleet.leshan.json");
  return (read.kind === "by-endpoint" ? read.profiles.get(endpoint) : undefined) ?? assert.fail(endpoint);
}

function byPath(instances: readonly ObjectInstance[]): Map<string, ObjectInstance> {
  return new Map(instances.map((instance) => [`/${instance.objectId}/${instance.id}`, instance]));
}

/** What Leshan would write, with the instances of /0 and /1 at these ids. */
function expected(endpoint: string, security: readonly number[], servers: readonly number[]): Map<string, ObjectInstance> {
  const config = STORE[endpoint] ?? assert.fail(endpoint);
  return byPath([
    ...Object.values(config.security).map((fields, index) => asLeshan(`/0/${security[index]}`, fields, SECURITY)),
    ...Object.values(config.servers).map((fields, index) => asLeshan(`/1/${servers[index]}`, fields, SERVER)),
    ...Object.entries(config.acls).map(([id, fields]) => asLeshan(`/2/${id}`, fields, ACL)),
  ]);
}

const wakaama = discovered("</>;lwm2m=1.1,</0/0>,</1>;ver=1.1,</1/0>;ssid=1,</2>,</3/0>");
const anjay = discovered('</>;lwm2m=1.2,</0>,</0/1>;uri="coap://bs.example.com:5683",</1>,</3/0>');

test("an exported configuration ends in the same resources in the same instances", () => {
  const profile = profileOf("urn:dev:os:4712");
  const steps = bootstrapSteps(profile, { endpoint: "urn:dev:os:4712", attributes: {} }, { found: wakaama });
  assert.deepEqual(steps.map(nameOf), [
    ...["delete /0", "delete /1", "write /0/1", "write /0/2", "write /0/3", "write /1/0", "write /1/1", "write /1/2"],
    ...["write /2/0", "write /0/0", "finish"],
  ]);
  assert.deepEqual(byPath(writtenBy(steps)), expected("urn:dev:os:4712", [0, 1, 2, 3], [0, 1, 2]));
});

test("an exported configuration never costs a client its bootstrap account, whatever ids it names", () => {
  const profile = profileOf("urn:dev:os:4712");
  const steps = bootstrapSteps(profile, { endpoint: "urn:dev:os:4712", attributes: {} }, { found: anjay });
  assert.deepEqual(byPath(writtenBy(steps)), expected("urn:dev:os:4712", [1, 4, 2, 3], [0, 1, 2]));
});

test("an exported configuration with automatic ids ends in the same resources, and the account where the client has it", () => {
  const profile = profileOf("urn:dev:os:4713");
  const steps = bootstrapSteps(profile, { endpoint: "urn:dev:os:4713", attributes: {} }, { found: anjay });
  assert.deepEqual(byPath(writtenBy(steps)), expected("urn:dev:os:4713", [1, 0, 2, 3], [0, 2, 3]));
});

test("an exported configuration is stored and read again as it is, and only Wakaama's key length is warned of", () => {
  for (const endpoint of Object.keys(STORE)) {
    const profile = profileOf(endpoint);
    assert.deepEqual(parseProfile(JSON.parse(JSON.stringify(profile))), profile);
    const warnings = profileWarnings(profile).filter((warning) => !warning.includes("keep the bootstrap account"));
    assert.deepEqual(warnings, []);
  }
});
