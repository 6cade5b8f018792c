import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { silentLogger } from "../../src/lib/log.ts";
import { Nameserver } from "../../src/nameserver/index.ts";
import { liveTable, ZONE } from "./fixture.ts";

const SKIP = spawnSync("dig", ["-v"]).status === 0 ? false : "dig is missing: apt-get install bind9-dnsutils";
if (SKIP) console.error(`SKIPPED, ${SKIP}`);
const run = promisify(execFile);

/** What `dig` prints of an answer: its status, flags, sections. */
interface Dug {
  readonly status: string;
  readonly flags: string;
  readonly sections: Readonly<Record<string, readonly string[]>>;
  readonly text: string;
}

describe("dig understands the server", { skip: SKIP }, () => {
  let server: Nameserver;
  before(async () => {
    server = await Nameserver.start({
      zone: ZONE,
      table: liveTable(),
      listen: [{ address: "127.0.0.1", port: 0 }],
      log: silentLogger,
    });
  });
  after(() => server.close());

  async function dig(...args: readonly string[]): Promise<Dug> {
    const port = String(server.addresses[0]?.port);
    const { stdout } = await run("dig", ["@127.0.0.1", "-p", port, "+norecurse", "+tries=1", "+time=5", "+nocookie", ...args]);
    const sections: Record<string, string[]> = {};
    let current: string[] = [];
    for (const line of stdout.split("\n")) {
      const [, title] = /^;; (\w+) SECTION:/.exec(line) ?? [];
      if (title !== undefined) {
        current = [];
        sections[title] = current;
      } else if (line === "") current = [];
      else current.push(line.replaceAll(/\s+/g, " "));
    }
    return {
      status: /status: (\w+)/.exec(stdout)?.[1] ?? "",
      flags: /flags: ([\w ]*);/.exec(stdout)?.[1] ?? "",
      sections,
      text: stdout,
    };
  }

  const soa =
    /^bs\.example\.com\. 20 IN SOA ns1\.bs\.example\.com\. hostmaster\.bs\.example\.com\. 2026010112 3600 600 604800 20$/;

  for (const [transport, flag] of [
    ["UDP", "+notcp"],
    ["TCP", "+tcp"],
  ] as const) {
    test(`R5 over ${transport}: A and AAAA of a live name`, async () => {
      const a = await dig(flag, "both.bs.example.com", "A");
      assert.deepEqual([a.status, a.flags, a.sections.ANSWER], ["NOERROR", "qr aa", ["both.bs.example.com. 30 IN A 192.0.2.2"]]);
      const aaaa = await dig(flag, "both.bs.example.com", "AAAA");
      assert.deepEqual(aaaa.sections.ANSWER, ["both.bs.example.com. 30 IN AAAA 2001:db8::2"]);
    });

    test(`RFC 2308 over ${transport}: NODATA and NXDOMAIN carry the SOA`, async () => {
      for (const [name, status] of [
        ["four.bs.example.com", "NOERROR"],
        ["made-up.bs.example.com", "NXDOMAIN"],
      ] as const) {
        const dug = await dig(flag, name, "AAAA");
        assert.deepEqual([dug.status, dug.flags, dug.sections.ANSWER], [status, "qr aa", undefined]);
        assert.match(dug.sections.AUTHORITY?.[0] ?? "", soa);
      }
    });

    test(`RFC 1034 4.2.1 over ${transport}: SOA, NS and, to whom is no forger, their addresses`, async () => {
      assert.match((await dig(flag, "bs.example.com", "SOA")).sections.ANSWER?.[0] ?? "", soa);
      const ns = await dig(flag, "bs.example.com", "NS");
      assert.deepEqual(ns.sections.ANSWER, [
        "bs.example.com. 3600 IN NS ns1.bs.example.com.",
        "bs.example.com. 3600 IN NS ns2.example.net.",
      ]);
      assert.equal(ns.sections.ADDITIONAL?.length, transport === "TCP" ? 2 : undefined);
    });

    test(`RFC 8482 over ${transport}: ANY gets one record`, async () => {
      assert.equal((await dig(flag, "both.bs.example.com", "ANY")).sections.ANSWER?.length, 1);
    });
  }

  test("R1: outside the zone it is REFUSED, and so is AXFR", async () => {
    assert.equal((await dig("www.example.org", "A")).status, "REFUSED");
    assert.match((await dig("bs.example.com", "AXFR")).text, /Transfer failed/);
  });

  test("0x20: the name comes back in the case it was asked in", async () => {
    assert.deepEqual((await dig("FoUr.bS.eXample.cOm", "A")).sections.ANSWER, ["FoUr.bS.eXample.cOm. 30 IN A 192.0.2.1"]);
  });

  test("RFC 6891: EDNS version 1 is BADVERS, a large size and DO are answered with 1232 and DO", async () => {
    assert.equal((await dig("+edns=1", "+noednsneg", "four.bs.example.com", "A")).status, "BADVERS");
    const large = await dig("+bufsize=65000", "+dnssec", "four.bs.example.com", "A");
    assert.match(large.text, /EDNS: version: 0, flags: do; udp: 1232/);
    assert.doesNotMatch((await dig("+noedns", "four.bs.example.com", "A")).text, /EDNS/);
  });

  test("RFC 1035 4.1.1: other operations are NOTIMP, other classes REFUSED", async () => {
    assert.equal((await dig("+opcode=NOTIFY", "bs.example.com", "SOA")).status, "NOTIMP");
    assert.equal((await dig("-c", "CH", "version.bind", "TXT")).status, "REFUSED");
  });
});
