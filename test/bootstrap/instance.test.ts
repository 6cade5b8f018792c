import assert from "node:assert/strict";
import { test } from "node:test";
import { BootstrapInstance, type Listener, type SecurityStore } from "../../src/bootstrap/index.ts";
import { pause, systemClock, systemRandom } from "../../src/net/index.ts";
import { until } from "./fake-balancer.ts";
import { ACCOUNT, assignment, LogBook, PROFILE } from "./lockstep.ts";
import { COAP, COAPS, openDevice, startSite } from "./site.ts";
import { pskOf } from "./udp-device.ts";

/** A device that never gets what it waits for must not hang the whole run. */
const LIMIT = { timeout: 30_000 };

test("a device bootstraps over DTLS, and the balancer hears of it", LIMIT, async () => {
  const { balancer, instance } = await startSite(["urn:dev:1"], [COAPS]);
  const own = await openDevice(instance, { credential: pskOf(assignment("urn:dev:1")) });
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

test("with Discover first, and by a Bootstrap-Pack", LIMIT, async () => {
  const profile = { ...PROFILE, discover: true };
  const { balancer, instance } = await startSite(["urn:dev:1", "urn:dev:2"], [COAPS], {}, profile);
  const own = await openDevice(instance, { credential: pskOf(assignment("urn:dev:1")) });
  assert.equal(await own.bootstrap("urn:dev:1"), "2.04");
  await own.finished;
  assert.deepEqual(own.requests, ["GET /", "DELETE /0", "DELETE /1", "PUT /0/1", "PUT /1/1", "POST /bs"]);
  const other = await openDevice(instance, { credential: pskOf(assignment("urn:dev:2")) });
  await other.connect();
  const request = { method: "GET", path: ["bspack"], query: ["ep=urn:dev:2", "acc=</0/0>"], accept: 110 } as const;
  const result = await other.asks(request);
  assert.ok("response" in result);
  assert.equal(result.response.code, "2.05");
  assert.equal(result.response.contentFormat, 110);
  await until(() => balancer.told.includes("commenced urn:dev:2"), "commenced");
  await other.close();
  await until(() => balancer.told.includes("completed urn:dev:2"), "completed");
});

test("the heartbeat says what is taken on, and how much of it is in use", LIMIT, async () => {
  const admission = { handshakesPerSecond: 70, sessions: 30 };
  const { balancer, instance } = await startSite(["urn:dev:1", "urn:dev:2"], [COAP, COAPS], { admission });
  await until(() => balancer.load !== undefined, "a heartbeat");
  assert.deepEqual(balancer.load?.admission, { ...admission, turnedAway: 0, full: false });
  const own = await openDevice(instance, { answer: () => null });
  await own.bootstrap("urn:dev:1");
  await until(() => balancer.load?.sessions === 1, "a session");
});

test("sessions without DTLS count as well when it comes to new handshakes", LIMIT, async () => {
  const admission = { handshakesPerSecond: 1000, sessions: 1 };
  const { balancer, instance } = await startSite(["urn:dev:1", "urn:dev:2"], [COAP, COAPS], { admission });
  const unsecured = await openDevice(instance, { answer: () => null });
  await unsecured.bootstrap("urn:dev:1");
  const waiting = await openDevice(instance, { credential: pskOf(assignment("urn:dev:2")) }, 1);
  void waiting.bootstrap("urn:dev:2");
  await until(() => balancer.load?.admission.full === true, "the load to say so");
  assert.deepEqual(waiting.requests, []);
  balancer.tell({ type: "assign", assignments: [assignment("urn:dev:1")] });
  // It is its turn when the other is through.
  const again = await openDevice(instance);
  await again.bootstrap("urn:dev:1");
  await again.finished;
  await waiting.finished;
});

test("on IPv6 too", LIMIT, async (context) => {
  const listeners: Listener[] = [{ scheme: "coaps", address: "::1", port: 0 }];
  const started = await startSite(["urn:dev:1"], listeners).catch((error: { code?: string }) => error);
  if (!("instance" in started)) {
    assert.equal(started.code, "address-not-available");
    context.skip("this host has no ::1");
    return;
  }
  const own = await openDevice(started.instance, { address: "::1", credential: pskOf(assignment("urn:dev:1")) });
  assert.equal(await own.bootstrap("urn:dev:1"), "2.04");
  await own.finished;
});

test("a wrong key and an unknown identity get no answer, and the log says why", LIMIT, async () => {
  const { instance, log } = await startSite(["urn:dev:1"], [COAPS]);
  const right = pskOf(assignment("urn:dev:1"));
  const key = Buffer.from("ffffffffffffffffffffffffffffffff", "hex");
  const wrongKey = await openDevice(instance, { credential: { ...right, psk: key } });
  const stranger = await openDevice(instance, { credential: { ...right, identity: Buffer.from("stranger") } });
  void wrongKey.connect();
  void stranger.connect();
  await until(() => log.lines.length >= 4, "the log");
  log.says(/handshake failed .*"identity":"id-urn:dev:1","reason":"wrong key"/);
  log.says(/handshake refused .*"identity":"stranger","reason":"unknown identity"/);
  assert.equal(wrongKey.closed ?? "open", "open");
  assert.ok(log.lines.every((line) => !line.includes("ffffffff") && !line.includes(assignment("urn:dev:1").psk)));
});

test(
  "the association is closed by the instance once the session is over and the device had time to ask again",
  LIMIT,
  async () => {
    const { instance } = await startSite(["urn:dev:1"], [COAPS]);
    const own = await openDevice(instance, { credential: pskOf(assignment("urn:dev:1")) });
    await own.bootstrap("urn:dev:1");
    await own.finished;
    await instance.stop();
    await until(() => own.closed !== undefined, "close_notify");
    assert.equal(own.closed, "closed-by-peer");
  },
);

test("the stream: what is assigned and revoked takes effect at once", LIMIT, async () => {
  const { balancer, instance } = await startSite(["urn:dev:1"], [COAP]);
  balancer.tell({ type: "assign", assignments: [assignment("urn:dev:2"), assignment("urn:dev:3")] });
  await until(() => instance.devices === 3, "assigned");
  balancer.tell({ type: "revoke", endpoints: ["urn:dev:1", "urn:dev:2"] });
  await until(() => instance.devices === 1, "revoked");
  const own = await openDevice(instance);
  assert.equal(await own.bootstrap("urn:dev:3"), "2.04");
});

test("a balancer that was started again finds the instance registered again, and its word replaces what was", LIMIT, async () => {
  const { balancer, instance } = await startSite(["urn:dev:1", "urn:dev:2"], [COAP]);
  await balancer.kill();
  assert.equal(instance.devices, 2, "what was assigned stays");
  const own = await openDevice(instance);
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

test("a heartbeat the balancer cannot place makes the instance register again", LIMIT, async () => {
  const { balancer } = await startSite([], [COAP]);
  await until(() => balancer.heartbeats >= 2, "heartbeats");
  balancer.forgetInstances();
  await until(() => balancer.registrations.length === 2, "another registration");
});

test("a batch whose answer is lost is sent again as it was, and applied once", LIMIT, async () => {
  const { balancer, instance } = await startSite(["urn:dev:1", "urn:dev:2"], [COAP]);
  balancer.loseAnswers = 3;
  const first = await openDevice(instance);
  await first.bootstrap("urn:dev:1");
  await first.finished;
  await until(() => balancer.loseAnswers === 0, "lost answers");
  const second = await openDevice(instance);
  await second.bootstrap("urn:dev:2");
  await second.finished;
  await until(() => balancer.applied.length === 4, "notifications");
  assert.deepEqual(balancer.told, ["commenced urn:dev:1", "completed urn:dev:1", "commenced urn:dev:2", "completed urn:dev:2"]);
  assert.ok(balancer.received > 4, "some came more than once");
});

test("a batch the balancer cannot take does not keep later ones waiting", LIMIT, async () => {
  const { balancer, instance, log } = await startSite(["urn:dev:1", "urn:dev:2"], [COAP]);
  balancer.refuse = 1;
  const first = await openDevice(instance, { answer: () => null });
  await first.bootstrap("urn:dev:1");
  await until(() => log.lines.some((line) => line.startsWith("error")), "the refusal");
  log.says(/error the balancer refuses notifications; they are dropped .*"notifications":1/);
  const second = await openDevice(instance);
  await second.bootstrap("urn:dev:2");
  await until(() => balancer.told.includes("completed urn:dev:2"), "later notifications");
});

test("timers run on when the clock is set back", LIMIT, async () => {
  let offset = 0;
  const clock = { now: () => Date.now() + offset };
  const { balancer, instance } = await startSite(["urn:dev:1"], [COAP], { clock, sessionDeadline: 500 });
  const own = await openDevice(instance, { answer: () => null });
  await own.bootstrap("urn:dev:1");
  offset = -3_600_000;
  await until(() => balancer.applied.length === 2, "the session's end");
  assert.equal(balancer.applied[1]?.cause, "deadline");
});

test("recipes and profiles that cannot be used are logged, and the others serve on", LIMIT, async () => {
  const { balancer, instance, log } = await startSite(["urn:dev:1"], [COAP]);
  balancer.tell({ type: "profile", name: "broken", profile: { servers: 7 } });
  balancer.tell({ type: "fleet", uri: "nonsense", recipe: {}, skew: 0 });
  await until(() => log.lines.filter((line) => line.startsWith("error")).length === 2, "errors");
  log.says(/error a profile cannot be used .*broken/);
  log.says(/error the balancer's recipe cannot be used/);
  const own = await openDevice(instance);
  assert.equal(await own.bootstrap("urn:dev:1"), "2.04");
});

test("a stop waits for the session in progress, hands over its outcome and takes leave", LIMIT, async () => {
  const { balancer, instance } = await startSite(["urn:dev:1"], [COAPS]);
  const own = await openDevice(instance, { credential: pskOf(assignment("urn:dev:1")) });
  await own.bootstrap("urn:dev:1");
  await instance.stop();
  assert.deepEqual(balancer.told, ["commenced urn:dev:1", "completed urn:dev:1"]);
  assert.deepEqual(balancer.left, ["bs-1"]);
});

test(
  "a stop takes no new handshakes, gives sessions in progress 5 s, and waits until security stores have what they had",
  LIMIT,
  async () => {
    const lines: string[] = [];
    const store: SecurityStore = {
      put: async ({ endpoint }) => {
        lines.push(`put ${endpoint}`);
        return async () => {
          await pause(200);
          lines.push(`undo ${endpoint}`);
        };
      },
    };
    const options = { securityStores: new Map([["main", store]]) };
    const security = { mode: "fresh-psk", identity: "{endpoint}", securityStore: "main" };
    const profile = { ...PROFILE, servers: [{ ...ACCOUNT, security }] };
    const { balancer, instance } = await startSite(["urn:dev:1", "urn:dev:2"], [COAPS], options, profile);
    const own = await openDevice(instance, { credential: pskOf(assignment("urn:dev:1")), answer: () => null });
    assert.equal(await own.bootstrap("urn:dev:1"), "2.04");
    const stopped = instance.stop();
    const late = await openDevice(instance, { credential: pskOf(assignment("urn:dev:2")) });
    let secured = false;
    void late.connect().then(() => {
      secured = true;
    });
    await stopped;
    assert.equal(secured, false);
    assert.deepEqual(lines, ["put urn:dev:1", "undo urn:dev:1"]);
    assert.deepEqual(balancer.told, ["commenced urn:dev:1", "failed urn:dev:1"]);
  },
);

test("a port that is taken is an error that names it, and nothing stays behind", LIMIT, async () => {
  const { instance, balancer } = await startSite([], [COAP]);
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

test("noise does no harm: random and truncated datagrams on both kinds of listener", LIMIT, async () => {
  const { instance, log } = await startSite(["urn:dev:1"], [COAPS, COAP]);
  for (const [index] of instance.listeners.entries()) {
    const noise = await openDevice(instance, {}, index);
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
  const own = await openDevice(instance, { credential: pskOf(assignment("urn:dev:1")) });
  assert.equal(await own.bootstrap("urn:dev:1"), "2.04");
  await own.finished;
  assert.deepEqual(
    log.lines.filter((line) => line.startsWith("error")),
    [],
  );
});
