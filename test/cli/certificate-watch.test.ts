import assert from "node:assert/strict";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { CertificateWatch } from "../../src/cli/certificate-watch.ts";
import { readDtls, readX509 } from "../../src/cli/dtls-files.ts";
import type { ServerX509 } from "../../src/dtls/index.ts";
import { type Logger, silentLogger } from "../../src/lib/log.ts";
import { noCertificates, TestCa } from "../support/certificates.ts";

/* Certificates are replaced while instances run. */

describe("certificates of an instance", { skip: noCertificates }, () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-certificates-"));
  after(() => rmSync(folder, { recursive: true }));
  const ca = TestCa.root("Fleet");
  let age = 0;
  /** Writes a file that is newer than what was there, however fast the test is. */
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    utimesSync(path, 0, ++age);
    return path;
  };
  const old = ca.issue("bs.test");
  const files = {
    certificate: file("bs.pem", old.chain),
    key: file("bs.key", old.privateKey),
    clientCa: file("ca.pem", ca.certificate),
  };

  /** A watch, what it has replaced and what it has said. */
  function watch(replace: (x509: ServerX509) => void = () => {}): { watch: CertificateWatch; put: ServerX509[]; said: string[] } {
    const put: ServerX509[] = [];
    const said: string[] = [];
    const say = (level: string) => (fields: object, message: string) =>
      void said.push(`${level}: ${message} ${JSON.stringify(fields)}`);
    const log: Logger = { ...silentLogger, info: say("info"), warn: say("warn"), error: say("error") };
    const x509 = readX509(files) ?? assert.fail();
    const remember = (fresh: ServerX509): void => {
      replace(fresh);
      put.push(fresh);
    };
    const now = (): Date => new Date("2026-01-01");
    return { watch: new CertificateWatch({ files, x509, replace: remember, now, log }), put, said };
  }

  test("files that are as they were are not read again; one that was replaced is, and all with it", () => {
    const { watch: watched, put, said } = watch();
    watched.check();
    assert.deepEqual([put.length, said], [0, []]);
    file("ca.pem", `${ca.certificate}${TestCa.root("Second").certificate}`);
    watched.check();
    watched.check();
    assert.equal(put.length, 1);
    assert.equal(String(put[0]?.clientCa).match(/BEGIN CERTIFICATE/g)?.length, 2);
    assert.match(said.join("\n"), /^info: the certificates have been read again \{[^\n]*\}$/);
  });

  test("what cannot be used is said once, and the old stays until the rest is there too", () => {
    const { watch: watched, put, said } = watch();
    const fresh = ca.issue("bs.test");
    file("bs.pem", fresh.chain);
    watched.check();
    watched.check();
    assert.equal(put.length, 0);
    assert.equal(said.length, 1);
    assert.match(
      said[0] ?? "",
      /^error: the new certificates cannot be used; .*bs\.key is not the key of the certificate in .*bs\.pem/,
    );
    file("bs.key", fresh.privateKey);
    watched.check();
    assert.equal(put[0]?.privateKey, fresh.privateKey);
  });

  test("so is a file that is gone, and what the instance refuses", () => {
    const {
      watch: watched,
      put,
      said,
    } = watch(() => {
      throw new Error("no room for it");
    });
    rmSync(files.clientCa);
    watched.check();
    assert.match(said[0] ?? "", /dtls\.clientCa: .*ca\.pem: there is no such file/);
    file("ca.pem", ca.certificate);
    watched.check();
    assert.match(said[1] ?? "", /no room for it/);
    assert.equal(put.length, 0);
  });

  test("told to, it reads them again though they look the same", () => {
    const { watch: watched, put } = watch();
    watched.read();
    assert.equal(put.length, 1);
  });

  test("a certificate of ours that is over is a warning, at start and whenever it is read", () => {
    const over = ca.issue("bs.test", { until: new Date("2025-12-31") });
    file("bs.pem", over.chain);
    file("bs.key", over.privateKey);
    const { watch: watched, said } = watch();
    assert.match(said.join(), /^warn: the instance's certificate has expired on Dec 31 [^\n]* 2025/);
    watched.read();
    assert.equal(said.filter((line) => line.startsWith("warn")).length, 2);
  });

  test("the files' keys in the configuration are in every error, and what is in them is in none", () => {
    const other = ca.issue("other");
    const cases: readonly (readonly [object, RegExp])[] = [
      [{ key: file("other.key", other.privateKey) }, /^dtls\.key: .*other\.key is not the key of the certificate in .*bs\.pem$/],
      [{ key: files.clientCa }, /^dtls\.key: .*ca\.pem holds no private key in PEM, or one with a passphrase$/],
      [{ clientCa: files.key }, /^dtls\.clientCa: .*bs\.key holds no certificate in PEM$/],
      [{ crl: files.clientCa }, /^dtls\.crl: .*ca\.pem holds no revocation list in PEM$/],
    ];
    for (const [changes, message] of cases) assert.throws(() => readDtls({ ...files, ...changes }), { message });
    const crl = ca.crl();
    assert.equal(readDtls({ ...files, crl: file("ca.crl", crl) }).x509?.crl, crl);
    assert.deepEqual(readDtls({}), {});
  });
});
