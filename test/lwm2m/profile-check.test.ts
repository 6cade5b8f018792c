import assert from "node:assert/strict";
import { test } from "node:test";
import { profileWarnings } from "../../src/lwm2m/index.ts";
import { KEY, profileOf, server } from "./support.ts";

test("mistakes are named by their path", () => {
  const account = "0: coap://a:1, 1: false, 2: 3";
  const one = "{ 0: 101, 1: 60, 6: true, 7: U }";
  for (const [yaml, expected] of [
    ...["coap://a:99999", "coap://a:0", "coap://a b:5683", "coap://", "nowhere"].map((uri): [string, RegExp] => [
      `servers: [{ uri: "${uri}", shortServerId: 101, security: { mode: nosec } }]`,
      /servers\[0\]: \/0\/x\/0 LWM2M Server URI is no URI with a host and a possible port/,
    ]),
    [server("", "{ mode: nosec, key: '00' }"), /security: unknown key "key"(?!, did you mean "key")/],
    ["servers: 5", /^profile\.yaml: servers: .*expected array/],
    [server("    binding: X"), /servers\[0\]\.binding: expected letters of U, M, H, T, S, N/],
    [server("    lifetim: 5"), /servers\[0\]: unknown key "lifetim", did you mean "lifetime"\?/],
    [server("    lifetime: soon"), /servers\[0\]\.lifetime: .*is not a duration/],
    [server("", "{ mode: none }"), /servers\[0\]\.security/],
    [server("", `{ mode: psk, identity: x, key: "0xyz" }`), /servers\[0\]: \/0\/x\/5 Secret Key: must be hex/],
    [server("", `{ mode: psk, identity: "{attributes.}", key: "${KEY}" }`), /unknown placeholder \{attributes\.\}; there are/],
    [
      server("", `{ mode: psk, identity: "{name}", key: "${KEY}" }`),
      /\/0\/x\/3 Public Key or Identity: unknown placeholder \{name\}; there are/,
    ],
    [server("", `{ mode: psk, identity: x, key: 11223344 }`), /security\.key: .*expected string/],
    [server("    securityResources: { 5: '00' }"), /servers\[0\]: \/0\/x\/5 is set twice/],
    [server("    instance: 70000"), /servers\[0\]\.instance/],
    [server("    serverResources: { 8: 1 }"), /\/1\/x\/8 Registration Update Trigger: can only be executed/],
    [server("    serverResources: { 2: { 0: 1 } }"), /\/1\/x\/2 Default Minimum Period: has one value only/],
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
    [
      `${server()}\nobjects: { /2/0/0/1: 5 }`,
      /objects\.\/2\/0\/0\/1: expected the path of an object, an object instance or a resource/,
    ],
    [`${server()}\nobjects: { /2/65535: { 0: 1, 1: 0, 3: 1 } }`, /objects: \/2\/65535 is no path/],
    [`${server()}\nobjects: { /2/0: { a: 1 } }`, /a resource id is a number/],
    [`${server()}\nobjects: { /2/0: { 0: 1, 3: 1 } }`, /objects: \/2\/0\/1 Object Instance ID is missing/],
    [`${server("    instance: 5")}\nobjects: { /1/5: ${one} }`, /objects: \/1\/5 is written twice/],
    ["{}", /no server is written after all were deleted/],
    [`objects: { /1/5: ${one} }`, /\/1\/5 has the short server id 101, which no server account in \/0 has/],
    [`objects: { /1/5: ${one}, /0/5: { ${account} } }`, /\/0\/5\/10 Short Server ID is missing/],
    [`objects: { /1/5: ${one}, /0/5: { 0: coap://a:1, 1: true, 2: 3, 10: 101 } }`, /which no server account in \/0 has/],
    [
      `objects: { /1/5: ${one}, /1/6: ${one}, /0/5: { ${account}, 10: 101 } }`,
      /\/1\/6 has the short server id 101 of objects: \/1\/5/,
    ],
    [
      `objects: { /1/5: ${one}, /0/5: { ${account}, 10: 101 }, /0/6: { ${account}, 10: 101 } }`,
      /\/0\/6 has the short server id 101 of objects: \/0\/5/,
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
  warns(uri("coaps://lwm2m.example.com"), /servers\[0\]: \/0\/x\/0 .* has no port/);
  warns(uri("coaps://lwm2m.example.com:5684/"), /has a path/);
  warns(uri("coap://lwm2m.example.com:5683"), /does not go with a security mode with keys/);
  warns(uri("http://lwm2m.example.com:80"), /is not a CoAP URI/);
  warns(psk("x".repeat(33), KEY), /identity of 33 bytes; tinydtls/);
  warns(psk("x", `${KEY}00`), /key of 17 bytes; tinydtls/);
  warns(psk("x", "0011"), /recommends 16/);
  warns(server("    instance: 0"), /\/0\/0 is where Wakaama/);
  warns(server("    instance: 1"), /\/0\/1 is where Anjay/);
  warns(server("    serverResources: { 99: 1 }"), /\/1\/x\/99 is no resource/);
  warns(`${server()}\ncontentFormat: senml-cbor`, /refused by Wakaama/);
  warns(
    `discover: false\n${server()}\nobjects: { /0/0: { 0: "coap://a:1", 1: true, 2: 3 } }`,
    /\/0\/0 is a bootstrap account; it replaces/,
  );
  warns(
    `${server()}\nobjects: { /0/20: { 0: "coap://a:1", 1: false, 2: 3, 10: 7 } }`,
    /for short server id 7, which no instance of \/1/,
  );
  const account = (more: string): string => `${server()}
bootstrapServer: { uri: "coap://bs.example.com:5683", security: { mode: nosec }${more} }`;
  warns(account(""), /bootstrapServer: \/0\/x\/11 Client Hold Off Time is not set/);
  warns(account(", instance: 3"), /bootstrapServer: \/0\/3\/11 Client Hold Off Time is not set/);
  warns(`discover: false\n${account(", instance: 3")}`, /\/0\/3 is a bootstrap account; it replaces the client's own only if/);
  assert.deepEqual(profileWarnings(profileOf(account(", securityResources: { 11: 1 }"))), []);
  warns(server("    serverResources: { 22: U }"), /\/1\/x\/22 Preferred Transport is not known to Wakaama/);
  warns(`${server()}\ncontentFormat: lwm2m-cbor`, /lwm2m-cbor is refused by clients before LwM2M 1\.2/);
  warns(server("    instance: 0"), /overwrites if the client refuses Discover/);
  warns(`discover: false\n${server("    instance: 0")}`, /\/0\/0 is where Wakaama .*, which this overwrites; take 10/);
  assert.deepEqual(profileWarnings(profileOf(uri("coaps://[2001:db8::1]:5684"))), []);
  assert.deepEqual(profileWarnings(profileOf(psk("x".repeat(32), KEY))), []);
});
