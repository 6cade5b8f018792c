import assert from "node:assert/strict";
import { test } from "node:test";
import type { LookupReply } from "../../src/control/index.ts";
import { builtInRecipe, type Recipe, temporaryUri } from "../../src/naming/index.ts";
import { assignment, begin, configure, type LockstepDevice, NOON, World } from "./lockstep.ts";

const HOUR = 3_600_000;

/** Asserts that a request is refused with this answer, that no session begins, and what the log says. */
function refused(world: World, device: LockstepDevice, request: string, answer: string, why: RegExp): void {
  device.sends(request);
  device.hears(answer);
  device.hearsNothing();
  assert.deepEqual(world.told(), []);
  world.log.says(why);
}

test("a request that names no endpoint is served by what its identity says", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  device.sends("POST /bs");
  device.hears("ACK 2.04");
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
});

test("an empty endpoint name, and none on a NoSec listener, is missing", () => {
  const world = new World();
  refused(world, world.device("id-urn:dev:1"), "POST /bs?ep=", 'ACK 4.00 "endpoint name missing"', /names no endpoint/);
  refused(world, world.device(null), "POST /bs", 'ACK 4.00 "endpoint name missing"', /names no endpoint/);
});

test("an identity serves no other endpoint than its own", () => {
  /*
   * association of id-urn:dev:1
   * CON POST /bs?ep=urn:dev:2     -->
   *                               <--  ACK 4.00 "Unauthorized"
   */
  const world = new World();
  const device = world.device("id-urn:dev:1");
  refused(
    world,
    device,
    "POST /bs?ep=urn:dev:2",
    'ACK 4.00 "Unauthorized"',
    /request refused .*"identity":"id-urn:dev:1","endpoint":"urn:dev:2".*does not belong/,
  );
});

test("one that is refused cannot cancel the session of the endpoint it names", () => {
  const world = new World();
  const device = world.device("id-urn:dev:2");
  device.sends("POST /bs?ep=urn:dev:2");
  device.hears("ACK 2.04");
  device.hears("CON DELETE /0");
  world.told();
  refused(world, world.device("id-urn:dev:1"), "POST /bs?ep=urn:dev:2", 'ACK 4.00 "Unauthorized"', /does not belong/);
  device.answers("2.02");
  device.hears("CON DELETE /1");
});

test("NON is answered 4.00, not served", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  device.sends("POST /bs?ep=urn:dev:1", { confirmable: false });
  device.hears('NON 4.00 "CON CoAP type expected"');
  assert.deepEqual(world.told(), []);
});

test("pct: what is no number is 4.00, what is not supported 4.15 (LwM2M Core 1.2, Bootstrap-Request)", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  refused(world, device, "POST /bs?ep=urn:dev:1&pct=senml", 'ACK 4.00 "pct is not a number"', /pct/);
  refused(world, device, "POST /bs?ep=urn:dev:1&pct=", 'ACK 4.00 "pct is not a number"', /pct/);
  for (const format of [50, 0, 40, 42, 60, 11543, 65536, 100_000, "9".repeat(200)]) {
    refused(world, device, `POST /bs?ep=urn:dev:1&pct=${format}`, "ACK 4.15", /not supported/);
  }
  for (const format of [11542, 110, 112, 11544]) {
    const served = new World().device("id-urn:dev:1");
    served.sends(`POST /bs?ep=urn:dev:1&pct=${format}`);
    served.hears("ACK 2.04");
  }
});

test("a parameter that is given twice could be read in two ways, and is 4.00", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  refused(world, device, "POST /bs?ep=urn:dev:1&ep=urn:dev:2", 'ACK 4.00 "ep is given twice"', /ep is given twice/);
  refused(world, device, "POST /bs?ep=urn:dev:1&ep=urn:dev:1", 'ACK 4.00 "ep is given twice"', /ep is given twice/);
  refused(world, device, "POST /bs?pct=110&pct=112&ep=urn:dev:1", 'ACK 4.00 "pct is given twice"', /pct is given twice/);
});

test("other parameters are passed over", () => {
  const device = new World().device("id-urn:dev:1");
  device.sends("POST /bs?lt=60&ep=urn:dev:1&lwm2m=1.1&b=U&episode=4&acc=x");
  device.hears("ACK 2.04");
});

test("a profile that does not fit the device is 4.00 and told to the balancer, with what is missing", () => {
  const world = new World({ assigned: [assignment("urn:dev:1", { attributes: {} })] });
  const device = world.device("id-urn:dev:1");
  device.sends("POST /bs?ep=urn:dev:1");
  device.hears('ACK 4.00 "no bootstrap config"');
  assert.match(world.reports[1]?.detail ?? "", /profile default does not fit: .*key/);
});

test("other paths and methods", () => {
  const device = new World().device("id-urn:dev:1");
  for (const [request, answer] of [
    ["POST /bspack?ep=urn:dev:1", "ACK 4.05"],
    ["GET /bs?ep=urn:dev:1", "ACK 4.05"],
    ["PUT /bs?ep=urn:dev:1", "ACK 4.05"],
    ["DELETE /bspack?ep=urn:dev:1", "ACK 4.05"],
    ["GET /pfx/bspack?ep=urn:dev:1", "ACK 4.04"],
    ["POST /rd?ep=urn:dev:1", "ACK 4.04"],
    ["GET /", "ACK 4.04"],
    ["GET /.well-known/core", "ACK 4.04"],
    ["POST /pfx/bs?ep=urn:dev:1", "ACK 4.04"],
  ] as const) {
    device.sends(request);
    device.hears(answer);
  }
});

test("the path of the static URI may stand before bs", () => {
  const world = new World({ uri: "coaps://bs.example.com/tenant/7" });
  const device = world.device("id-urn:dev:1");
  device.sends("POST /tenant/8/bs?ep=urn:dev:1");
  device.hears("ACK 4.04");
  device.sends("POST /tenant/7/bs?ep=urn:dev:1");
  device.hears("ACK 2.04");
});

test("a device that shows its own live name is served, by SNI and by Uri-Host", () => {
  const world = new World();
  const name = world.nameOf("urn:dev:1");
  for (const device of [
    world.device("id-urn:dev:1", { serverName: name }),
    world.device("id-urn:dev:1", { serverName: `${name.toUpperCase()}.` }),
  ]) {
    device.sends("POST /bs?ep=urn:dev:1", { uriHost: name });
    device.hears("ACK 2.04");
  }
});

test("a name that is not the device's own is 4.00, whoever's it is, and the log hides it", () => {
  for (const endpoint of ["urn:dev:2", "urn:dev:3"]) {
    const world = new World();
    const name = world.nameOf(endpoint);
    refused(
      world,
      world.device("id-urn:dev:1", { serverName: name }),
      "POST /bs?ep=urn:dev:1",
      'ACK 4.00 "Unauthorized"',
      /not a live name/,
    );
    const device = world.device("id-urn:dev:1");
    device.sends("POST /bs?ep=urn:dev:1", { uriHost: name });
    device.hears('ACK 4.00 "Unauthorized"');
    assert.ok(world.log.lines.every((line) => !line.includes(name) && !line.includes(name.split(".")[0] ?? "")));
  }
});

test("a right name does not make up for a wrong Uri-Host", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1", { serverName: world.nameOf("urn:dev:1") });
  device.sends("POST /bs?ep=urn:dev:1", { uriHost: world.nameOf("urn:dev:2") });
  device.hears('ACK 4.00 "Unauthorized"');
});

test("hosts that say nothing of a name count as not sent", () => {
  const world = new World();
  for (const serverName of [
    "127.0.0.1",
    "::1",
    "bs.example.com",
    "BS.example.com.",
    "lwm2m.example.org",
    "localhost",
    undefined,
  ]) {
    const device = world.device("id-urn:dev:1", serverName === undefined ? {} : { serverName });
    device.sends("POST /bs?ep=urn:dev:1");
    device.hears("ACK 2.04");
  }
});

test("a name lives for the skew around its epoch, and not longer", () => {
  // berth-1 rounds to the nearest hour: the epoch of 12:00 ends at 12:30
  for (const [minutes, answer] of [
    [-4, "ACK 2.04"],
    [34, "ACK 2.04"],
    [36, 'ACK 4.00 "Unauthorized"'],
    [70, 'ACK 4.00 "Unauthorized"'],
  ] as const) {
    const world = new World({ assigned: [assignment("urn:dev:1")] });
    const name = world.nameOf("urn:dev:1");
    world.clock.set(NOON + minutes * 60_000);
    const device = world.device("id-urn:dev:1", { serverName: name });
    device.sends("POST /bs?ep=urn:dev:1");
    device.hears(answer);
  }
  // and the next epoch's name is good before its time
  const world = new World();
  const next = world.nameOf("urn:dev:1", -HOUR);
  world.clock.set(NOON + 26 * 60_000);
  const device = world.device("id-urn:dev:1", { serverName: next });
  device.sends("POST /bs?ep=urn:dev:1");
  device.hears("ACK 2.04");
});

const COUNTING: Recipe = {
  ...builtInRecipe("berth-1"),
  parameters: [
    { kind: "endpoint", hashed: true },
    { kind: "counter", hashed: true },
  ],
  lookAhead: 2,
};

test("with a counter each device's names live from its own lowest counter to the look-ahead, and reports tell which was used (N3)", () => {
  const assigned = [assignment("urn:dev:1", { counter: 5 }), assignment("urn:dev:2")];
  for (const [endpoint, live] of [
    ["urn:dev:1", [5, 6, 7]],
    ["urn:dev:2", [0, 1, 2]],
  ] as const) {
    for (let counter = 0; counter < 10; counter++) {
      const world = new World({ recipe: COUNTING, assigned });
      const device = world.device(`id-${endpoint}`, { serverName: world.nameOf(endpoint, 0, counter) });
      device.sends(`POST /bs?ep=${endpoint}`);
      const isLive = live.some((one) => one === counter);
      device.hears(isLive ? "ACK 2.04" : 'ACK 4.00 "Unauthorized"');
      assert.deepEqual(
        world.reports.map((report) => [report.kind, report.counter]),
        isLive ? [["commenced", counter]] : [],
      );
    }
  }
});

test("a completed session tells the counter of its name too, and none where no name was seen (N3)", () => {
  for (const counter of [1, undefined]) {
    const world = new World({ recipe: COUNTING });
    const serverName = counter === undefined ? {} : { serverName: world.nameOf("urn:dev:1", 0, counter) };
    const device = world.device("id-urn:dev:1", serverName);
    begin(device);
    configure(device);
    device.answers("2.04");
    assert.deepEqual(
      world.reports.map((report) => [report.kind, report.counter]),
      [
        ["commenced", counter],
        ["completed", counter],
      ],
    );
  }
});

const IN_PATH: Recipe = { ...builtInRecipe("berth-1"), place: { in: "path" } };
const IN_QUERY: Recipe = { ...builtInRecipe("berth-1"), place: { in: "query", key: "t" } };

test("a token in the path or query is checked where the device sends it", () => {
  for (const recipe of [IN_PATH, IN_QUERY]) {
    const uri = "coaps://bs.example.com/a?x=1";
    const requestOf = (endpoint: string): string => {
      const secret = Buffer.from(assignment(endpoint).psk, "hex");
      const { path, query } = temporaryUri(recipe, uri, { secret, endpoint, instant: NOON });
      return `POST ${path}/bs?${query}&ep=urn:dev:1`;
    };
    for (const [request, answer] of [
      [requestOf("urn:dev:1"), "ACK 2.04"],
      [requestOf("urn:dev:2"), 'ACK 4.00 "Unauthorized"'],
      ["POST /a/bs?x=1&ep=urn:dev:1", "ACK 2.04"],
      ["POST /bs?ep=urn:dev:1", "ACK 2.04"],
    ] as const) {
      const device = new World({ recipe, uri }).device("id-urn:dev:1", { serverName: "bs.example.com" });
      device.sends(request);
      device.hears(answer);
    }
  }
});

test("a device the balancer knows and the instance does not is asked for, and served", async () => {
  const world = new World({ assigned: [], ask: async () => ({ assignment: assignment("urn:dev:1") }) });
  const device = world.device("id-urn:dev:1");
  device.sends("POST /bs?ep=urn:dev:1");
  device.hearsNothing();
  await settled();
  device.hears("ACK 2.04");
  assert.deepEqual(world.asked, [{ identity: "id-urn:dev:1" }]);
});

test("a request whose association has ended while the balancer was asked begins nothing, and ends nothing", async () => {
  /*
   * CON POST /bs  (association 1) -->            the balancer is asked
   *               (association 1)                ends
   * CON POST /bs  (association 2) -->
   *                                              the balancer has answered
   *                               <--  ACK 2.04  on association 2
   */
  let give: (reply: LookupReply) => void = () => {};
  const reply = new Promise<LookupReply>((resolve) => {
    give = resolve;
  });
  const world = new World({ assigned: [], ask: () => reply });
  const after = world.device("id-urn:dev:1");
  after.sends("POST /bs?ep=urn:dev:1");
  const before = world.device("id-urn:dev:1");
  before.sends("POST /bs?ep=urn:dev:1");
  before.leaves();
  give({ assignment: assignment("urn:dev:1") });
  await settled();
  after.hears("ACK 2.04");
  before.hearsNothing();
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
  assert.equal(world.service.counts.sessions, 1);
});

test("the balancer's refusals, and its silence", async () => {
  for (const [reply, answer] of [
    [{ refused: "unknown" }, 'ACK 4.00 "Unauthorized"'],
    [{ refused: "elsewhere" }, 'ACK 4.00 "Unauthorized"'],
    [{ refused: "completed" }, 'ACK 4.00 "no bootstrap config"'],
    [undefined, "ACK 5.03"],
  ] as const) {
    const ask = async (): Promise<LookupReply> => {
      if (reply === undefined) throw new Error("no balancer");
      return reply;
    };
    const world = new World({ assigned: [], ask });
    const device = world.device("id-urn:dev:1");
    device.sends("POST /bs?ep=urn:dev:1");
    await settled();
    device.hears(answer);
    assert.deepEqual(world.told(), []);
  }
});

test("NoSec: the endpoint name is all there is, and a stranger's cannot cancel a session", () => {
  const world = new World();
  const device = world.device(null, { address: "192.0.2.1" });
  device.sends("POST /bs?ep=urn:dev:1");
  device.hears("ACK 2.04");
  const stranger = world.device(null, { address: "192.0.2.66" });
  stranger.sends("POST /bs?ep=urn:dev:1");
  stranger.hears('ACK 4.00 "Unauthorized"');
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
  const restarted = world.device(null, { address: "192.0.2.1" });
  restarted.sends("POST /bs?ep=urn:dev:1");
  restarted.hears("ACK 2.04");
  const authenticated = world.device("id-urn:dev:1", { address: "192.0.2.9" });
  authenticated.sends("POST /bs?ep=urn:dev:1");
  authenticated.hears("ACK 2.04");
  restarted.sends("POST /bs?ep=urn:dev:1");
  assert.deepEqual(world.told(), [
    "failed urn:dev:1 cancelled",
    "commenced urn:dev:1",
    "failed urn:dev:1 cancelled",
    "commenced urn:dev:1",
  ]);
});

/** Lets promises that are done run what waits for them. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
