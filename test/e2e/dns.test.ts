import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { type Answer, decode, type Packet, streamDecode, streamEncode, encode as toPacket } from "dns-packet";
import { run } from "../support/program.ts";
import { hexOf, System } from "../support/system.ts";
import { needs } from "../support/tools.ts";
import { until } from "../support/until.ts";

/** What an answer says, whoever asked. */
interface Seen {
  readonly status: string;
  /** Records as `A 30 127.0.0.11`. */
  readonly answers: readonly string[];
  /** Records as `SOA 20`. */
  readonly authority: readonly string[];
}

type Ask = (system: System, name: string, type?: string) => Promise<Seen>;

const query = (name: string, type: string): Packet => ({
  type: "query",
  id: 4711,
  questions: [{ name, type: type as "A" }],
});
const seen = (packet: Packet): Seen => {
  const { rcode = "" } = packet as { rcode?: string };
  const text = (record: Answer): string => `${record.type} ${"ttl" in record ? record.ttl : ""}`;
  return {
    status: rcode,
    answers: (packet.answers ?? []).map((record) => `${text(record)} ${"data" in record ? record.data : ""}`),
    authority: (packet.authorities ?? []).map(text),
  };
};

const overUdp: Ask = async ({ dns }, name, type = "A") => {
  const socket = createSocket("udp4");
  socket.send(toPacket(query(name, type)), dns.port, dns.address);
  const [bytes] = (await once(socket, "message")) as [Buffer];
  socket.close();
  return seen(decode(bytes));
};

const overTcp: Ask = async ({ dns }, name, type = "A") => {
  const socket = connect(dns.port, dns.address);
  socket.write(streamEncode(query(name, type)));
  const parts: Buffer[] = [];
  while (parts.length === 0 || Buffer.concat(parts).length < Buffer.concat(parts).readUInt16BE(0) + 2) {
    const [part] = (await once(socket, "data")) as [Buffer];
    parts.push(part);
  }
  socket.destroy();
  return seen(streamDecode(Buffer.concat(parts)));
};

const byDig =
  (...options: readonly string[]): Ask =>
  async ({ dns }, name, type = "A") => {
    const { stdout } = await run("dig", [`@${dns.address}`, "-p", `${dns.port}`, "+norecurse", ...options, name, type]);
    const section = (title: string): string[] => {
      const [, lines = ""] = new RegExp(`;; ${title} SECTION:\n([^;]*)\n`).exec(stdout) ?? [];
      return lines.split("\n").filter((line) => line !== "");
    };
    const fields = (line: string): string[] => line.split(/\s+/);
    return {
      status: /status: (\w+)/.exec(stdout)?.[1] ?? stdout,
      answers: section("ANSWER").map((line) => `${fields(line)[3]} ${fields(line)[1]} ${fields(line)[4]}`),
      authority: section("AUTHORITY").map((line) => `${fields(line)[3]} ${fields(line)[1]}`),
    };
  };

const dig = needs("dig", "bind9-dnsutils");
const ASKERS: readonly [name: string, ask: Ask, skip: string | false][] = [
  ["a resolver over UDP", overUdp, false],
  ["a resolver over TCP", overTcp, false],
  ["dig over UDP", byDig("+notcp"), dig],
  ["dig over TCP", byDig("+tcp"), dig],
];

describe("while devices bootstrap", () => {
  let system: System;
  let pending = "";
  let completed = "";
  let home = "";

  after(() => system?.stop());
  before(async () => {
    system = await System.start({ devices: 2 });
    const [first, second] = system.devices;
    assert.ok(first !== undefined && second !== undefined);
    const [, later] = await Promise.all([system.device(first.endpoint), system.device(second.endpoint)]);
    [completed = ""] = later.names ?? [];
    for (const [name, ask, skip] of ASKERS) {
      // Whoever is asked sees the name before, so that its absence afterwards says something.
      if (skip === false) assert.equal((await ask(system, completed)).status, "NOERROR", name);
    }
    const device = ["device", "--endpoint", second.endpoint, "--psk", hexOf(second)];
    assert.equal((await system.berth(...device)).code, 0);
    await until(async () => (await system.status()).devices.completed === 1, "the completion reaches the balancer");
    const view = await system.device(first.endpoint);
    [pending = ""] = view.names ?? [];
    home = system.address(view.instance ?? "");
  });

  for (const [name, ask, skip] of ASKERS) {
    test(`${name} finds a pending device: one address, with the TTL of the configuration`, { skip }, async () => {
      assert.deepEqual(await ask(system, pending), { status: "NOERROR", answers: [`A 30 ${home}`], authority: [] });
      const shouted = pending.toUpperCase();
      assert.deepEqual((await ask(system, shouted)).answers, [`A 30 ${home}`], "names ignore case");
    });

    test(`${name} gets NXDOMAIN with SOA for a made-up name and for a completed device`, { skip }, async () => {
      const nowhere: Seen = { status: "NXDOMAIN", answers: [], authority: ["SOA 20"] };
      assert.deepEqual(await ask(system, pending.replace(/^bs..../, "bsaaaa")), nowhere);
      assert.deepEqual(await ask(system, completed), nowhere);
      const noData: Seen = { status: "NOERROR", answers: [], authority: ["SOA 20"] };
      assert.deepEqual(await ask(system, pending, "AAAA"), noData, "an instance without IPv6");
    });
  }
});
