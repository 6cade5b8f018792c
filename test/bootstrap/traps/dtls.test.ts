import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../fake-balancer.ts";
import { assignment } from "../lockstep.ts";
import { COAPS, openDevice, startSite } from "../site.ts";
import { pskOf } from "../udp-device.ts";

const LIMIT = { timeout: 30_000 };

/** A datagram whose ClientHello is in a record of another version. */
function inRecordOf(version: number): (datagram: Uint8Array) => Uint8Array {
  return (datagram) => {
    const clientHello = datagram[0] === 22 && datagram[13] === 1;
    if (!clientHello) return datagram;
    const bent = Buffer.from(datagram);
    bent.writeUInt16BE(version, 1);
    return bent;
  };
}

test(
  "Anjay with mbedTLS 2.28, record version 0xFE00: the minor byte of a ClientHello's record is nothing to refuse it for",
  LIMIT,
  async () => {
    for (const version of [0xfe00, 0xfeff, 0xfefd]) {
      const { balancer, instance } = await startSite(["urn:dev:1"], [COAPS]);
      const credential = pskOf(assignment("urn:dev:1"));
      let bent = 0;
      const bend = (datagram: Uint8Array): Uint8Array => {
        const sent = inRecordOf(version)(datagram);
        if (sent !== datagram && Buffer.from(sent).readUInt16BE(1) === version) bent++;
        return sent;
      };
      const own = await openDevice(instance, { credential, bend });
      assert.equal(await own.bootstrap("urn:dev:1"), "2.04");
      await own.finished;
      assert.ok(bent >= 2, "both ClientHellos, without cookie and with");
      await until(() => balancer.applied.length === 2, "notifications");
      assert.deepEqual(balancer.told, ["commenced urn:dev:1", "completed urn:dev:1"]);
    }
  },
);

test(
  "Wakaama, re-handshake from the same port: the association is replaced, its session fails, and the new one completes",
  LIMIT,
  async () => {
    const { balancer, instance } = await startSite(["urn:dev:1"], [COAPS]);
    let silent = true;
    const own = await openDevice(instance, {
      credential: pskOf(assignment("urn:dev:1")),
      answer: () => (silent ? null : undefined),
    });
    assert.equal(await own.bootstrap("urn:dev:1"), "2.04");
    await until(() => own.requests.length > 0, "the first request");
    silent = false;
    assert.equal(await own.bootstrap("urn:dev:1"), "2.04");
    await own.finished;
    await until(() => balancer.applied.length === 4, "notifications");
    const told = balancer.applied.map(({ kind, cause }) => cause ?? kind);
    assert.deepEqual(told, ["commenced", "connection-lost", "commenced", "completed"]);
  },
);

test(
  "Wakaama and others, re-handshake from the same port after a Bootstrap-Pack: the device may still object",
  LIMIT,
  async () => {
    const { balancer, instance } = await startSite(["urn:dev:1"], [COAPS]);
    const own = await openDevice(instance, { credential: pskOf(assignment("urn:dev:1")) });
    await own.connect();
    const result = await own.asks({ method: "GET", path: ["bspack"], query: ["ep=urn:dev:1"] });
    assert.equal("response" in result && result.response.code, "2.05");
    assert.equal(await own.bootstrap("urn:dev:1"), "2.04");
    await own.finished;
    await until(() => balancer.applied.length === 4, "notifications");
    const told = balancer.applied.map(({ kind, cause }) => cause ?? kind);
    assert.deepEqual(told, ["commenced", "cancelled", "commenced", "completed"]);
  },
);
