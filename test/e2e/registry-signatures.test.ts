import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { needsBind } from "../support/bind.ts";
import { newKey } from "../support/dns-servers.ts";
import { isMended, newDevices, type Site, startSite, staysLive, told } from "../support/faulty-site.ts";
import { checkDns, holdsNoSecret, importMore, KEY_FILE, needsDig, publicationIs, secretOf } from "../support/registries.ts";

const CLOCK: string = fileURLToPath(new URL("../support/shift-clock.mjs", import.meta.url));

/** Ends the balancer, and starts it with another configuration. */
async function restartBalancer({ system }: Site, change: () => void): Promise<void> {
  await system.program("balancer").stop();
  change();
  system.startBalancer();
  await system.isUp();
}

describe("BIND, by update, does not take signatures (R3, R7)", { skip: needsBind() || needsDig() }, () => {
  for (const [how, words, found] of [
    [
      "another secret",
      /another secret; look at key name, algorithm and secret on both sides/,
      /^key: it knows the TSIG key "berth" \(hmac-sha256\), but with another secret/m,
    ],
    [
      "another name",
      /does not know the TSIG key; look at key name, algorithm and secret on both sides/,
      /^key: it does not know the TSIG key "other" \(hmac-sha256\)/m,
    ],
  ] as const) {
    test(`a key of ${how}, put right with the next start`, async (t) => {
      const site = await startSite(t);
      const { system, key } = site;
      const config = readFileSync(system.config, "utf8");
      await restartBalancer(site, () => {
        if (how === "another name")
          writeFileSync(
            system.config,
            config.replaceAll(/\bberth: \{ algo|key: berth\b(?=,)/g, (text) => text.replace("berth", "other")),
          );
        else writeFileSync(join(system.folder, KEY_FILE), secretOf(newKey()));
      });
      await importMore(system, newDevices(100));
      await publicationIs(system, "failing");
      await staysLive(site);
      assert.match(told(system), words);
      const { code, errors, said } = await checkDns(system);
      assert.equal(code, 1);
      assert.match(errors.join("\n"), found);
      holdsNoSecret(said + system.logs, key);
      await restartBalancer(site, () => {
        writeFileSync(system.config, config);
        writeFileSync(join(system.folder, KEY_FILE), secretOf(key));
      });
      await isMended(site);
    });
  }

  for (const [which, seconds, words, found] of [
    [
      "ahead",
      600,
      /its clock is (599|60[01]) s behind ours/,
      /^clock: the clock of this host is 10 min ahead of that of the server/m,
    ],
    [
      "behind",
      -600,
      /its clock is (599|60[01]) s ahead of ours/,
      /^clock: the clock of this host is 10 min behind that of the server/m,
    ],
  ] as const) {
    test(`a balancer whose clock is 10 minutes ${which}, until it is set right`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), "berth-clock-"));
      t.after(() => rmSync(folder, { recursive: true }));
      const clock = join(folder, "clock");
      const env = { NODE_OPTIONS: `--import=${CLOCK}`, BERTH_TEST_CLOCK: clock };
      writeFileSync(clock, "0");
      const site = await startSite(t, { env });
      const { system } = site;
      writeFileSync(clock, `${seconds * 1000}`);
      await importMore(system, newDevices(100));
      await publicationIs(system, "failing");
      await staysLive(site);
      assert.match(told(system), words);
      const { code, errors } = await checkDns(system, env);
      assert.equal(code, 1);
      assert.match(errors.join("\n"), found);
      writeFileSync(clock, "0");
      await isMended(site);
    });
  }
});
