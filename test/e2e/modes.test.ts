import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Issued, noCertificates, TestCa } from "../support/certificates.ts";
import type { Ended } from "../support/program.ts";
import { hexOf, System, testDevices } from "../support/system.ts";
import { until } from "../support/until.ts";

/* One fleet whose devices prove themselves by keys and by certificates, imported from one CSV file, at `berth serve`. */

const SECRET = "ffeeddccbbaa99887766554433221100";
const [PSK_DEVICE, OTHER_PSK_DEVICE] = testDevices(2);

describe("devices with keys and with certificates", { skip: noCertificates }, () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-modes-"));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const fleetCa = TestCa.root("Fleet");
  const serverCa = TestCa.root("Operator");
  // Names differ from hour to hour, so the certificate is for all there can be.
  const instance = serverCa.issue("bs", { names: ["DNS:*.fleet.berth.test"] });
  const serverTrust = file("server-ca.pem", serverCa.certificate);
  let system: System;

  before(async () => {
    file("crl.pem", fleetCa.crl());
    const files = {
      certificate: file("bs.pem", instance.chain),
      key: file("bs.key", instance.privateKey),
      clientCa: file("fleet-ca.pem", fleetCa.certificate),
      crl: join(folder, "crl.pem"),
    };
    system = await System.start({ instances: 2, serve: true, yaml: `dtls: ${JSON.stringify(files)}\n` });
    const rows = ["endpoint,mode,psk,secret,server_key"];
    for (const device of [PSK_DEVICE, OTHER_PSK_DEVICE])
      if (device !== undefined) rows.push(`${device.endpoint},,${hexOf(device)},,${SECRET}`);
    for (const name of ["by-cn", "by-san", "revoked-later", "victim"]) rows.push(`urn:x509:${name},x509,,${SECRET},${SECRET}`);
    const { code, stdout, stderr } = await system.berth("import", file("fleet.csv", `${rows.join("\n")}\n`));
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "6 devices added, 0 updated, 0 rejected\n");
  });
  after(async () => {
    await system?.stop();
    rmSync(folder, { recursive: true });
  });

  /** Plays a device with a certificate, once. */
  function play(endpoint: string, { chain, privateKey }: Issued, secret = SECRET): Promise<Ended> {
    const name = endpoint.replaceAll(":", "-");
    const credential = ["--certificate", file(`${name}.pem`, chain), "--key", file(`${name}.key`, privateKey)];
    const names = ["--secret", secret, "--attempts", "1", "--json"];
    return system.berth("device", "--endpoint", endpoint, ...credential, "--ca", serverTrust, ...names);
  }

  function hasServer({ code, stdout, stderr }: Ended): void {
    assert.equal(code, 0, stderr);
    const { tree } = JSON.parse(stdout) as { tree: Record<string, unknown> };
    assert.ok(Object.values(tree).includes("coaps://lwm2m.example.com:5684"), stdout);
    assert.ok(!stdout.includes(SECRET) && !stderr.includes(SECRET), "no key is shown");
  }

  test("both end with the LwM2M Server of their profile, and are completed; the list shows their modes", async () => {
    assert.ok(PSK_DEVICE !== undefined);
    const byKey = system.berth("device", "--endpoint", PSK_DEVICE.endpoint, "--psk", hexOf(PSK_DEVICE), "--json");
    const byCn = play("urn:x509:by-cn", fleetCa.issue("urn:x509:by-cn"));
    const bySan = play("urn:x509:by-san", fleetCa.issue("Meter 7", { names: ["URI:urn:x509:by-san"] }));
    for (const ended of await Promise.all([byKey, byCn, bySan])) hasServer(ended);
    await until(async () => (await system.status()).devices.completed === 3, "three are completed");
    const { stdout } = await system.berth("devices", "--state", "completed");
    assert.match(stdout, /^urn:test:0001 +psk +completed/m);
    assert.match(stdout, /^urn:x509:by-cn +x509 +completed/m);
  });

  test("a certificate for another device, of another CA, or of a device that was imported with a key, gets nothing", async () => {
    assert.ok(OTHER_PSK_DEVICE !== undefined);
    const { endpoint } = OTHER_PSK_DEVICE;
    const thief = await play("urn:x509:victim", fleetCa.issue("urn:x509:thief"));
    const stranger = await play("urn:x509:victim", serverCa.issue("urn:x509:victim"));
    // It knows all that the device knows but the key itself, which is not asked for.
    const changeling = await play(endpoint, fleetCa.issue(endpoint), hexOf(OTHER_PSK_DEVICE));
    for (const { code, stdout } of [thief, stranger, changeling]) assert.deepEqual([code, stdout], [1, ""]);
    for (const { stderr } of [thief, changeling]) assert.match(stderr, /refused: 4\.00 Unauthorized\n$/);
    assert.match(stranger.stderr, /handshake-failed: alert\n$/);
    const states = await Promise.all(["urn:x509:victim", endpoint].map(async (each) => (await system.device(each)).state));
    assert.deepEqual(states, ["pending", "pending"]);
  });

  test("SIGHUP: a certificate that a new list revokes is refused, without a restart", async () => {
    const doomed = fleetCa.issue("urn:x509:revoked-later");
    fleetCa.revoke(doomed.certificate);
    file("crl.pem", fleetCa.crl());
    system.program("serve").kill("SIGHUP");
    const twice = (): boolean => [...system.logs.matchAll(/the certificates have been read again/g)].length === 2;
    await until(twice, "both instances have read it");
    const refused = await play("urn:x509:revoked-later", doomed);
    assert.equal(refused.code, 1);
    hasServer(await play("urn:x509:revoked-later", fleetCa.issue("urn:x509:revoked-later")));

    // A list that is none changes nothing.
    file("crl.pem", "no list");
    system.program("serve").kill("SIGHUP");
    const told = (): boolean => /cannot be used; those from before stay in use/.test(system.logs);
    await until(told, "the log says so");
    hasServer(await play("urn:x509:victim", fleetCa.issue("urn:x509:victim")));
  });
});
