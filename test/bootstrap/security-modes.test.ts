import assert from "node:assert/strict";
import { test } from "node:test";
import type { Proven } from "../../src/bootstrap/index.ts";
import type { Assignment, LookupReply } from "../../src/control/index.ts";
import { assignment, World } from "./lockstep.ts";

/** SHA-256 of a raw public key. */
const KEY_HASH = "ab".repeat(32);
const OTHER_HASH = "cd".repeat(32);

/** A device of each mode. */
const DEVICES: readonly Assignment[] = [
  assignment("urn:dev:psk"),
  without("urn:dev:x509", "x509", "urn:dev:x509"),
  without("urn:dev:rpk", "rpk", KEY_HASH),
  without("urn:dev:nosec", "nosec", "urn:dev:nosec"),
];

/** An assignment without a pre-shared key. */
function without(endpoint: string, mode: Assignment["mode"], identity: string): Assignment {
  const { psk: secret, ...rest } = assignment(endpoint);
  return { ...rest, mode, identity, secret };
}

const PSK: Proven = { mode: "psk", identity: "id-urn:dev:psk" };
const x509 = (...names: string[]): Proven => ({ mode: "x509", names });
const RPK: Proven = { mode: "rpk", identity: KEY_HASH };
const UNAUTHORIZED = 'ACK 4.00 "Unauthorized"';

test("what the handshake proves must be what the endpoint is to prove (LwM2M Transport Binding 1.1, section 5.2)", () => {
  for (const [proven, ep, answer, why] of [
    [PSK, "urn:dev:psk", "ACK 2.04", /./],
    [x509("urn:dev:x509"), "urn:dev:x509", "ACK 2.04", /./],
    [RPK, "urn:dev:rpk", "ACK 2.04", /./],
    // a name of the certificate, whichever
    [x509("serial 4711", "gateway.example.com", "urn:dev:x509"), "urn:dev:x509", "ACK 2.04", /./],
    // another's endpoint
    [PSK, "urn:dev:x509", UNAUTHORIZED, /the identity does not belong to the endpoint/],
    [x509("urn:dev:x509"), "urn:dev:psk", UNAUTHORIZED, /the certificate does not name the endpoint/],
    [RPK, "urn:dev:x509", UNAUTHORIZED, /the identity does not belong to the endpoint/],
    [{ mode: "rpk", identity: OTHER_HASH } as const, "urn:dev:rpk", "later", /the device is not known/],
    // the right name, proven in the wrong way
    [x509("urn:dev:psk"), "urn:dev:psk", UNAUTHORIZED, /to prove itself by psk, not by x509/],
    [x509("urn:dev:rpk"), "urn:dev:rpk", UNAUTHORIZED, /to prove itself by rpk, not by x509/],
    [x509("urn:dev:nosec"), "urn:dev:nosec", UNAUTHORIZED, /to prove itself by nosec, not by x509/],
    [{ mode: "psk", identity: KEY_HASH } as const, "urn:dev:rpk", UNAUTHORIZED, /to prove itself by rpk, not by psk/],
    [{ mode: "psk", identity: "urn:dev:x509" } as const, "urn:dev:x509", UNAUTHORIZED, /by x509, not by psk/],
    [{ mode: "rpk", identity: "id-urn:dev:psk" } as const, "urn:dev:psk", UNAUTHORIZED, /by psk, not by rpk/],
    // names count exactly
    [x509("URN:DEV:X509"), "urn:dev:x509", UNAUTHORIZED, /does not name/],
    [x509("urn:dev:x509,urn:dev:1"), "urn:dev:x509", UNAUTHORIZED, /does not name/],
    [x509(), "urn:dev:x509", UNAUTHORIZED, /does not name/],
  ] as const) {
    for (const request of [`POST /bs?ep=${ep}`, `GET /bspack?ep=${ep}`]) {
      if (answer === "later") continue;
      const world = new World({ assigned: DEVICES });
      const device = world.device(proven);
      device.sends(request);
      if (answer !== "ACK 2.04") {
        device.hears(answer);
        world.log.says(why);
        assert.deepEqual(world.told(), []);
      } else device.hears(request.startsWith("POST") ? "ACK 2.04" : "ACK");
      assert.deepEqual(world.asked, [], "the balancer need not be asked");
    }
  }
});

test("a raw public key nobody knows is asked for by its hash, and refused", async () => {
  const world = new World({ assigned: DEVICES });
  const device = world.device({ mode: "rpk", identity: OTHER_HASH });
  device.sends("POST /bs?ep=urn:dev:rpk");
  await new Promise((resolve) => setImmediate(resolve));
  device.hears(UNAUTHORIZED);
  assert.deepEqual(world.asked, [{ identity: OTHER_HASH }]);
});

test("an endpoint name that is left out is that of the PSK identity, the certificate's CN, the key's device", () => {
  for (const [proven, endpoint] of [
    [PSK, "urn:dev:psk"],
    [x509("urn:dev:x509", "gateway.example.com"), "urn:dev:x509"],
    [RPK, "urn:dev:rpk"],
  ] as const) {
    const world = new World({ assigned: DEVICES });
    const device = world.device(proven);
    device.sends("POST /bs");
    device.hears("ACK 2.04");
    assert.deepEqual(world.told(), [`commenced ${endpoint}`]);
  }
  const nameless = new World({ assigned: DEVICES });
  const device = nameless.device(x509());
  device.sends("POST /bs");
  device.hears(UNAUTHORIZED);
});

test("the balancer is asked for the endpoint of a certificate, and its answer is held to it", async () => {
  for (const [endpoint, answer] of [
    ["urn:dev:x509", "ACK 2.04"],
    ["urn:dev:other", UNAUTHORIZED],
  ] as const) {
    const ask = async (): Promise<LookupReply> => ({ assignment: without(endpoint, "x509", endpoint) });
    const world = new World({ assigned: [], ask });
    const device = world.device(x509("urn:dev:x509"));
    device.sends("POST /bs");
    await new Promise((resolve) => setImmediate(resolve));
    device.hears(answer);
    assert.deepEqual(world.asked, [{ endpoint: "urn:dev:x509" }]);
  }
});

test("a NoSec listener serves a device of any mode, as it is there because the configuration says so", () => {
  for (const { endpoint } of DEVICES) {
    const device = new World({ assigned: DEVICES }).device(null);
    device.sends(`POST /bs?ep=${endpoint}`);
    device.hears("ACK 2.04");
  }
});

test("a session may be taken over by what has proven the same device, and never by what has proven nothing", () => {
  const world = new World({ assigned: DEVICES });
  const device = world.device(x509("urn:dev:x509"));
  device.sends("POST /bs?ep=urn:dev:x509");
  device.hears("ACK 2.04");
  const stranger = world.device(null, { address: device.caller.address });
  stranger.sends("POST /bs?ep=urn:dev:x509");
  stranger.hears(UNAUTHORIZED);
  const other = world.device(x509("urn:dev:other"));
  other.sends("POST /bs?ep=urn:dev:x509");
  other.hears(UNAUTHORIZED);
  assert.deepEqual(world.told(), ["commenced urn:dev:x509"]);
  const again = world.device(x509("urn:dev:x509"));
  again.sends("POST /bs?ep=urn:dev:x509");
  again.hears("ACK 2.04");
  assert.deepEqual(world.told(), ["failed urn:dev:x509 cancelled", "commenced urn:dev:x509"]);
});
