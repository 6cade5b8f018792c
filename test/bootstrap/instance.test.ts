import assert from "node:assert/strict";
import { after, test } from "node:test";
import { BootstrapInstance, type InstanceOptions, type Listener } from "../../src/bootstrap/index.ts";
import { systemClock, systemRandom } from "../../src/net/index.ts";
import { FakeBalancer, until } from "./fake-balancer.ts";
import { assignment, LogBook } from "./lockstep.ts";
import { pskOf, UdpDevice, type UdpDeviceOptions } from "./udp-device.ts";

const cleanups: (() => Promise<void>)[] = [];
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

interface Site {
  readonly balancer: FakeBalancer;
  readonly instance: BootstrapInstance;
  readonly log: LogBook;
}

async function site(
  devices: readonly string[],
  {
    listeners = [{ scheme: "coap", address: "127.0.0.1", port: 0 }],
    ...options
  }: { listeners?: readonly Listener[] } & Partial<InstanceOptions> = {},
): Promise<Site> {
  const balancer = new FakeBalancer();
  balancer.devices = devices.map((endpoint) => assignment(endpoint));
  await balancer.start();
  const log = new LogBook();
  const instance = await BootstrapInstance.start({
    id: "bs-1",
    listeners,
    advertise: { ipv4: "127.0.0.1" },
    control: balancer.client(),
    clock: systemClock,
    random: systemRandom,
    log,
    backoff: { first: 20, longest: 100 },
    ...options,
  });
  cleanups.push(
    () => balancer.kill(),
    () => instance.stop(),
  );
  await until(() => instance.devices === devices.length && balancer.registrations.length > 0, "the stream");
  return { balancer, instance, log };
}

async function device(
  instance: BootstrapInstance,
  options: Omit<UdpDeviceOptions, "port"> = {},
  listener = 0,
): Promise<UdpDevice> {
  const opened = await UdpDevice.open({ port: instance.listeners[listener]?.port ?? 0, ...options });
  cleanups.push(() => opened.close());
  return opened;
}

const COAPS: Listener = { scheme: "coaps", address: "127.0.0.1", port: 0 };

test("a device bootstraps over DTLS, and the balancer hears of it", async () => {
  const { balancer, instance } = await site(["urn:dev:1"], { listeners: [COAPS] });
  const own = await device(instance, { psk: pskOf(assignment("urn:dev:1")) });
  assert.equal(await own.bootstrap("urn:dev:1"), "2.04");
  await own.finished;
  assert.deepEqual(own.requests, ["DELETE /0", "DELETE /1", "PUT /0/10", "PUT /1/10", "POST /bs"]);
  await until(() => balancer.applied.length === 2, "notifications");
  assert.deepEqual(balancer.told, ["commenced urn:dev:1", "completed urn:dev:1"]);
  assert.deepEqual(
    balancer.applied.map(({ sequence }) => sequence),
    [1, 2],
  );
  await until(() => instance.devices === 0, "the device to be dropped");
});

test("on IPv6 too", async (context) => {
  const listeners: Listener[] = [{ scheme: "coaps", address: "::1", port: 0 }];
  const started = await site(["urn:dev:1"], { listeners }).catch((error: { code?: string }) => error);
  if (!("instance" in started)) {
    assert.equal(started.code, "address-not-available");
    context.skip("this host has no ::1");
    return;
  }
  const own = await device(started.instance, { address: "::1", psk: pskOf(assignment("urn:dev:1")) });
  assert.equal(await own.bootstrap("urn:dev:1"), "2.04");
  await own.finished;
});

test("a wrong key and an unknown identity get no answer, and the log says why", async () => {
  const { instance, log } = await site(["urn:dev:1"], { listeners: [COAPS] });
  const right = pskOf(assignment("urn:dev:1"));
  const key = Buffer.from("ffffffffffffffffffffffffffffffff", "hex");
  const wrongKey = await device(instance, { psk: { ...right, key } });
  const stranger = await device(instance, { psk: { ...right, identity: "stranger" } });
  void wrongKey.connect();
  void stranger.connect();
  await until(() => log.lines.length >= 4, "the log");
  log.says(/handshake failed .*"identity":"id-urn:dev:1","reason":"wrong key"/);
  log.says(/handshake refused .*"identity":"stranger","reason":"unknown identity"/);
  assert.equal(wrongKey.closed ?? "open", "open");
  assert.ok(log.lines.every((line) => !line.includes("ffffffff") && !line.includes(assignment("urn:dev:1").psk)));
});

test("the association is closed by the instance once the session is over and the device had time to ask again", async () => {
  const { instance } = await site(["urn:dev:1"], { listeners: [COAPS] });
  const own = await device(instance, { psk: pskOf(assignment("urn:dev:1")) });
  await own.bootstrap("urn:dev:1");
  await own.finished;
  await instance.stop();
  await until(() => own.closed !== undefined, "close_notify");
  assert.equal(own.closed, "closed-by-peer");
});

test("a handshake of the same address and port takes the place of the association in mid-session", async () => {
  const { balancer, instance } = await site(["urn:dev:1"], { listeners: [COAPS] });
  let silent = true;
  const own = await device(instance, { psk: pskOf(assignment("urn:dev:1")), answer: () => (silent ? null : undefined) });
  assert.equal(await own.bootstrap("urn:dev:1"), "2.04");
  await until(() => own.requests.length > 0, "the first request");
  silent = false;
  assert.equal(await own.bootstrap("urn:dev:1"), "2.04");
  await own.finished;
  await until(() => balancer.applied.length === 4, "notifications");
  const told = balancer.applied.map(({ kind, cause }) => cause ?? kind);
  assert.deepEqual(told, ["commenced", "connection-lost", "commenced", "completed"]);
});

test("the stream: what is assigned and revoked takes effect at once", async () => {
  const { balancer, instance } = await site(["urn:dev:1"]);
  balancer.tell({ type: "assign", assignments: [assignment("urn:dev:2"), assignment("urn:dev:3")] });
  await until(() => instance.devices === 3, "assigned");
  balancer.tell({ type: "revoke", endpoints: ["urn:dev:1", "urn:dev:2"] });
  await until(() => instance.devices === 1, "revoked");
  const own = await device(instance);
  assert.equal(await own.bootstrap("urn:dev:3"), "2.04");
});

test("a balancer that was started again finds the instance registered again, and its word replaces what was", async () => {
  const { balancer, instance } = await site(["urn:dev:1", "urn:dev:2"]);
  await balancer.kill();
  assert.equal(instance.devices, 2, "what was assigned stays");
  const own = await device(instance);
  assert.equal(await own.bootstrap("urn:dev:1"), "2.04", "and is served");
  await own.finished;
  balancer.devices = [assignment("urn:dev:2"), assignment("urn:dev:4"), assignment("urn:dev:5")];
  await balancer.start();
  await until(() => instance.devices === 3, "the new stream");
  assert.equal(balancer.registrations.length, 2);
  assert.equal(balancer.registrations[1]?.boot, balancer.registrations[0]?.boot, "the same start");
  await until(() => balancer.applied.length === 2, "what happened meanwhile");
  assert.deepEqual(balancer.told, ["commenced urn:dev:1", "completed urn:dev:1"]);
});

test("a heartbeat the balancer cannot place makes the instance register again", async () => {
  const { balancer } = await site([]);
  await until(() => balancer.heartbeats >= 2, "heartbeats");
  balancer.forgetInstances();
  await until(() => balancer.registrations.length === 2, "another registration");
});

test("a batch whose answer is lost is sent again as it was, and applied once", async () => {
  const { balancer, instance } = await site(["urn:dev:1", "urn:dev:2"]);
  balancer.loseAnswers = 3;
  const first = await device(instance);
  await first.bootstrap("urn:dev:1");
  await first.finished;
  await until(() => balancer.loseAnswers === 0, "lost answers");
  const second = await device(instance);
  await second.bootstrap("urn:dev:2");
  await second.finished;
  await until(() => balancer.applied.length === 4, "notifications");
  assert.deepEqual(balancer.told, ["commenced urn:dev:1", "completed urn:dev:1", "commenced urn:dev:2", "completed urn:dev:2"]);
  assert.ok(balancer.received > 4, "some came more than once");
});

test("recipes and profiles that cannot be used are logged, and the others serve on", async () => {
  const { balancer, instance, log } = await site(["urn:dev:1"]);
  balancer.tell({ type: "profile", name: "broken", profile: { servers: 7 } });
  balancer.tell({ type: "fleet", uri: "nonsense", recipe: {}, skew: 0, counter: 0 });
  await until(() => log.lines.filter((line) => line.startsWith("error")).length === 2, "errors");
  log.says(/error a profile cannot be used .*broken/);
  log.says(/error the balancer's recipe cannot be used/);
  const own = await device(instance);
  assert.equal(await own.bootstrap("urn:dev:1"), "2.04");
});

test("a stop waits for the session in progress, hands over its outcome and takes leave", async () => {
  const { balancer, instance } = await site(["urn:dev:1"], { listeners: [COAPS] });
  const own = await device(instance, { psk: pskOf(assignment("urn:dev:1")) });
  await own.bootstrap("urn:dev:1");
  await instance.stop();
  assert.deepEqual(balancer.told, ["commenced urn:dev:1", "completed urn:dev:1"]);
  assert.deepEqual(balancer.left, ["bs-1"]);
});

test("a port that is taken is an error that names it, and nothing stays behind", async () => {
  const { instance, balancer } = await site([]);
  const port = instance.listeners[0]?.port ?? 0;
  const options = {
    id: "bs-2",
    advertise: { ipv4: "127.0.0.1" },
    control: balancer.client(),
    clock: systemClock,
    random: systemRandom,
  };
  const listeners: Listener[] = [COAPS, { scheme: "coap", address: "127.0.0.1", port }];
  await assert.rejects(BootstrapInstance.start({ ...options, listeners, log: new LogBook() }), {
    code: "address-in-use",
    message: new RegExp(`port ${port}`),
  });
});

test("noise does no harm: random and truncated datagrams on both kinds of listener", async () => {
  const { instance, log } = await site(["urn:dev:1"], { listeners: [COAPS, { scheme: "coap", address: "127.0.0.1", port: 0 }] });
  for (const [index] of instance.listeners.entries()) {
    const noise = await device(instance, {}, index);
    for (let count = 0; count < 1500; count++) {
      const datagram = Buffer.from(systemRandom.bytes(count % 90));
      // half of them begin as a CoAP request or as a DTLS record does
      if (count % 4 === 1 && datagram.length > 4) datagram.set([0x44, 2, count >> 8, count & 255]);
      if (count % 4 === 3 && datagram.length > 13)
        datagram.set([22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, datagram.length - 13, 1]);
      noise.throws(datagram);
      if (count % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const own = await device(instance, { psk: pskOf(assignment("urn:dev:1")) });
  assert.equal(await own.bootstrap("urn:dev:1"), "2.04");
  await own.finished;
  assert.deepEqual(
    log.lines.filter((line) => line.startsWith("error")),
    [],
  );
});
