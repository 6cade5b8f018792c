import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { needsBind } from "../support/bind.ts";
import { ZONE } from "../support/dns-servers.ts";
import { isMended, newDevices, startSite, staysLive, told } from "../support/faulty-site.ts";
import { checkDns, holdsNoSecret, importMore, needsDig, publication, publicationIs, zoneIsRight } from "../support/registries.ts";
import { until } from "../support/until.ts";

describe("BIND, by update (R3)", { skip: needsBind() || needsDig() }, () => {
  test("killed in the middle of 3,000 devices, and back: the zone is whole in the end", async (t) => {
    const site = await startSite(t);
    const { server, system } = site;
    const importing = importMore(system, newDevices(3000));
    const serial = (await server.serial()) ?? 0;
    await until(async () => ((await server.serial()) ?? 0) > serial, "it gets more");
    await server.kill();
    await importing;
    await publicationIs(system, "failing");
    assert.ok((await publication(system)).waiting > 0);
    assert.match(told(system), /127\.0\.0\.1:\d+: .*REFUSED/i);
    const { code, errors, said } = await checkDns(system);
    assert.equal(code, 1);
    assert.match(errors.join("\n"), /^answers: over TCP it does not answer/m);
    assert.match(errors.join("\n"), /^balancer: publication is failing: \d+ changes wait/m);
    holdsNoSecret(said, site.key);
    await server.restart();
    await staysLive(site);
    await isMended(site);
    assert.equal((await publication(system)).names, (await zoneIsRight(system, server, site.key)).length);
  });

  test("SERVFAIL to updates for a while, as it cannot write its journal", async (t) => {
    const site = await startSite(t);
    const { server, system } = site;
    const journal = join(server.folder, `${ZONE}.zone.jnl`);
    renameSync(journal, `${journal}.aside`);
    mkdirSync(journal);
    await importMore(system, newDevices(100));
    await publicationIs(system, "failing");
    await staysLive(site);
    assert.match(told(system), /SERVFAIL; its log says why/);
    const { code, errors } = await checkDns(system);
    assert.equal(code, 1);
    assert.match(errors.join("\n"), /^balancer: publication is failing: .*SERVFAIL/m);
    rmdirSync(journal);
    renameSync(`${journal}.aside`, journal);
    await isMended(site);
    told(system);
  });
});
