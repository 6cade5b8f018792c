import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { AuditEntry, DeviceView, InstanceView } from "../../src/control/index.ts";
import { berth } from "../support/program.ts";
import { csvOf, hexOf, System, testDevices } from "../support/system.ts";
import { until } from "../support/until.ts";

/* The commands of an operator, against a balancer with two instances. */

const KEY = "00112233445566778899aabbccddeeff";

describe("an operator", () => {
  let system: System;
  before(async () => {
    system = await System.start({ instances: 2 });
  });
  after(() => system?.stop());

  const file = (name: string, text: string): string => {
    const path = join(system.folder, name);
    writeFileSync(path, text);
    return path;
  };

  test("imports a CSV file of which some rows are bad: each is told with its line and reason, the rest is imported", async () => {
    const csv = `endpoint,psk,group
urn:csv:1,${KEY},north
urn:csv:2,0011,north
urn:csv:3,no-hex,north
,${KEY},north
urn:csv:5,${KEY}
"urn:csv:6,
${KEY}",${KEY},south
urn:csv:7,${KEY.toUpperCase()},"a ""quoted"" group"
`;
    const path = file("some.csv", csv);
    const { code, stdout, stderr } = await system.berth("import", path);
    assert.equal(code, 1);
    assert.equal(stdout, "2 devices added, 0 updated, 5 rejected\n");
    const told = stderr.split("\n").filter((line) => line.startsWith(path));
    const lines = told.map((line) => line.slice(path.length + 1));
    assert.deepEqual(
      lines.map((line) => Number.parseInt(line, 10)),
      [3, 4, 5, 6, 7],
    );
    assert.match(lines[0] ?? "", /psk has 2 bytes, at least 16 are needed/);
    assert.match(lines[1] ?? "", /psk: only the hex digits/);
    assert.match(lines[2] ?? "", /endpoint/);
    assert.match(lines[3] ?? "", /the row has 2 fields, the header has 3/);
    assert.match(lines[4] ?? "", /control character/);
    assert.ok(!stderr.includes(KEY), "no key is repeated");
  });

  test("imports NDJSON, also from standard input; a second time devices are updated", async () => {
    const good = [1, 2].map((n) => JSON.stringify({ endpoint: `urn:json:${n}`, psk: KEY, attributes: { site: "Hall A" } }));
    const bad = ["{", JSON.stringify({ endpoint: "urn:json:3", pks: KEY }), JSON.stringify([1])];
    const path = file("some.ndjson", [...good, ...bad].join("\n"));
    const { code, stdout, stderr } = await system.berth("import", path, "--json");
    assert.equal(code, 1);
    assert.deepEqual(JSON.parse(stdout), { rows: 5, inserted: 2, updated: 0, rejected: 3 });
    assert.match(stderr, /some\.ndjson:3: the line is not a JSON object/);
    assert.match(stderr, /some\.ndjson:4: .*unknown key "pks", did you mean "psk"\?/);
    assert.match(stderr, /some\.ndjson:5: /);
    assert.ok(!stderr.includes(KEY), "no key is repeated");

    const args = ["import", "-", "--format", "ndjson", "--json", "--config", system.config];
    const again = await berth(args, { input: good.join("\n") });
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(JSON.parse(again.stdout), { rows: 2, inserted: 0, updated: 2, rejected: 0 });
  });

  test("gets one line for a file that is no list of devices", async () => {
    const { code, stderr } = await system.berth("import", file("semicolons.csv", "endpoint;psk\na;b\n"));
    assert.equal(code, 2);
    assert.match(
      stderr,
      /semicolons\.csv: line 1 must name the columns: "endpoint" is missing; fields are separated by commas\n$/,
    );
  });

  test("lists devices, as a table or JSON: all, those of a state, some by name, with their live names if asked for", async () => {
    const devices = testDevices(60);
    await system.berth("import", file("many.csv", csvOf(devices)));
    const [table, all, pending, completed, one, nobody] = await Promise.all([
      system.berth("devices"),
      system.berth("devices", "--json", "--limit", "1000"),
      system.berth("devices", "--json", "--limit", "1000", "--state", "pending"),
      system.berth("devices", "--json", "--state", "completed"),
      system.berth("devices", "--json", "--names", "urn:test:0007"),
      system.berth("devices", "urn:nobody"),
    ]);
    assert.match(table.stdout, /^endpoint +mode +state +instance +profile +failures +last failure\n/);
    assert.equal(table.stdout.trim().split("\n").length, 51, "50 at most unless told otherwise");
    assert.match(table.stderr, /50 shown; in all 64 pending, 0 commenced, 0 completed/);
    const names = (text: string): string[] => (JSON.parse(text) as DeviceView[]).map(({ endpoint }) => endpoint);
    assert.deepEqual(
      names(all.stdout),
      [...devices.map(({ endpoint }) => endpoint), "urn:csv:1", "urn:csv:7", "urn:json:1", "urn:json:2"].sort(),
    );
    assert.deepEqual(names(pending.stdout), names(all.stdout));
    assert.deepEqual(names(completed.stdout), []);
    const [view] = JSON.parse(one.stdout) as DeviceView[];
    assert.deepEqual([view?.endpoint, view?.state, view?.profile], ["urn:test:0007", "pending", "default"]);
    assert.match(view?.names?.[0] ?? "", /^bs[a-z2-7]{16}\.fleet\.berth\.test$/);
    assert.doesNotMatch(all.stdout + table.stdout, /bs[a-z2-7]{16}/, "live names only when asked for");
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /^berth: [^\n]*urn:nobody[^\n]*\n$/);
  });

  test("sees a device bootstrap: it prints its objects, and is completed", async () => {
    const [device] = testDevices(1);
    assert.ok(device !== undefined);
    const args = ["device", "--endpoint", device.endpoint, "--psk", hexOf(device), "--json"];
    const { code, stdout, stderr } = await system.berth(...args);
    assert.equal(code, 0, stderr);
    const { completed, attempts, tree } = JSON.parse(stdout) as { completed: boolean; attempts: number; tree: object };
    assert.deepEqual([completed, attempts], [true, 1]);
    const uris = Object.entries(tree).filter(([path, value]) => path.endsWith("/0") && String(value).startsWith("coaps:"));
    assert.ok(
      uris.some(([, value]) => value === "coaps://lwm2m.example.com:5684"),
      stdout,
    );
    assert.ok(!stdout.includes(hexOf(device)) && !stderr.includes(hexOf(device)), "no key is shown");

    const again = await system.berth("device", "--endpoint", device.endpoint, "--psk", hexOf(device), "--attempts", "1");
    assert.equal(again.code, 1, "it is not named again");
    assert.match(again.stderr, /gave up after 1 attempt:/);
  });

  test("lists instances, as a table or JSON", async () => {
    const [table, json] = await Promise.all([system.berth("instances"), system.berth("instances", "--json")]);
    assert.match(
      table.stdout,
      /^instance +state +address +weight +region +pending +commenced +completed +sessions +admission +turned away +handshakes +cpu %\n/,
    );
    const views = JSON.parse(json.stdout) as InstanceView[];
    assert.deepEqual(
      views.map(({ id, state, addresses }) => [id, state, addresses.ipv4]),
      [...system.addresses].map(([id, address]) => [id, "up", address]),
    );
    const pending = views.map((view) => view.pending + view.completed);
    assert.equal(pending[0], pending[1], "64 devices, spread evenly");
  });

  test("drains an instance, lets it have devices again, and sets its weight; with the options behind the id", async () => {
    const pendingOf = async (id: string): Promise<number> => {
      const { instances } = await system.client.call("instances", {});
      return instances.find((instance) => instance.id === id)?.pending ?? Number.NaN;
    };
    const drained = await system.berth("instances", "drain", "bs-2");
    assert.match(drained.stdout, /^bs-2 is drain(ing|ed), weight 1; devices moved: \d+\n$/);
    assert.equal(await pendingOf("bs-2"), 0);
    const undrained = await system.berth("instances", "undrain", "bs-2");
    assert.match(undrained.stdout, /^bs-2 is up, weight 1; /, undrained.stderr);
    const weight = await system.berth("instances", "weight", "bs-2", "3");
    assert.match(weight.stdout, /^bs-2 is up, weight 3 \(1\); devices moved: \d+\n$/);
    assert.ok((await pendingOf("bs-2")) > 2 * (await pendingOf("bs-1")));
    assert.equal((await system.berth("instances", "weight", "bs-2", "auto")).code, 0);
    const wrong = await system.berth("instances", "weight", "bs-2", "heavy");
    assert.deepEqual([wrong.code, wrong.stderr], [2, 'berth: weight: "heavy" is neither auto nor a number from 0 on\n']);
  });

  test("plans: what would move without an instance, and by what the next epoch would change, with nothing changed", async () => {
    const before = await system.client.call("instances", {});
    const gone = await system.berth("plan", "--without", "bs-2");
    assert.equal(gone.code, 0, gone.stderr);
    assert.match(gone.stdout, /^instance +before +after +arriving +leaving +names added +names removed\nbs-1 /);
    assert.match(gone.stderr, /^\d+ devices would move at once\. Nothing was changed\.\n$/);
    const next = JSON.parse((await system.berth("plan", "--json")).stdout) as { added: number; instances: { id: string }[] };
    assert.ok(next.added > 0);
    assert.deepEqual(
      next.instances.map(({ id }) => id),
      ["bs-1", "bs-2"],
    );
    const after = await system.client.call("instances", {});
    assert.deepEqual(
      after.instances.map(({ pending }) => pending),
      before.instances.map(({ pending }) => pending),
    );
    const wrong = await system.berth("plan", "--weight", "bs-1");
    assert.deepEqual([wrong.code, /"bs-1" is not ID=WEIGHT/.test(wrong.stderr)], [2, true]);
  });

  test("sets a profile, and is told what is wrong with one as the check tells it", async () => {
    const good = file("meter.yaml", readFileSync("examples/profile.yaml", "utf8"));
    const set = await system.berth("profile", "put", "meter", good);
    assert.deepEqual([set.code, set.stdout], [0, "profile meter is set\n"], set.stderr);
    const csv = file("meter.csv", `endpoint,psk,server_key,profile\nurn:meter:1,${KEY},${KEY},meter\n`);
    assert.equal((await system.berth("import", csv)).code, 0);

    const bad = file("bad.yaml", readFileSync("examples/profile.yaml", "utf8").replace("shortServerId: 101", "shortServerId: 0"));
    const [put, check] = await Promise.all([system.berth("profile", "put", "meter", bad), berth(["profile", "check", bad])]);
    assert.equal(put.code, 2);
    assert.match(put.stderr, /^berth: profile meter: servers\[0\]\.shortServerId: .*\(got 0\)\n$/);
    assert.equal(put.stderr.replace("berth: profile meter", bad), check.stderr);
    const leshan = await system.berth("profile", "put", "any", "examples/profile.leshan.json", "--json");
    assert.equal(leshan.code, 0, leshan.stderr);
    assert.ok((JSON.parse(leshan.stdout) as { profile: string }[]).length >= 1);
  });

  test("imports devices of all modes; what is wrong with one is told by line, field and value", async () => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
    const path = file(
      "modes.csv",
      `endpoint,mode,psk,public_key,secret
urn:mode:psk,psk,${KEY},,
urn:mode:x509,x509,,,${KEY}
urn:mode:rpk,,,"${pem}",
urn:mode:nosec,nosec,,,${KEY}
urn:mode:bad,x509,,,
urn:mode:worse,eap,,,${KEY}
`,
    );
    const { code, stdout, stderr } = await system.berth("import", path);
    assert.equal(code, 1);
    assert.equal(stdout, "4 devices added, 0 updated, 2 rejected\n");
    assert.match(stderr, /modes\.csv:10: secret is missing: a device of mode x509 has no key here/);
    assert.match(stderr, /modes\.csv:11: mode: "eap" is none of psk, x509, rpk, nosec/);
    const shown = await system.berth("devices", "--json", "urn:mode:psk", "urn:mode:x509", "urn:mode:rpk", "urn:mode:nosec");
    assert.deepEqual(
      (JSON.parse(shown.stdout) as DeviceView[]).map(({ mode }) => mode),
      ["psk", "x509", "rpk", "nosec"],
    );
  });

  test("rotates by hand, and the balancer's log says why", async () => {
    const [text, json] = await Promise.all([system.berth("rotate", "--reason", "a leak"), system.berth("rotate", "--json")]);
    assert.match(text.stdout, /^\d+ devices pending, \d+ moved\n$/);
    assert.deepEqual(Object.keys(JSON.parse(json.stdout)), ["pending", "moved", "stepped", "warnings"]);
    assert.match(text.stderr, /^warning: names stay as they are until the next epoch, at 20[^\n]*\n$/);
    assert.match(system.logs, /"reason":"a leak".*"names are regenerated"/);
  });

  test("re-arms a completed device, which bootstraps again; its history has both, and the audit log says why", async () => {
    const [device] = testDevices(1);
    assert.ok(device !== undefined);
    const nothing = await system.berth("rearm");
    assert.equal(nothing.code, 2);
    assert.match(nothing.stderr, /^berth: rearm: nothing is selected; [^\n]*--all\n$/);
    const { code, stdout, stderr } = await system.berth("rearm", device.endpoint, "urn:nobody", "--reason", "new server");
    assert.deepEqual([code, stdout, stderr], [1, "1 devices re-armed\n", "no device urn:nobody\n"]);
    const none = await system.berth("rearm", "--all", "--completed-before", "30d", "--group", "north", "--json");
    assert.deepEqual(JSON.parse(none.stdout), { rearmed: 0, unknown: [] });

    const again = await system.berth("device", "--endpoint", device.endpoint, "--psk", hexOf(device), "--json");
    assert.equal(again.code, 0, again.stderr);
    await until(async () => {
      const [view] = JSON.parse((await system.berth("devices", device.endpoint, "--history", "--json")).stdout) as DeviceView[];
      return view?.history?.length === 2 && view.history.every(({ outcome }) => outcome === "completed");
    }, "two bootstraps in the history");
    const shown = await system.berth("devices", device.endpoint, "--history");
    assert.match(
      shown.stdout,
      /\nendpoint +commenced +instance +name hash +took +outcome\n(urn:test:\d+ .* [0-9a-f]{12} .*\n){2}$/,
    );
    assert.equal((await system.berth("devices", "--history")).code, 2);

    const audit = await system.berth("audit", "--limit", "1000", "--json");
    const entries = JSON.parse(audit.stdout) as AuditEntry[];
    assert.ok(entries.some(({ kind, reason, counts }) => kind === "rearming" && reason === "new server" && counts.rearmed === 1));
    assert.match((await system.berth("audit", "--limit", "2")).stdout, /^at +kind +subject +trigger +reason +counts\n.*\n.*\n$/);
  });

  test("tells of a suspected leak, and the audit log has it as such", async () => {
    const { code, stderr } = await system.berth("rotate", "--leak", "--reason", "seen in a ticket");
    assert.equal(code, 0, stderr);
    const [last] = JSON.parse((await system.berth("audit", "--json")).stdout) as AuditEntry[];
    assert.deepEqual([last?.kind, last?.trigger, last?.reason], ["rotation", "leak", "seen in a ticket"]);
  });

  test("is asked before an import changes many live names: nothing of it is taken until it is confirmed", async () => {
    const rekeyed = (key: string): string =>
      file("other-keys.csv", csvOf(testDevices(60).map((device) => ({ ...device, key: key.repeat(16) }))));
    const held = await system.berth("import", rekeyed("1"));
    assert.equal(held.code, 1);
    assert.match(held.stderr, /berth: .*other-keys\.csv: held, and nothing of it was taken: .* --confirm\n$/);
    assert.equal(held.stdout, "");
    const list = await system.berth("confirm", "--list");
    assert.match(
      list.stdout,
      /^what +since +confirmed +explanation\nimport +\S+ +no +it would give devices other names.* devices with names/,
    );
    assert.match((await system.berth("devices", "--limit", "1")).stderr, /held: import: .*; see berth confirm/);
    assert.match((await system.berth("confirm")).stdout, /^what .*\nimport .* yes /);
    assert.deepEqual(JSON.parse((await system.berth("confirm", "--json")).stdout), []);
    assert.equal((await system.berth("import", rekeyed("1"))).stdout, "0 devices added, 60 updated, 0 rejected\n");
    const meant = await system.berth("import", rekeyed("2"), "--confirm");
    assert.equal(meant.stdout, "0 devices added, 60 updated, 0 rejected\n");
    const audit = JSON.parse((await system.berth("audit", "--json")).stdout) as AuditEntry[];
    assert.deepEqual(
      audit.slice(0, 3).map(({ kind, subject }) => [kind, subject]),
      [
        ["confirmed", "import"],
        ["confirmed", "import"],
        ["held", "import"],
      ],
    );
  });

  test("may have the registry compared with what should be in it", async () => {
    const { code, stderr } = await system.berth("compare");
    assert.equal(code, 0, stderr);
  });

  test("is told in one line when the token is wrong", async () => {
    const wrong = file("wrong.token", "x".repeat(32));
    const { code, stderr } = await berth(["devices", "--config", system.config, "--token-file", wrong]);
    assert.equal(code, 1);
    assert.equal(stderr, "berth: this needs the token of its role as a bearer token\n");
  });

  test("asks the balancer of the configuration it names, whatever the environment says", async () => {
    const env = { BERTH_URL: "http://127.0.0.1:1", BERTH_TOKEN: "x".repeat(32) };
    assert.equal((await berth(["devices", "--config", system.config], { env })).code, 0);
  });

  test("is told in one line when the balancer cannot be reached", async () => {
    await system.program("balancer").stop();
    const commands = [["devices"], ["instances"], ["rotate"], ["import", file("one.csv", csvOf(testDevices(1)))]];
    for (const { code, stderr } of await Promise.all(commands.map((command) => system.berth(...command)))) {
      assert.equal(code, 1);
      const where = `http://${system.dns.address}:${system.controlPort}`;
      assert.match(stderr, new RegExp(`^berth: no balancer at ${where}: connect ECONNREFUSED [^\\n]*\\n$`));
    }
  });
});
