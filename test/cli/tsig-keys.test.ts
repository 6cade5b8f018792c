import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readTsigKey } from "../../src/cli/tsig-keys.ts";
import type { TsigAlgorithm } from "../../src/dns/index.ts";
import { InvalidInput } from "../../src/lib/errors.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-keys-"));
after(() => rmSync(folder, { recursive: true }));

const SECRET = "AAECAwQFBgcICQoLDA0ODw==";

function read(text: string, name: string = "berth", algorithm: TsigAlgorithm = "hmac-sha256"): Uint8Array {
  const file = join(folder, "key");
  writeFileSync(file, text);
  return readTsigKey({ dns: { keys: { [name]: { algorithm, file } } } as never }, name).secret;
}

const BIND = `key "berth" {\n\talgorithm hmac-sha256;\n\tsecret "${SECRET}";\n};\n`;
const KNOT = `key:\n  - id: berth\n    algorithm: hmac-sha256\n    secret: ${SECRET}\n`;
const NSD = `key:\n    name: "berth"\n    algorithm: hmac-sha256\n    secret: "${SECRET}"\n`;

for (const [form, text] of Object.entries({ "the secret alone": `${SECRET}\n`, BIND, Knot: KNOT, NSD })) {
  test(`dns.keys: a file with a key as of ${form} is read`, () => {
    assert.deepEqual([...read(text)], [...Array(16).keys()]);
  });
}

const WRONG: readonly (readonly [what: string, text: string, message: RegExp])[] = [
  ["another name", BIND.replace("berth", "other"), /dns\.keys\.berth\.file: the key there is called "other", not "berth"/],
  ["another algorithm", KNOT.replace("sha256", "sha1"), /the key there is of hmac-sha1, the configuration says hmac-sha256/],
  ["no base64", "not a key!", /holds neither a secret in base64 nor a key/],
  ["a short secret", "AAECAw==", /has 4 bytes; at least 16 are needed/],
  ["nothing", "", /holds neither/],
];
for (const [what, text, message] of WRONG) {
  test(`dns.keys: a file with ${what} is refused, and its secret is not shown`, () => {
    assert.throws(
      () => read(text),
      (error) => error instanceof InvalidInput && message.test(error.message) && !error.message.includes(SECRET),
    );
  });
}
