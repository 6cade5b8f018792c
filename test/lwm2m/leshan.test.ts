import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  type BootstrapProfile,
  isLeshanConfig,
  type ObjectInstance,
  parseLeshanConfig,
  parseProfile,
  profileWarnings,
  resourceValue,
} from "../../src/lwm2m/index.ts";
import { bootstrapSteps, discovered, nameOf, toInstance, writtenBy } from "./support.ts";

const DEVICE = { endpoint: "urn:dev:os:4711", attributes: {} };

function written(profile: BootstrapProfile): readonly ObjectInstance[] {
  return writtenBy(bootstrapSteps(profile, DEVICE));
}

function one(config: unknown): BootstrapProfile {
  const read = parseLeshanConfig(config, "leshan.json");
  return read.kind === "single" ? read.profile : assert.fail("not a single configuration");
}

const NOSEC = { uri: "coap://a:5683", securityMode: "NO_SEC", serverId: 1 };
const CONFIG = { toDelete: ["/0", "/1"], servers: { 0: { shortId: 1 } }, security: { 10: NOSEC } };

test("Leshan's store: the same resources, the same instance ids, the same order", () => {
  const input: unknown = JSON.parse(readFileSync("examples/profile.leshan.json", "utf8"));
  assert.ok(isLeshanConfig(input));
  const read = parseLeshanConfig(input);
  assert.equal(read.kind, "by-endpoint");
  const profile = read.kind === "by-endpoint" ? read.profiles.get("urn:dev:os:4711") : undefined;
  assert.ok(profile);
  assert.deepEqual(profile.delete, ["/0", "/1", "/21"]);
  assert.equal(profile.contentFormat, "tlv");
  assert.deepEqual(profileWarnings(profile), []);
  assert.deepEqual(parseProfile(JSON.parse(JSON.stringify(profile))), profile);
  const sms = { 6: ["integer", 3], 7: ["opaque", ""], 8: ["opaque", ""], 9: ["string", ""] } as const;
  assert.deepEqual(written(profile), [
    toInstance("/0/10", {
      0: ["string", "coaps://leshan.example.com:5684"],
      1: ["boolean", false],
      2: ["integer", 0],
      3: ["opaque", Buffer.from("urn:dev:os:4711").toString("hex")],
      4: ["opaque", ""],
      5: ["opaque", "00112233445566778899aabbccddeeff"],
      ...sms,
      10: ["integer", 123],
      11: ["integer", 1],
      12: ["integer", 0],
    }),
    toInstance("/0/11", {
      0: ["string", "coap://leshan.example.com:5683"],
      1: ["boolean", false],
      2: ["integer", 3],
      3: ["opaque", ""],
      4: ["opaque", ""],
      5: ["opaque", ""],
      ...sms,
      10: ["integer", 124],
      11: ["integer", 1],
      12: ["integer", 0],
    }),
    toInstance("/1/0", {
      0: ["integer", 123],
      1: ["integer", 300],
      2: ["integer", 1],
      6: ["boolean", true],
      7: ["string", "U"],
      16: ["boolean", true],
      17: ["unsigned", 3],
      18: ["unsigned", 60],
    }),
    toInstance("/1/1", {
      0: ["integer", 124],
      1: ["integer", 86_400],
      2: ["integer", 1],
      6: ["boolean", true],
      7: ["string", "UT"],
    }),
    toInstance("/2/0", {
      0: ["integer", 3],
      1: ["integer", 0],
      2: { 123: ["integer", 15], 124: ["integer", 1] },
      3: ["integer", 123],
    }),
  ]);
});

test("bytes may be signed, unsigned or base64, enumerations names or numbers, binding text or list", () => {
  const psk = {
    uri: "coaps://a:5684",
    serverId: 1,
    publicKeyOrId: [97],
    cipherSuite: [49320],
    matchingType: 1,
    certificateUsage: "DOMAIN_ISSUER_CERTIFICATE",
  };
  for (const secretKey of [[-1, 0, -128, 127], [255, 0, 128, 127], "/wCAfw=="]) {
    for (const securityMode of ["PSK", 0]) {
      const [security, server] = written(
        one({
          ...CONFIG,
          servers: { 0: { shortId: 1, binding: ["U", "S"] } },
          security: { 10: { ...psk, secretKey, securityMode } },
        }),
      );
      assert.ok(security && server);
      assert.deepEqual(resourceValue(security, 5, "opaque"), Uint8Array.of(255, 0, 128, 127));
      assert.equal(resourceValue(security, 2, "integer"), 0);
      assert.equal(resourceValue(security, 13, "unsigned"), 1);
      assert.equal(resourceValue(security, 15, "unsigned"), 3);
      assert.equal(resourceValue(server, 7, "string"), "US");
    }
  }
});

test("the content format may be a number or Leshan's object; null fields are not written", () => {
  assert.equal(
    one({ ...CONFIG, contentFormat: { name: "SENML_CBOR", mediaType: "application/senml+cbor", code: 112 } }).contentFormat,
    "senml-cbor",
  );
  assert.equal(one({ ...CONFIG, contentFormat: 11544 }).contentFormat, "lwm2m-cbor");
  assert.equal(one({ ...CONFIG, contentFormat: null }).contentFormat, undefined);
  const [, server] = written(one({ ...CONFIG, servers: { 0: { shortId: 1, defaultMinPeriod: null, muteSend: null } } }));
  assert.deepEqual([...(server?.resources.keys() ?? [])], [0, 1, 6, 7]);
});

test("a bootstrap account in the file takes the place of the client's, wherever that is", () => {
  const account = { ...NOSEC, serverId: null, bootstrapServer: true };
  const profile = one({ ...CONFIG, security: { 0: account, 10: NOSEC } });
  const found = (text: string): string[] => bootstrapSteps(profile, DEVICE, { found: discovered(text) }).map(nameOf);
  assert.deepEqual(found("</>;lwm2m=1.1,</0/0>,</1>"), [
    "delete /0",
    "delete /1",
    "write /0/10",
    "write /1/0",
    "write /0/0",
    "finish",
  ]);
  assert.deepEqual(found("</>;lwm2m=1.1,</0/7>,</1>").at(-2), "write /0/7");
  assert.deepEqual(bootstrapSteps(profile, DEVICE).map(nameOf).at(-2), "write /0/0");
});

test("with automatic ids servers go where the client has room, and the account to the client's own", () => {
  const profile = one({
    ...CONFIG,
    autoIdForSecurityObject: true,
    servers: { 0: { shortId: 1 }, 1: { shortId: 2, binding: "UQ" } },
    security: {
      0: { ...NOSEC, serverId: null, bootstrapServer: true },
      1: NOSEC,
      2: { uri: "coaps://b:5684", securityMode: "PSK", publicKeyOrId: [97], secretKey: [1], serverId: 2 },
    },
  });
  assert.deepEqual(Object.keys(profile.objects), []);
  assert.deepEqual(
    profile.servers.map(({ shortServerId, security }) => [shortServerId, security.mode]),
    [
      [1, "nosec"],
      [2, "psk"],
    ],
  );
  const found = discovered("</>;lwm2m=1.1,</0/1>,</1>;ver=1.1");
  assert.deepEqual(bootstrapSteps(profile, DEVICE, { found }).map(nameOf), [
    ...["delete /0", "delete /1"],
    ...["write /0/0", "write /0/2", "write /1/0", "write /1/2", "write /0/1", "finish"],
  ]);
  assert.throws(() => bootstrapSteps(profile, DEVICE), { code: "profile-mismatch" });
});

test("with automatic ids, what is not a whole account is named by the path it has in the file", () => {
  const auto = (change: object): unknown => ({ ...CONFIG, autoIdForSecurityObject: true, ...change });
  assert.throws(() => one(auto({ servers: { 3: { shortId: 2 } } })), /\/1\/3 has the short server id 2, which no server account/);
  assert.throws(() => one(auto({ security: { 10: { ...NOSEC, securityMode: "EST" } } })), /\/0\/10\/2 Security Mode is 4/);
  assert.throws(() => one(auto({ security: { 10: { ...NOSEC, secretKey: [1] } } })), /must be empty in mode NoSec/);
  const braces = { uri: "coaps://b:5684", securityMode: "PSK", publicKeyOrId: [123, 97, 125], secretKey: [1], serverId: 1 };
  const [security] = written(one(auto({ security: { 10: braces } })));
  assert.deepEqual(security && resourceValue(security, 3, "opaque"), new Uint8Array(Buffer.from("{a}")));
});

test("two devices cannot have one PSK identity for the same bootstrap server", () => {
  const account = { uri: "coaps://bs:5684", securityMode: "PSK", publicKeyOrId: [97], secretKey: [1], bootstrapServer: true };
  const config = { ...CONFIG, security: { 0: account, 10: NOSEC } };
  const auto = { ...config, autoIdForSecurityObject: true };
  for (const two of [
    { a: config, b: config },
    { a: auto, b: auto },
    { a: config, b: auto },
  ]) {
    assert.throws(() => parseLeshanConfig(two), /b: has the PSK identity of a for the same bootstrap server/);
  }
  const other = { ...config, security: { 0: { ...account, publicKeyOrId: [98] }, 10: NOSEC } };
  assert.equal(parseLeshanConfig({ a: config, b: other }).kind, "by-endpoint");
});

test("OSCORE is written after the security instance that links to it", () => {
  const oscore = {
    3: {
      oscoreMasterSecret: [1, 2],
      oscoreSenderId: [3],
      oscoreRecipientId: [4],
      oscoreAeadAlgorithm: 10,
      oscoreHmacAlgorithm: -10,
      oscoreMasterSalt: null,
    },
  };
  const profile = one({ ...CONFIG, security: { 10: { ...NOSEC, oscoreSecurityMode: 3 } }, oscore });
  const steps = bootstrapSteps(profile, DEVICE).map(nameOf);
  assert.deepEqual(steps.slice(2), ["write /0/10", "write /1/0", "write /21/3", "finish"]);
  const [security] = written(profile);
  assert.deepEqual(security?.resources.get(17), {
    kind: "single",
    id: 17,
    value: { type: "objlnk", value: { objectId: 21, instanceId: 3 } },
  });
  assert.throws(() => one({ ...CONFIG, security: { 10: { ...NOSEC, oscoreSecurityMode: 4 } }, oscore }), /links to \/21\/4/);
  for (const [change, expected] of [
    [{ oscoreMasterSecret: [] }, /\/21\/3 has an empty master secret/],
    [{ oscoreMasterSecret: null }, /\/21\/3\/0 OSCORE Master Secret is missing/],
    [{ oscoreSenderId: [1, 2, 3, 4, 5, 6, 7, 8] }, /\/21\/3 has an id of 8 bytes; 7 are the most with AEAD algorithm 10/],
    [{ oscoreAeadAlgorithm: 99 }, /AEAD algorithm 99/],
    [{ oscoreHmacAlgorithm: 99 }, /HMAC algorithm 99/],
  ] as const) {
    const config = {
      ...CONFIG,
      security: { 10: { ...NOSEC, oscoreSecurityMode: 3 } },
      oscore: { 3: { ...oscore[3], ...change } },
    };
    assert.throws(() => one(config), { code: "invalid-input", message: expected }, String(expected));
  }
});

test("X.509 and raw public keys are checked to be what the mode says, in DER", () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-"));
  try {
    const file = join(folder, "cert.der");
    const key = join(folder, "key.pem");
    execFileSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=a",
        "-keyout",
        key,
        "-outform",
        "DER",
        "-out",
        file,
      ],
      {
        stdio: "ignore",
      },
    );
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const certificate = [...readFileSync(file)];
    const publicKey = [...pair.publicKey.export({ format: "der", type: "spki" })];
    const secretKey = [...pair.privateKey.export({ format: "der", type: "pkcs8" })];
    const config = (securityMode: string, own: number[], theirs: number[], secret: number[]): unknown => ({
      ...CONFIG,
      security: {
        10: { uri: "coaps://a:5684", serverId: 1, securityMode, publicKeyOrId: own, serverPublicKey: theirs, secretKey: secret },
      },
    });
    assert.equal(
      resourceValue(written(one(config("X509", certificate, certificate, secretKey)))[0] ?? assert.fail(), 2, "integer"),
      2,
    );
    assert.equal(
      resourceValue(written(one(config("RPK", publicKey, publicKey, secretKey)))[0] ?? assert.fail(), 2, "integer"),
      1,
    );
    assert.throws(() => one(config("X509", publicKey, certificate, secretKey)), /\/0\/10\/3 .*X\.509 certificate in DER/);
    assert.throws(() => one(config("RPK", publicKey, certificate, secretKey)), /\/0\/10\/4 .*SubjectPublicKeyInfo in DER/);
    assert.throws(() => one(config("RPK", publicKey, publicKey, publicKey)), /\/0\/10\/5 .*private key in DER/);
    assert.throws(() => one(config("X509", certificate, [], secretKey)), /\/0\/10\/4 .*is empty, which the security mode needs/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("what Leshan's checker refuses is refused, with the path", () => {
  for (const [change, expected] of [
    [{ toDelete: ["0"] }, /^leshan\.json: delete: "0" is not an LwM2M path/],
    [{ security: { 10: { ...NOSEC, uri: undefined } } }, /\/0\/10\/0 LWM2M Server URI is missing/],
    [{ security: { 10: { ...NOSEC, securityMode: undefined } } }, /\/0\/10\/2 Security Mode is missing/],
    [{ security: { 10: { ...NOSEC, securityMode: "EST" } } }, /EST/],
    [{ security: { 10: { ...NOSEC, secretKey: [1] } } }, /must be empty in mode NoSec/],
    [{ security: { 10: { ...NOSEC, securityMode: "PSK" } } }, /is empty, which the security mode needs/],
    [{ security: { 10: { ...NOSEC, serverId: 2 } } }, /short server id 1, which no server account in \/0 has/],
    [{ security: { 10: { ...NOSEC, bootstrapServer: true } } }, /which no server account in \/0 has/],
    [{ servers: { 0: {} } }, /\/1\/0\/0 Short Server ID: is 0; 1 to 65534 are allowed/],
    [{ security: { 10: { ...NOSEC, serverID: 2 } } }, /security\.10: unknown key "serverID", did you mean "serverId"\?/],
    [{ security: { 10: { ...NOSEC, securityMode: "NOSEC" } } }, /security\.10\.securityMode: expected one of PSK, RPK/],
    [
      { security: { 10: { ...NOSEC, publicKeyOrId: [300] } } },
      /security\.10\.publicKeyOrId: expected an array of bytes or base64/,
    ],
    [{ contentFormat: 11543 }, /contentFormat: expected one of .*11542 tlv, 11544 lwm2m-cbor/],
  ] as const) {
    assert.throws(() => one({ ...CONFIG, ...change }), { code: "invalid-input", message: expected }, String(expected));
  }
});

test("no error repeats a key", () => {
  const security = {
    10: { uri: "coaps://a:5684", serverId: 1, securityMode: "PSK", publicKeyOrId: [97], secretKey: "not-base64!" },
  };
  assert.throws(
    () => one({ ...CONFIG, security }),
    (error: Error) => error.message.includes("security.10.secretKey") && !error.message.includes("not-base64!"),
  );
});

test("Leshan's files are told from Berth's", () => {
  assert.ok(isLeshanConfig(CONFIG));
  assert.ok(isLeshanConfig({ a: CONFIG, b: CONFIG }));
  for (const other of [null, [], "x", {}, { servers: [] }, { delete: ["/0"], objects: { "/2/0": {} } }, { a: CONFIG, b: 1 }]) {
    assert.equal(isLeshanConfig(other), false, JSON.stringify(other));
  }
  assert.deepEqual(parseLeshanConfig({}), { kind: "by-endpoint", profiles: new Map() });
  assert.throws(() => parseLeshanConfig([]), { code: "invalid-input" });
  assert.throws(() => parseLeshanConfig({ "urn:dev:1": { toDelete: ["x"] } }), /urn:dev:1: delete/);
});
