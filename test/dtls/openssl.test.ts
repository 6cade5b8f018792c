import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { loadOpenSsl, OpenSslUnavailable } from "../../src/dtls/index.ts";

test("OpenSSL is loaded once, and says its version", () => {
  assert.match(loadOpenSsl().version, /^OpenSSL 3\./);
  assert.equal(loadOpenSsl(), loadOpenSsl());
});

test("where it cannot be had, the error says what was tried and what to do", () => {
  assert.throws(
    () => loadOpenSsl(["libnowhere.so.3"]),
    (error: unknown) =>
      error instanceof OpenSslUnavailable &&
      error.code === "openssl-unavailable" &&
      error.message.includes("libnowhere.so.3") &&
      error.message.includes("apt install libssl3"),
  );
});

const SYSTEM = ["/usr/lib/x86_64-linux-gnu/libssl.so.3", "/usr/lib/aarch64-linux-gnu/libssl.so.3", "/usr/lib64/libssl.so.3"];
const installed = SYSTEM.filter((path) => existsSync(path));

test("a system's libssl will do", {
  skip: installed.length === 0 && "no libssl.so.3; install it with: apt install libssl3",
}, () => {
  assert.match(loadOpenSsl(installed).version, /^OpenSSL 3\./);
});
