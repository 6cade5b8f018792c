import assert from "node:assert/strict";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createKeyFile, KEY_VARIABLE, loadSecretBox, SecretBox } from "../../src/storage/index.ts";
import { box, KEY, temporaryFolder } from "./samples.ts";

const PLAIN = Buffer.from("a secret of some length");
const HEX = Buffer.from(KEY).toString("hex");

describe("sealing", () => {
  test("what was sealed opens again, and is laid out as documented", () => {
    const sealed = box.seal(PLAIN, "device:a");
    assert.deepEqual(Buffer.from(box.open(sealed, "device:a")), PLAIN);
    assert.equal(sealed[0], 1);
    assert.equal(sealed.byteLength, 1 + 12 + PLAIN.byteLength + 16);
  });

  test("the same value never looks the same twice", () => {
    assert.notDeepEqual(box.seal(PLAIN, "device:a"), box.seal(PLAIN, "device:a"));
  });

  test("another context, another key, or any changed byte does not open", () => {
    const sealed = box.seal(PLAIN, "device:a");
    const damaged = { code: "storage-sealed-damaged" };
    assert.throws(() => box.open(sealed, "device:b"), damaged);
    assert.throws(() => new SecretBox(KEY.map((byte) => byte ^ 1)).open(sealed, "device:a"), damaged);
    for (let index = 0; index < sealed.byteLength; index++) {
      const changed = sealed.map((byte, at) => (at === index ? byte ^ 1 : byte));
      assert.throws(() => box.open(changed, "device:a"), damaged);
      assert.throws(() => box.open(sealed.subarray(0, index), "device:a"), damaged);
    }
  });
});

test("RFC 5869: keys for other purposes are the same for the same key, and tell nothing of each other", () => {
  const derived = (purpose: string, of: SecretBox = box): string => Buffer.from(of.derive(purpose, 16)).toString("hex");
  assert.equal(derived("a"), derived("a", new SecretBox(KEY)));
  assert.notEqual(derived("a"), derived("b"));
  assert.notEqual(derived("a"), derived("a", new SecretBox(KEY.map((byte) => byte ^ 1))));
  assert.equal(derived("a").length, 32);
  // openssl kdf -keylen 16 -kdfopt digest:SHA256 -kdfopt hexkey:... -kdfopt info:a HKDF
  assert.equal(
    Buffer.from(new SecretBox(new Uint8Array(32)).derive("a", 16)).toString("hex"),
    "8113fce76d7e726bfa16669b4e4610d1",
  );
});

describe("the key", () => {
  const opens = (loaded: SecretBox): void => assert.deepEqual(Buffer.from(loaded.open(box.seal(PLAIN, "x"), "x")), PLAIN);

  test("is read from a file or the environment, in hex or base64", (context) => {
    const folder = temporaryFolder();
    context.after(folder.remove);
    const file = join(folder.path, "berth.key");
    for (const text of [`${HEX}\n`, HEX.toUpperCase(), `${Buffer.from(KEY).toString("base64")}\r\n`]) {
      writeFileSync(file, text, { mode: 0o600 });
      opens(loadSecretBox({ file, environment: {} }));
      opens(loadSecretBox({ environment: { [KEY_VARIABLE]: text } }));
    }
  });

  test("of the environment goes before that of the file", () => {
    opens(loadSecretBox({ file: "/nowhere", environment: { [KEY_VARIABLE]: HEX } }));
  });

  test("is looked for in the environment of the process", (context) => {
    const before = process.env[KEY_VARIABLE];
    context.after(() => {
      if (before === undefined) delete process.env[KEY_VARIABLE];
      else process.env[KEY_VARIABLE] = before;
    });
    process.env[KEY_VARIABLE] = HEX;
    opens(loadSecretBox({ file: "/nowhere" }));
  });

  test("that is missing is an error that says how to make one", () => {
    const make = /openssl rand -hex 32 > \S*berth\.key && chmod 600 \S*berth\.key$/;
    assert.throws(() => loadSecretBox({ environment: {} }), { code: "storage-key-missing", message: make });
    assert.throws(() => loadSecretBox({ file: "/nowhere/berth.key", environment: { [KEY_VARIABLE]: "" } }), {
      code: "storage-key-missing",
      message: make,
    });
  });

  test("of another form is an error that does not repeat it", () => {
    for (const text of [HEX.slice(2), `${HEX}00`, "hunter2", `${HEX.slice(1)}g`]) {
      assert.throws(
        () => loadSecretBox({ environment: { [KEY_VARIABLE]: text } }),
        (error: Error & { code: string }) => error.code === "storage-key-invalid" && !error.message.includes(text),
      );
    }
  });

  test("in a file others can read is refused with the command that mends it", (context) => {
    if (process.platform === "win32") return context.skip("no mode bits");
    const folder = temporaryFolder();
    context.after(folder.remove);
    const file = join(folder.path, "berth.key");
    writeFileSync(file, HEX, { mode: 0o600 });
    for (const mode of [0o640, 0o604, 0o644]) {
      chmodSync(file, mode);
      assert.throws(() => loadSecretBox({ file, environment: {} }), {
        code: "storage-key-permissions",
        message: new RegExp(`chmod 600 ${file}$`),
      });
    }
    chmodSync(file, 0o400);
    opens(loadSecretBox({ file, environment: {} }));
  });

  test("made for the demo is private, random and never overwritten", (context) => {
    const folder = temporaryFolder();
    context.after(folder.remove);
    const [file, other] = [join(folder.path, "berth.key"), join(folder.path, "other.key")];
    createKeyFile(file);
    createKeyFile(other);
    const text = readFileSync(file, "utf8");
    assert.match(text, /^[0-9a-f]{64}\n$/);
    assert.notEqual(text, readFileSync(other, "utf8"));
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const sealed = loadSecretBox({ file, environment: {} }).seal(PLAIN, "x");
    assert.throws(() => createKeyFile(file), { code: "storage-key-invalid" });
    assert.deepEqual(Buffer.from(loadSecretBox({ file, environment: {} }).open(sealed, "x")), PLAIN);
  });
});
