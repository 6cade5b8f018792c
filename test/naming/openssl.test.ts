import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fromHex, toHex, utf8 } from "../../src/lib/bytes.ts";
import { vectors } from "./vectors.ts";

/** Recomputes the vectors with the `openssl` command, which shares no code with ours but the hash itself. */
const version = /^OpenSSL (\d+)/.exec(spawnSync("openssl", ["version"], { encoding: "utf8" }).stdout ?? "");
const missing =
  version !== null && Number(version[1]) >= 3 ? false : "needs the openssl command, version 3 or later: apt-get install openssl";

function openssl(args: readonly string[], input: Uint8Array): string {
  const { status, stdout, stderr } = spawnSync("openssl", args, { input });
  assert.equal(status, 0, `openssl ${args.join(" ")}: ${stderr}`);
  return stdout.toString("latin1");
}

function sha256(input: Uint8Array): string {
  return toHex(Buffer.from(openssl(["dgst", "-sha256", "-binary"], input), "latin1"));
}

function hmac(key: string, message: Uint8Array): string {
  return openssl(["mac", "-digest", "SHA256", "-macopt", `hexkey:${key}`, "HMAC"], message)
    .trim()
    .toLowerCase();
}

function hkdf(key: string, salt: string, info: string, length: number): string {
  const options = [`digest:SHA256`, `hexkey:${key}`, ...(salt ? [`hexsalt:${salt}`] : []), ...(info ? [`hexinfo:${info}`] : [])];
  const args = ["kdf", "-keylen", String(length), ...options.flatMap((option) => ["-kdfopt", option]), "HKDF"];
  return openssl(args, new Uint8Array()).trim().replaceAll(":", "").toLowerCase();
}

interface Call {
  readonly function: string;
  readonly options?: { readonly salt?: string; readonly length?: number };
}

/** Output of a function by openssl; for a hash `input`, for the others `key` and `message`. */
function compute({ function: name, options = {} }: Call, key: string, message: string, input: string): string {
  if (name === "hmac-sha-256") return hmac(key, fromHex(message));
  if (name === "hkdf-sha-256") return hkdf(key, options.salt ?? "", message, options.length ?? 32);
  return sha256(fromHex(input)).slice(0, Number(name.split("-")[2] ?? 256) / 4);
}

test("openssl computes the outputs of the function vectors", { skip: missing }, () => {
  for (const row of vectors.functions) {
    const output = compute(row, row.key ?? "", row.message ?? "", row.input ?? "");
    assert.equal(output.slice(0, row.output.length), row.output, row.source);
  }
});

test("openssl computes the name keys and derivatives of the name vectors", { skip: missing }, () => {
  for (const row of vectors.names) {
    const { nameKey } = row.recipe;
    if (nameKey !== undefined) {
      const key = hkdf(row.secret, nameKey.salt ?? "", toHex(utf8(nameKey.info)), nameKey.length ?? 32);
      assert.equal(key, row.nameKey, JSON.stringify(row.recipe));
    }
    assert.equal(compute(row.recipe, row.nameKey, row.message, row.input ?? ""), row.derivative, JSON.stringify(row.recipe));
  }
});
