import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Lwm2mServer } from "../balancer/lwm2m-server.ts";
import { makeCertificates } from "../support/https.ts";
import { hexOf, System, testDevices } from "../support/system.ts";
import { needs } from "../support/tools.ts";
import { until } from "../support/until.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-sources-"));
const opened: { close(): unknown }[] = [{ close: () => rmSync(folder, { recursive: true }) }];
after(() => Promise.all(opened.map((one) => one.close())));

test("devices whose keys came from an LwM2M server over HTTPS bootstrap, also after it has gone and the balancer started again (B1)", {
  skip: needs("openssl", "openssl"),
}, async () => {
  const certificates = makeCertificates();
  const server = await new Lwm2mServer(certificates).start();
  opened.push(server);
  const [first, second, stranger] = testDevices(3);
  assert.ok(first !== undefined && second !== undefined && stranger !== undefined);
  for (const device of [first, second]) {
    const psk = { identity: device.endpoint, key: hexOf(device) };
    server.clients.set(device.endpoint, { endpoint: device.endpoint, psk });
  }
  const { ca, client } = certificates;
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const source = {
    url: server.url,
    ca: file("ca.pem", ca),
    certificate: file("client.pem", client.certificate),
    key: file("client.key", client.key),
    token: file("token", `${server.token}\n`),
    every: "1s",
    profile: "plain",
  };
  const system = await System.start({ yaml: `sources: ${JSON.stringify({ fleet: source })}` });
  opened.push({ close: () => system.stop() });
  // One that needs no attributes, which a source does not have.
  const security = { mode: "psk", identity: "{endpoint}", key: "00".repeat(16) };
  const plain = { servers: [{ uri: "coaps://lwm2m.berth.test:5684", shortServerId: 1, security }] };
  await system.client.call("putProfile", { params: { name: "plain" }, body: plain });
  const bootstrap = async (device: typeof first): Promise<number | null> =>
    (await system.berth("device", "--endpoint", device.endpoint, "--psk", hexOf(device))).code;

  await until(async () => (await system.status()).devices.pending === 2, "the devices have come");
  assert.equal(await bootstrap(first), 0);
  await until(async () => (await system.status()).devices.completed === 1, "the completion reaches the balancer");
  await system.program("balancer").stop("SIGKILL");
  await server.close();
  const again = system.startBalancer();
  await system.isUp();
  await again.says(/the devices it brought stay as they were/);
  assert.equal(await bootstrap(second), 0);
  assert.doesNotMatch(system.logs, new RegExp(`${hexOf(first)}|${server.token}`));
});
