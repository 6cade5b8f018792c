import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, test } from "node:test";
import { type ImportedDevice, type ImportRow, nameSecretOf, readDevices } from "../../src/storage/index.ts";
import { chunks, collect } from "./samples.ts";

const PSK = "00112233445566778899aabbccddeeff";
const SECRET = "ffeeddccbbaa99887766554433221100";
const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const DER = spki(publicKey);
const HEX = Buffer.from(DER).toString("hex");
const PEM = publicKey.export({ format: "pem", type: "spki" }).toString();

function spki(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ format: "der", type: "spki" }));
}

const csv = (text: string): Promise<ImportRow[]> => collect(readDevices(chunks(text), "csv"));
const ndjson = (row: object): Promise<ImportRow[]> => collect(readDevices(chunks(JSON.stringify(row)), "ndjson"));

async function devicesOf(rows: Promise<ImportRow[]>): Promise<ImportedDevice[]> {
  return (await rows).map((row) => ("device" in row ? row.device : assert.fail(row.error)));
}

async function errorOf(row: object): Promise<string> {
  const [first] = await ndjson(row);
  return first !== undefined && "error" in first ? first.error : "";
}

describe("security modes in files of devices (N7, S5)", () => {
  test("a CSV file may hold devices of all modes; a column a mode does not use stays empty", async () => {
    const text = `endpoint,mode,psk,public_key,secret
urn:1,psk,${PSK},,
urn:2,x509,,,${SECRET}
urn:3,rpk,,${HEX.toUpperCase()},
urn:4,rpk,,"${PEM}",${SECRET}
urn:5,nosec,,,${SECRET}
`;
    const devices = await devicesOf(csv(text));
    const fingerprint = createHash("sha256").update(DER).digest("hex");
    assert.deepEqual(
      devices.map(({ endpoint, mode, identity }) => [endpoint, mode, identity]),
      [
        ["urn:1", "psk", "urn:1"],
        ["urn:2", "x509", "urn:2"],
        ["urn:3", "rpk", fingerprint],
        ["urn:4", "rpk", fingerprint],
        ["urn:5", "nosec", "urn:5"],
      ],
    );
    assert.deepEqual(devices[2]?.publicKey, DER);
    assert.deepEqual(devices[3]?.publicKey, DER, "hex and PEM are the same key");
  });

  test("the mode follows from the key, and has to be said where there is none", async () => {
    const modes = (await devicesOf(csv(`endpoint,psk,public_key\nurn:1,${PSK},\nurn:2,,${HEX}`))).map(({ mode }) => mode);
    assert.deepEqual(modes, ["psk", "rpk"]);
    assert.equal((await devicesOf(csv(`endpoint,public_key\nurn:2,${HEX}`)))[0]?.mode, "rpk");
    assert.equal((await devicesOf(csv(`endpoint,mode,secret\nurn:2,x509,${SECRET}`)))[0]?.mode, "x509");
    assert.match(await errorOf({ endpoint: "urn:1" }), /^psk is missing; a device without one has a public key, or says/);
    assert.equal(await errorOf({ endpoint: "e", psk: PSK, public_key: HEX }), "psk and public key are both given; leave one out");
  });

  test("names are made of the secret, else of the PSK or the public key", async () => {
    const rows = `endpoint,psk,public_key,secret\nurn:1,${PSK},,\nurn:2,,${HEX},\nurn:3,${PSK},,${SECRET}\nurn:4,,${HEX},${SECRET}`;
    const secrets = (await devicesOf(csv(rows))).map((device) => Buffer.from(nameSecretOf(device)).toString("hex"));
    assert.deepEqual(secrets, [PSK, HEX, SECRET, SECRET]);
  });

  test("what a mode lacks, or has too much, is told by field, mode and value", async () => {
    const cases: readonly (readonly [object, string])[] = [
      [{ mode: "tls" }, 'mode: "tls" is none of psk, x509, rpk, nosec'],
      [{ mode: "PSK", psk: PSK }, 'mode: "PSK" is none of psk, x509, rpk, nosec'],
      [{ mode: PSK }, "mode: its value is none of psk, x509, rpk, nosec"],
      [{ mode: "psk", secret: SECRET }, "psk is missing, which mode psk needs"],
      [{ mode: "rpk" }, "public key is missing, which mode rpk needs"],
      [{ mode: "x509" }, "secret is missing: a device of mode x509 has no key here that its names could be made of"],
      [{ mode: "nosec" }, "secret is missing: a device of mode nosec has no key here that its names could be made of"],
      [{ mode: "x509", psk: PSK, secret: SECRET }, "psk is not used in mode x509; leave it out"],
      [{ mode: "psk", psk: PSK, public_key: HEX }, "public key is not used in mode psk; leave it out"],
      [
        { mode: "rpk", public_key: HEX, identity: "me" },
        'identity: "me" is not used in mode rpk, only in mode psk; leave it out',
      ],
    ];
    for (const [fields, message] of cases) assert.equal(await errorOf({ endpoint: "urn:1", ...fields }), message);
  });

  test("a public key is one, of a kind that signs, and nothing more; what it is instead is told and never repeated", async () => {
    const pkcs8 = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
    const sec1 = privateKey.export({ format: "der", type: "sec1" }).toString("hex");
    const exchange = Buffer.from(spki(generateKeyPairSync("x25519").publicKey)).toString("hex");
    const cases: readonly (readonly [string, string])[] = [
      [pkcs8, "public key: the PEM holds a PRIVATE KEY, not a PUBLIC KEY"],
      [PEM.replace("END", "EN"), "public key: the PEM is damaged, or more than one"],
      [PEM + PEM, "public key: the PEM is damaged, or more than one"],
      [sec1, `public key: ${sec1.length / 2} bytes that are no SubjectPublicKeyInfo in DER`],
      [HEX.slice(2), "public key: 90 bytes that are no SubjectPublicKeyInfo in DER"],
      [`${HEX}00`, "public key: 92 bytes that are no SubjectPublicKeyInfo in DER"],
      [HEX.slice(1), `public key: hex needs an even number of digits, got ${HEX.length - 1}`],
      [exchange, "public key: with a key of type x25519 nothing can be signed"],
    ];
    for (const [key, message] of cases) assert.equal(await errorOf({ endpoint: "urn:1", public_key: key }), message);
    const rsa = Buffer.from(spki(generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey)).toString("hex");
    const ed25519 = Buffer.from(spki(generateKeyPairSync("ed25519").publicKey)).toString("hex");
    for (const key of [rsa, ed25519]) assert.equal((await devicesOf(ndjson({ endpoint: "e", public_key: key })))[0]?.mode, "rpk");
  });
});
