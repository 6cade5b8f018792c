import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type BootstrapProfile, compileProfile, parseProfile, profileWarnings, resourceValue } from "../../src/lwm2m/index.ts";
import { needs } from "../support/tools.ts";
import { bootstrapSteps, DEVICE, KEY, profileOf, server, writtenBy } from "./support.ts";

function profileWith(security: unknown): BootstrapProfile {
  return parseProfile({ servers: [{ uri: "coaps://lwm2m.example.com:5684", shortServerId: 101, security }] }, "profile");
}

/** Mode and key material as they are written, in hex. */
function material(security: unknown, attributes: Readonly<Record<string, string>> = {}): unknown[] {
  const [instance] = writtenBy(bootstrapSteps(profileWith(security), { endpoint: "urn:dev:1", attributes }));
  assert.ok(instance);
  return [
    resourceValue(instance, 2, "integer"),
    ...[3, 4, 5].map((id) => Buffer.from(resourceValue(instance, id, "opaque") ?? []).toString("hex")),
  ];
}

const [own, theirs] = [generateKeyPairSync("ec", { namedCurve: "P-256" }), generateKeyPairSync("ec", { namedCurve: "P-256" })];
const spki = (pair: typeof own): Buffer => pair.publicKey.export({ format: "der", type: "spki" });
const pkcs8 = own.privateKey.export({ format: "der", type: "pkcs8" });
const RPK = [1, spki(own).toString("hex"), spki(theirs).toString("hex"), pkcs8.toString("hex")];

test("raw public keys may be PEM, hex or base64 of DER, in OpenSSL's own form too, and placeholders", () => {
  const pem = (pair: typeof own): string => pair.publicKey.export({ format: "pem", type: "spki" }).toString();
  const sec1 = own.privateKey.export({ format: "pem", type: "sec1" }).toString();
  for (const [publicKey, serverPublicKey, key] of [
    [spki(own).toString("hex"), spki(theirs).toString("hex").toUpperCase(), pkcs8.toString("hex")],
    [
      spki(own).toString("base64"),
      spki(theirs)
        .toString("base64")
        .replace(/(.{64})/g, "$1\n"),
      pkcs8.toString("base64"),
    ],
    [pem(own), pem(theirs), own.privateKey.export({ format: "pem", type: "pkcs8" }).toString()],
    [pem(own), pem(theirs), sec1],
    [pem(own), pem(theirs), `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${sec1}`],
  ]) {
    assert.deepEqual(material({ mode: "rpk", publicKey, serverPublicKey, key }), RPK);
  }
  const named = { mode: "rpk", publicKey: "{attributes.own}", serverPublicKey: "{attributes.theirs}", key: "{attributes.key}" };
  const attributes = { own: pem(own), theirs: spki(theirs).toString("base64"), key: pkcs8.toString("hex") };
  assert.deepEqual(material(named, attributes), RPK);
  assert.throws(() => material(named, { ...attributes, theirs: attributes.key }), {
    code: "profile-mismatch",
    message:
      /servers\[0\]: \/0\/x\/4 Server Public Key: the attributes of this device do not fit: is not a SubjectPublicKeyInfo in DER/,
  });
  assert.throws(() => material(named, {}), /needs the attribute "own"/);
});

test("key material that is something else is refused, and never repeated", () => {
  const good = {
    mode: "rpk",
    publicKey: spki(own).toString("hex"),
    serverPublicKey: spki(theirs).toString("hex"),
    key: pkcs8.toString("hex"),
  };
  const encrypted = own.privateKey.export({ format: "pem", type: "pkcs8", cipher: "aes-128-cbc", passphrase: "x" }).toString();
  const pem = own.privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  for (const [change, expected] of [
    [{ key: good.publicKey }, /\/0\/x\/5 Secret Key: is not a PKCS #8 private key in DER/],
    [{ publicKey: good.key }, /\/0\/x\/3 Public Key or Identity: is not a SubjectPublicKeyInfo in DER/],
    [{ key: encrypted }, /\/0\/x\/5 Secret Key: is an encrypted private key/],
    [{ key: `${pem}${pem}` }, /holds 2 PEM blocks/],
    [{ key: "-----BEGIN PRIVATE KEY----- nothing" }, /is not PEM/],
    [{ key: "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----" }, /is not a private key in PEM/],
    [{ key: "x!" }, /must be PEM, hex or base64/],
    [{ key: "abc" }, /must be PEM, hex or base64: hex needs an even number/],
    [{ key: 5 }, /security\.key: .*expected string/],
  ] as const) {
    assert.throws(
      () => profileWith({ ...good, ...change }),
      (error: Error) =>
        expected.test(error.message) && !error.message.includes(good.key.slice(0, 20)) && !error.message.includes("x!"),
      String(expected),
    );
  }
});

test("X.509: certificates and the key of the client's", { skip: needs("openssl", "openssl") }, () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-"));
  try {
    const [key, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    execFileSync("openssl", ["req", "-x509", ...curve, "-subj", "/CN=a", "-keyout", key, "-out", certificate], {
      stdio: "ignore",
    });
    const pem = { certificate: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
    const der = {
      certificate: new X509Certificate(pem.certificate).raw,
      key: createPrivateKey(pem.key).export({ format: "der", type: "pkcs8" }),
    };
    const expected = [2, der.certificate.toString("hex"), der.certificate.toString("hex"), der.key.toString("hex")];
    const good = { mode: "x509", ...pem, serverCertificate: der.certificate.toString("base64") };
    assert.deepEqual(material(good), expected);
    const named = { ...good, certificate: "{attributes.certificate}", key: "{attributes.key}" };
    assert.deepEqual(material(named, { certificate: der.certificate.toString("hex"), key: pem.key }), expected);
    assert.deepEqual(profileWarnings(profileWith(good)), []);
    const stranger = profileWith({ ...good, key: pkcs8.toString("hex") });
    assert.match(
      profileWarnings(stranger).join(),
      /servers\[0\]: \/0\/x\/5 is not the private key of the certificate in \/0\/x\/3/,
    );
    const bundle = `${pem.certificate}${pem.certificate}`;
    assert.throws(() => profileWith({ ...good, certificate: bundle }), /holds 2 PEM blocks; the resource holds one/);
    const trailing = `${der.certificate.toString("hex")}00`;
    assert.throws(() => profileWith({ ...good, certificate: trailing }), /is not an X\.509 certificate in DER/);
    const swapped = { ...named, certificate: "{attributes.key}" };
    assert.throws(() => material(swapped, { key: der.key.toString("hex") }), { code: "profile-mismatch" });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a public key that is not that of the private key is warned of", () => {
  const mixed = {
    mode: "rpk",
    publicKey: spki(theirs).toString("hex"),
    serverPublicKey: spki(theirs).toString("hex"),
    key: pkcs8.toString("hex"),
  };
  assert.match(profileWarnings(profileWith(mixed)).join(), /is not the private key of the public key in \/0\/x\/3/);
  assert.deepEqual(profileWarnings(profileWith({ ...mixed, publicKey: spki(own).toString("hex") })), []);
});

const FRESH = `{ mode: fresh-psk, identity: "{endpoint}/{attributes.zone}", securityStore: leshan }`;

test("a fresh key is asked for with its identity, and written to the account it was made for", () => {
  const compiled = compileProfile(profileOf(server("", FRESH)));
  const [wanted, ...others] = compiled.freshKeys;
  assert.deepEqual([wanted?.shortServerId, wanted?.securityStore, wanted?.bytes, others.length], [101, "leshan", 16, 0]);
  assert.equal(wanted?.identity(DEVICE), "urn:dev:1/eu");
  assert.throws(() => wanted?.identity({ endpoint: "x", attributes: {} }), { code: "profile-mismatch" });
  const key = Buffer.from(KEY, "hex");
  const [security] = writtenBy(compiled.plan(DEVICE, { freshKeys: new Map([[101, key]]) }).steps);
  assert.ok(security);
  assert.equal(Buffer.from(resourceValue(security, 3, "opaque") ?? []).toString(), "urn:dev:1/eu");
  assert.deepEqual(resourceValue(security, 5, "opaque"), new Uint8Array(key));
  assert.equal(resourceValue(security, 2, "integer"), 0);
});

test("without its fresh key, or with one of another length, nothing is begun", () => {
  const compiled = compileProfile(profileOf(server("", FRESH)));
  for (const freshKeys of [undefined, new Map(), new Map([[102, Buffer.alloc(16)]]), new Map([[101, Buffer.alloc(15)]])]) {
    const context = freshKeys === undefined ? {} : { freshKeys };
    assert.throws(() => compiled.plan(DEVICE, context), { code: "profile-mismatch", message: /needs a fresh key of 16 bytes/ });
  }
});

test("fresh keys longer than tinydtls takes and shorter than LwM2M recommends are warned of; identities with unknown placeholders refused", () => {
  const warnings = (bytes: number): string =>
    profileWarnings(profileOf(server("", FRESH.replace(" }", `, bytes: ${bytes} }`)))).join();
  assert.match(warnings(32), /servers\[0\]: security\.bytes is a key of 32 bytes; tinydtls/);
  assert.match(warnings(8), /servers\[0\]: security\.bytes is a key of 8 bytes; LwM2M recommends 16/);
  assert.equal(warnings(16), "");
  assert.throws(() => warnings(7), /servers\[0\]\.security\.bytes/);
  assert.throws(() => warnings(65), /servers\[0\]\.security\.bytes/);
  assert.throws(() => profileOf(server("", FRESH.replace("{endpoint}", "{name}"))), /unknown placeholder \{name\}/);
  assert.throws(() => profileOf(server("", FRESH.replace(", securityStore: leshan", ""))), /security\.securityStore/);
});

test("parameters of OSCORE are checked (RFC 8613, 3.3), and its secret is not repeated", () => {
  const secret = "0a0b".repeat(8);
  const oscore = { masterSecret: secret, senderId: "01", recipientId: "02" };
  const of = (change: object): BootstrapProfile => profileWith({ mode: "nosec", oscore: { ...oscore, ...change } });
  const context = writtenBy(bootstrapSteps(of({ hmac: -10, masterSalt: "aa", idContext: "bb" }), DEVICE))[2];
  assert.deepEqual([...(context?.resources.keys() ?? [])], [0, 1, 2, 4, 5, 6]);
  for (const [change, expected] of [
    [{ senderId: "00".repeat(8) }, /servers\[0\]: \/21\/x has an id of 8 bytes; 7 are the most with AEAD algorithm 10/],
    [{ recipientId: "0000", aead: 12 }, /has an id of 2 bytes; 1 are the most with AEAD algorithm 12/],
    [{ aead: 4 }, /has the AEAD algorithm 4, which is none of OSCORE's/],
    [{ hmac: 4 }, /has the HMAC algorithm 4/],
    [{ masterSecret: `${secret}z` }, /\/21\/x\/0 OSCORE Master Secret: must be hex/],
    [{ masterSecret: "" }, /security\.oscore\.masterSecret/],
  ] as const) {
    assert.throws(
      () => of(change),
      (error: Error) => expected.test(error.message) && !error.message.includes(secret),
      String(expected),
    );
  }
});
