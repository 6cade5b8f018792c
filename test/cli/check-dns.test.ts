import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { type Finding, type Role, runChecks } from "../../src/cli/check/index.ts";
import { ipv4Bytes, nameToWire } from "../../src/dns/index.ts";
import { KEY, NOW, type Scripted, ScriptedWorld } from "./scripted-zone.ts";

const ZONE = "bs.berth-fleet.net";
const LIVE = `bsq7x.${ZONE}`;
const PRIMARY = "192.0.2.1:53";
const SECONDARY = "192.0.2.53:53";
const SERVERS = {
  embedded: { [SECONDARY]: ["own"] },
  rfc2136: { [PRIMARY]: ["update"], [SECONDARY]: ["observed"] },
  primary: { [PRIMARY]: ["own"], [SECONDARY]: ["secondary", "observed"] },
} satisfies Record<string, Record<string, Role[]>>;
type Registry = keyof typeof SERVERS;

const BASE = {
  embedded: {},
  rfc2136: { registry: "rfc2136", observe: [SECONDARY] },
  primary: { registry: "primary", observe: [SECONDARY], nameservers: [{ host: `ns1.${ZONE}`, ipv4: "192.0.2.53" }] },
} as const;

/** A world in which all is well, and one live name. */
function world(registry: Registry): ScriptedWorld {
  const made = new ScriptedWorld();
  made.dns = { ...BASE[registry] };
  made.balancer = {
    publication: null,
    held: [],
    liveNames: [{ name: nameToWire(LIVE), ipv4: ipv4Bytes("192.0.2.11"), ipv6: undefined }],
  };
  for (const name of [...Object.keys(SERVERS[registry]), SECONDARY]) made.at(name).addresses.set(`A ${LIVE}`, ["192.0.2.11"]);
  void made.parent;
  return made;
}

function run(made: ScriptedWorld, registry: Registry): Promise<readonly Finding[]> {
  return runChecks(made.context(SERVERS[registry]));
}

/** One fault, and the findings it makes, as `level check server`, and what they say. */
interface Case {
  readonly registry?: Registry;
  readonly spoil: (made: ScriptedWorld, server: Scripted, primary: Scripted) => void;
  readonly finds: Readonly<Record<string, RegExp>>;
}

const at = (level: string, check: string, server?: string): string =>
  `${level} ${check}${server === undefined ? "" : ` ${server}`}`;

const CASES: Readonly<Record<string, Case>> = {
  "a TTL below 5 s": {
    spoil: (made, server) => {
      made.dns.ttl = "2s";
      server.addressTtl = 2;
    },
    finds: { [at("warning", "configuration")]: /dns.ttl is 2s/ },
  },
  "a TTL above 5 min": {
    spoil: (made, server) => {
      made.dns.ttl = "10m";
      server.addressTtl = 600;
    },
    finds: { [at("warning", "configuration")]: /led to it for that long/ },
  },
  "a negative TTL above 30 s": {
    spoil: (made) => {
      made.dns.negativeTtl = "60s";
    },
    finds: { [at("warning", "configuration")]: /dns.negativeTtl is 1m/ },
  },
  "names that are published too late": {
    spoil: (made) => {
      made.more = { lead: 310_000 };
    },
    finds: { [at("warning", "configuration")]: /epochs.lead is 310s, less than epochs.skew and dns.negativeTtl together, 330s/ },
  },
  "epochs that are short beside the TTL": {
    spoil: (made) => {
      made.more = { epoch: 60_000 };
    },
    finds: { [at("warning", "configuration")]: /more than a quarter of an epoch of 1m/ },
  },
  "a primary that tells nobody": {
    registry: "primary",
    spoil: (made) => {
      made.dns.transfer = { key: "berth" };
    },
    finds: { [at("error", "configuration")]: /no secondary is told of changes/ },
  },
  "secondaries without names": {
    registry: "primary",
    spoil: (made) => {
      made.dns.nameservers = [];
    },
    finds: { [at("warning", "configuration")]: /NS records name the secondaries ns1/ },
  },
  "nobody looks where names arrive": {
    registry: "rfc2136",
    spoil: (made) => {
      made.dns.observe = [];
    },
    finds: { [at("warning", "configuration")]: /dns.observe is empty/ },
  },
  "a balancer that is down": {
    spoil: (made) => {
      made.balancer = { unreachable: "no balancer at http://127.0.0.1:8690" };
    },
    finds: { [at("warning", "balancer")]: /no balancer at/ },
  },
  "a server that is down": {
    spoil: (_, server) => {
      server.silent = "both";
    },
    finds: {
      [at("error", "answers", SECONDARY)]: /over UDP it does not answer: .*no answer in 1500 ms/,
    },
  },
  "a server that is silent over TCP": {
    spoil: (_, server) => {
      server.silent = "tcp";
    },
    finds: { [at("error", "answers", SECONDARY)]: /over TCP it does not answer/ },
  },
  "a zone that expired": {
    registry: "rfc2136",
    spoil: (_, server) => {
      server.rcode = 2;
    },
    finds: { [at("error", "answers", SECONDARY)]: /SERVFAIL.*expired/ },
  },
  "a server that does not have the zone": {
    registry: "rfc2136",
    spoil: (_, server) => {
      server.rcode = 5;
    },
    finds: { [at("error", "answers", SECONDARY)]: /REFUSED.*not configured there/ },
  },
  "a resolver in place of a server": {
    registry: "rfc2136",
    spoil: (_, server) => {
      server.aa = false;
    },
    finds: { [at("error", "answers", SECONDARY)]: /without authority/ },
  },
  "a zone that begins elsewhere": {
    registry: "rfc2136",
    spoil: (_, server) => {
      server.soa = undefined;
    },
    finds: { [at("error", "answers", SECONDARY)]: /without a SOA record/ },
  },
  "a key that cannot be read": {
    registry: "rfc2136",
    spoil: (made) => {
      made.more = { key: { unreadable: "dns.keys.berth.file: /etc/berth/berth.key: there is no such file" } };
    },
    finds: { [at("error", "key")]: /cannot be read: .* there is no such file/ },
  },
  "a key the server does not know": {
    registry: "rfc2136",
    spoil: (_made, _server, primary) => {
      primary.key = { ...KEY, name: "other" };
    },
    finds: { [at("error", "key", PRIMARY)]: /does not know the TSIG key "berth" \(hmac-sha256\) \(BADKEY\)/ },
  },
  "a key with another secret": {
    registry: "rfc2136",
    spoil: (_made, _server, primary) => {
      primary.key = { ...KEY, secret: new Uint8Array(32) };
    },
    finds: { [at("error", "key", PRIMARY)]: /another secret \(BADSIG\)/ },
  },
  "a key that may not update": {
    registry: "rfc2136",
    spoil: (_made, _server, primary) => {
      primary.signedUpdate = 5;
    },
    finds: { [at("error", "key", PRIMARY)]: /answers REFUSED to an update .* may not update this zone/ },
  },
  "a server without TSIG": {
    registry: "rfc2136",
    spoil: (_made, _server, primary) => {
      primary.key = undefined;
    },
    finds: { [at("error", "key", PRIMARY)]: /answers NOTIMP .* without a signature/ },
  },
  "a server that refuses what is signed and does not say why": {
    registry: "rfc2136",
    spoil: (_made, _server, primary) => {
      primary.key = undefined;
      primary.withoutKey = 5;
    },
    finds: { [at("error", "key", PRIMARY)]: /does not say why \(REFUSED\): .* or the clocks differ/ },
  },
  "a secondary that refuses NOTIFY": {
    registry: "primary",
    spoil: (_, server) => {
      server.notify = 5;
    },
    finds: { [at("error", "notify", SECONDARY)]: /answers REFUSED to NOTIFY/ },
  },
  "a secondary that does not look at signatures": {
    registry: "primary",
    spoil: (_, server) => {
      server.key = undefined;
    },
    finds: { [at("error", "notify", SECONDARY)]: /without a signature/ },
  },
  "a secondary with the wrong key, which therefore serves nothing": {
    registry: "primary",
    spoil: (_, server) => {
      server.key = { ...KEY, secret: new Uint8Array(32) };
      server.rcode = 2;
    },
    finds: { [at("error", "answers", SECONDARY)]: /SERVFAIL/, [at("error", "key", SECONDARY)]: /BADSIG/ },
  },
  "a clock 10 minutes ahead": {
    registry: "rfc2136",
    spoil: (_made, _server, primary) => {
      primary.clockAhead = -600_000;
    },
    finds: { [at("error", "clock", PRIMARY)]: /the clock of this host is 10 min ahead of that of the server.*BADTIME/ },
  },
  "a clock 4 minutes behind": {
    registry: "rfc2136",
    spoil: (_made, _server, primary) => {
      primary.clockAhead = 240_000;
    },
    finds: { [at("warning", "clock", PRIMARY)]: /4 min behind that of the server; from 5 min on/ },
  },
  "no owner record": {
    registry: "rfc2136",
    spoil: (_made, _server, primary) => {
      primary.texts = ["v=spf1 -all"];
    },
    finds: { [at("warning", "owner", PRIMARY)]: /no owner record/ },
  },
  "another fleet's zone": {
    registry: "rfc2136",
    spoil: (_made, _server, primary) => {
      primary.texts = ["berth owner=theirs term=9 by=y"];
    },
    finds: { [at("error", "owner", PRIMARY)]: /fleet theirs, term 9, and this fleet is mine/ },
  },
  "two owner records": {
    registry: "rfc2136",
    spoil: (_made, _server, primary) => {
      primary.texts.push("berth owner=theirs term=9 by=y");
    },
    finds: { [at("error", "owner", PRIMARY)]: /there are 2 owner records/ },
  },
  "a secondary that is behind": {
    registry: "primary",
    spoil: (_made, _server, primary) => {
      if (primary.soa !== undefined) primary.soa.serial = 107;
    },
    finds: { [at("error", "serial", SECONDARY)]: /its serial is 100, the primary's \(192.0.2.1:53\) 107, 7 ahead of it, and/ },
  },
  "a primary whose serial went back": {
    registry: "primary",
    spoil: (_made, _server, primary) => {
      if (primary.soa !== undefined) primary.soa.serial = 4;
    },
    finds: { [at("error", "serial", SECONDARY)]: /its serial 100 is newer than the primary's/ },
  },
  "a live name that does not exist": {
    registry: "primary",
    spoil: (_, server) => {
      server.addresses.delete(`A ${LIVE}`);
    },
    finds: { [at("error", "names", SECONDARY)]: /of 1 live names 1 do not lead to their instance: .*NXDOMAIN/ },
  },
  "a live name that leads elsewhere": {
    registry: "primary",
    spoil: (_, server) => {
      server.addresses.set(`A ${LIVE}`, ["192.0.2.12"]);
    },
    finds: { [at("error", "names", SECONDARY)]: /another IPv4 address than its instance's/ },
  },
  "a live name with two addresses": {
    registry: "primary",
    spoil: (_, server) => {
      server.addresses.set(`A ${LIVE}`, ["192.0.2.11", "192.0.2.12"]);
    },
    finds: { [at("error", "names", SECONDARY)]: /2 IPv4 addresses instead of one/ },
  },
  "live names with a TTL of 0": {
    spoil: (_, server) => {
      server.addressTtl = 0;
    },
    finds: { [at("error", "ttl", SECONDARY)]: /a TTL of 0/ },
  },
  "live names with another TTL": {
    spoil: (_, server) => {
      server.addressTtl = 300;
    },
    finds: { [at("warning", "ttl", SECONDARY)]: /a TTL of 300 s, and dns.ttl is 30 s/ },
  },
  "a negative TTL longer than Berth counts on": {
    spoil: (_, server) => {
      server.soa = { serial: 100, ttl: 3600, minimum: 900 };
    },
    finds: {
      [at("error", "ttl", SECONDARY)]:
        /kept for 900 s .* 3600, and its minimum, 900\), but Berth counts on dns.negativeTtl, 30 s/,
    },
  },
  "a negative TTL of 0": {
    spoil: (_, server) => {
      server.soa = { serial: 100, ttl: 0, minimum: 30 };
    },
    finds: { [at("warning", "ttl", SECONDARY)]: /SOA TTL or minimum is 0/ },
  },
  "SOA TTL and minimum that differ": {
    spoil: (_, server) => {
      server.soa = { serial: 100, ttl: 3600, minimum: 30 };
    },
    finds: { [at("warning", "ttl", SECONDARY)]: /TTL is 3600 and its minimum 30/ },
  },
  "NS records with a TTL of 0": {
    spoil: (_, server) => {
      server.ns.ttl = 0;
    },
    finds: { [at("warning", "ttl", SECONDARY)]: /NS records have a TTL of 0/ },
  },
  "a wildcard": {
    spoil: (_, server) => {
      server.denial = "address";
    },
    finds: { [at("error", "wildcard", SECONDARY)]: /gets an address: there is a wildcard/ },
  },
  "no NXDOMAIN": {
    spoil: (_, server) => {
      server.denial = "nodata";
    },
    finds: { [at("warning", "wildcard", SECONDARY)]: /NOERROR without records instead of NXDOMAIN/ },
  },
  "transfers for everybody": {
    spoil: (_, server) => {
      server.openTransfer = true;
    },
    finds: { [at("error", "transfer", SECONDARY)]: /AXFR without a key/ },
  },
  "updates without a key": {
    spoil: (_, server) => {
      server.unsignedUpdate = 6;
    },
    finds: { [at("error", "update", SECONDARY)]: /takes an update without a key/ },
  },
  "recursion for others": {
    spoil: (_, server) => {
      server.recursion = true;
    },
    finds: { [at("warning", "recursion", SECONDARY)]: /offers recursion/ },
  },
  "answers without EDNS": {
    spoil: (_, server) => {
      server.edns = false;
    },
    finds: { [at("warning", "edns", SECONDARY)]: /512 bytes at most/ },
  },
  "a firewall that drops EDNS": {
    spoil: (_, server) => {
      server.silent = "edns";
    },
    finds: {
      [at("error", "edns", SECONDARY)]: /does not answer a question with EDNS/,
    },
  },
  "letters that change their case": {
    spoil: (_, server) => {
      server.foldsCase = true;
    },
    finds: { [at("error", "case", SECONDARY)]: /0x20/ },
  },
  "a zone that can be walked": {
    spoil: (made, server) => {
      server.signed = "nsec";
      made.parent.ds = true;
    },
    finds: { [at("error", "dnssec", SECONDARY)]: /walk the zone/ },
  },
  "NSEC3 with iterations": {
    spoil: (made, server) => {
      server.signed = "iterations";
      made.parent.ds = true;
    },
    finds: { [at("warning", "dnssec", SECONDARY)]: /NSEC3 of 10 more iterations/ },
  },
  "a denial without proof": {
    spoil: (made, server) => {
      server.signed = "unproven";
      made.parent.ds = true;
    },
    finds: { [at("error", "dnssec", SECONDARY)]: /without proof/ },
  },
  "signatures that expired": {
    spoil: (made, server) => {
      server.signed = "nsec3";
      server.expiresIn = -7200;
      made.parent.ds = true;
    },
    finds: { [at("error", "dnssec", SECONDARY)]: /expired 2 h ago/ },
  },
  "signatures that end soon": {
    spoil: (made, server) => {
      server.signed = "nsec3";
      server.expiresIn = 7200;
      made.parent.ds = true;
    },
    finds: { [at("warning", "dnssec", SECONDARY)]: /expire in 2 h/ },
  },
  "a DS record for a zone that is not signed": {
    spoil: (made) => {
      made.parent.ds = true;
    },
    finds: { [at("error", "dnssec", SECONDARY)]: /has a DS record.*but it is not/ },
  },
  "a signed zone without DS record": {
    spoil: (_, server) => {
      server.signed = "nsec3";
    },
    finds: { [at("warning", "dnssec", SECONDARY)]: /no DS record/ },
  },
  "a zone that nobody delegates": {
    spoil: (made) => {
      made.parent.ns.hosts = [];
    },
    finds: { [at("error", "delegation")]: /198.51.100.1:53 has no NS records/ },
  },
  "a parent that leads elsewhere": {
    spoil: (made) => {
      made.parent.ns.hosts = [`ns1.${ZONE}`, "ns9.example.net"];
    },
    finds: { [at("error", "delegation")]: /leads to ns9.example.net, which the zone does not name \(it names ns1/ },
  },
  "a name server the parent does not know": {
    spoil: (_, server) => {
      server.ns.hosts = [`ns1.${ZONE}`, "ns9.example.net"];
    },
    finds: { [at("warning", "delegation")]: /the zone names ns9.example.net/ },
  },
  "no glue": {
    spoil: (made) => {
      made.parent.addresses.clear();
    },
    finds: { [at("error", "delegation")]: /gives no address for ns1/ },
  },
  "glue that is old": {
    spoil: (_, server) => {
      server.addresses.set(`A ns1.${ZONE}`, ["192.0.2.54"]);
    },
    finds: { [at("error", "delegation")]: /is at 192.0.2.53, the zone says 192.0.2.54/ },
  },
  "a delegation to a host that does not answer": {
    spoil: (made, server) => {
      server.addresses.set(`A ns1.${ZONE}`, ["192.0.2.99"]);
      made.parent.addresses.set(`A ns1.${ZONE}`, ["192.0.2.99"]);
    },
    finds: { [at("error", "delegation", "192.0.2.99:53")]: /which does not answer/ },
  },
  "a parent that does not answer": {
    spoil: (made) => {
      made.parent.silent = "both";
    },
    finds: { [at("warning", "delegation")]: /does not answer/ },
  },
  "a resolver that does not find the zone": {
    spoil: (made) => {
      made.useResolver();
      made.resolver.rcode = 2;
    },
    finds: { [at("error", "resolver", "192.0.2.200:53")]: /does not resolve through it \(SERVFAIL\)/ },
  },
  "a resolver that finds the signatures wrong": {
    spoil: (made) => {
      made.useResolver();
      made.resolver.bogus = true;
    },
    finds: { [at("error", "resolver", "192.0.2.200:53")]: /only when DNSSEC is not checked/ },
  },
  "a resolver that rewrites answers": {
    spoil: (made) => {
      made.useResolver();
      made.resolver.denial = "address";
    },
    finds: { [at("warning", "resolver", "192.0.2.200:53")]: /NOERROR and an address instead of NXDOMAIN/ },
  },
  "a resolver that keeps denials for long": {
    spoil: (made) => {
      made.useResolver();
      made.resolver.negativeTtl = 300;
    },
    finds: { [at("warning", "resolver", "192.0.2.200:53")]: /for 300 s, longer than/ },
  },
  "a resolver that is none": {
    spoil: (made) => {
      made.useResolver();
      made.resolver.silent = "both";
    },
    finds: { [at("error", "resolver", "192.0.2.200:53")]: /does not answer/ },
  },
};

describe("berth check dns", () => {
  for (const registry of ["embedded", "rfc2136", "primary"] as const) {
    test(`finds nothing wrong where all is well: ${registry}`, async () => {
      const made = world(registry);
      made.useResolver();
      void made.resolver;
      const findings = await run(made, registry);
      assert.deepEqual(
        findings.filter(({ level }) => level !== "ok"),
        [],
      );
      assert.ok(findings.length > 10);
    });
  }

  for (const [title, { registry = "embedded", spoil, finds }] of Object.entries(CASES)) {
    test(`finds ${title}, and nothing else; never shows a live name or a key`, async () => {
      const made = world(registry);
      spoil(made, made.at(SECONDARY), made.at(PRIMARY));
      const findings = await run(made, registry);
      const wrong = findings.filter(({ level }) => level !== "ok");
      const said = JSON.stringify(wrong, null, 1);
      const found = new Set(wrong.map(({ level, check, server }) => at(level, check, server ?? undefined)));
      assert.deepEqual([...found].sort(), Object.keys(finds).sort(), said);
      for (const [where, words] of Object.entries(finds)) {
        const matching = wrong.filter((each) => at(each.level, each.check, each.server ?? undefined) === where);
        assert.ok(
          matching.some(({ message }) => words.test(message)),
          said,
        );
        for (const { advice } of matching) assert.ok((advice ?? "").length > 3);
      }
      const all = JSON.stringify(findings);
      assert.ok(!all.includes(LIVE.split(".")[0] ?? "") && !all.includes(Buffer.from(KEY.secret).toString("base64")));
    });
  }

  test("what the balancer says is told: its state, what it holds, and servers that lag", async () => {
    const publication = {
      registry: "rfc2136",
      state: "failing",
      names: 10,
      waiting: 4,
      since: NOW - 60_000,
      lastLag: 250,
      servers: [{ server: SECONDARY, serial: 99, lag: 60_000, problem: "it has been behind for 60 s" }],
      explanation: "the registry refuses",
    } as const;
    const made = world("rfc2136");
    made.balancer = { publication, held: [{ what: "registry", explanation: "400 of 1000 names" }], liveNames: [] };
    const said = (await run(made, "rfc2136"))
      .filter(({ check }) => check === "balancer")
      .map(({ level, message }) => `${level} ${message}`);
    assert.deepEqual(said, [
      "error it holds a change (registry): 400 of 1000 names",
      "error publication is failing: 4 changes wait, since 1m; the registry refuses",
      "warning as the balancer sees it: it has been behind for 60 s",
    ]);
  });

  test("for how long a secondary is behind is told where the balancer knows", async () => {
    const made = world("primary");
    const server = { server: SECONDARY, serial: 100, lag: 42_000, problem: null };
    const publication = { registry: "primary", state: "following", names: 1, waiting: 0, since: null, lastLag: 90 } as const;
    made.balancer = { publication: { ...publication, servers: [server], explanation: null }, held: [], liveNames: [] };
    const { soa } = made.at(PRIMARY);
    if (soa !== undefined) soa.serial = 107;
    const [serial] = (await run(made, "primary")).filter(({ check }) => check === "serial");
    assert.match(serial?.message ?? "", /107, 7 ahead of it, for 42 s, and it did not catch up in 15 s/);
  });

  test("a secondary that has the change a moment later is not behind", async () => {
    const made = world("primary");
    const primary = made.at(PRIMARY);
    const secondary = made.at(SECONDARY);
    if (primary.soa !== undefined) primary.soa.serial = 101;
    made.onPause = () => {
      if (secondary.soa !== undefined && made.clock.now() >= NOW + 2000) secondary.soa.serial = 101;
    };
    const [serial] = (await run(made, "primary")).filter(({ check }) => check === "serial");
    assert.deepEqual([serial?.level, serial?.message], ["ok", "has serial 101, as the primary, after 2 s"]);
  });

  test("a secondary that signs counts for itself; minimal denial and a delegation that holds are well", async () => {
    const made = world("primary");
    const secondary = made.at(SECONDARY);
    secondary.signed = "minimal";
    if (secondary.soa !== undefined) secondary.soa.serial = 5000;
    made.parent.ds = true;
    const findings = await run(made, "primary");
    assert.deepEqual(
      findings.filter(({ level }) => level !== "ok"),
      [],
    );
  });

  test("a zone for tests is not looked for at a parent, unless one is given", async () => {
    const made = world("embedded");
    made.more = { zone: "bs.example.com", parent: undefined };
    const [delegation] = (await run(made, "embedded")).filter(({ check }) => check === "delegation");
    assert.equal(delegation?.level, "ok");
    assert.match(delegation?.message ?? "", /not looked at/);
  });

  test("docs/dns/check.md has a section for each check", () => {
    const page = readFileSync("docs/dns/check.md", "utf8");
    const checks = new Set(Object.values(CASES).flatMap(({ finds }) => Object.keys(finds).map((where) => where.split(" ")[1])));
    for (const check of checks) assert.match(page, new RegExp(`^## ${check}$`, "m"));
  });
});
