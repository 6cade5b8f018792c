import dnsPacket, { type Answer, type DecodedPacket, type Packet, type RecordType } from "dns-packet";
import { prepareZone, type ZoneOptions, ZoneTable } from "../../src/dns/index.ts";
import { seededRandom } from "../../src/lib/random.ts";
import {
  dailySecrets,
  LIMITS,
  Networks,
  RateLimiter,
  Responder,
  type ResponderOptions,
  ServerCookies,
  Source,
} from "../../src/nameserver/index.ts";

/** The zone of these tests: one name server inside it, one outside. */
export const ZONE: ZoneOptions = {
  name: "bs.example.com",
  nameservers: [{ host: "ns1.bs.example.com", ipv4: "192.0.2.53", ipv6: "2001:db8::53" }, { host: "ns2.example.net" }],
  serial: 2_026_010_112,
  ttl: 30,
  negativeTtl: 20,
};

/** Live: `four` (IPv4 only), `six` (IPv6 only), `both`, `down` (its instance has no address), `dev.tok`. */
export function liveTable(zone: string = ZONE.name): ZoneTable {
  const table = new ZoneTable({ zone, seed: new Uint8Array(16).fill(1) });
  table.setInstance(0, { ipv4: "192.0.2.1" });
  table.setInstance(1, { ipv6: "2001:db8::1" });
  table.setInstance(2, { ipv4: "192.0.2.2", ipv6: "2001:db8::2" });
  const epoch = table.beginGeneration(1, 10);
  for (const [host, instance] of [
    ["four", 0],
    ["six", 1],
    ["both", 2],
    ["down", 3],
    ["dev.tok", 0],
  ] as const) {
    epoch.add(`${host}.${zone}`, instance);
  }
  table.publish(epoch);
  return table;
}

/** Where queries of tests come from. */
export const UDP: Source = new Source("udp").read("192.0.2.200");
export const TCP: Source = new Source("tcp").read("192.0.2.200");

/** A responder without a limit on the rate of answers. */
export function newResponder(zone: ZoneOptions = ZONE, more: Partial<ResponderOptions> = {}): Responder {
  const random = seededRandom(1);
  return new Responder({
    zone: prepareZone(zone),
    table: liveTable(zone.name),
    limiter: new RateLimiter({ ...LIMITS, responses: 0 }, new Networks([]), random.bytes(16)),
    cookies: new ServerCookies(dailySecrets(random.bytes(16))),
    idle: 10_000,
    ...more,
  });
}

/** A query as dns-packet writes it; numbers stand for types it does not know. */
export function queryBytes(name: string, type: RecordType | number, more: Packet = {}): Buffer {
  const known = typeof type === "number" ? "A" : type;
  const bytes = dnsPacket.encode({ type: "query", id: 4711, questions: [{ type: known, name }], ...more });
  if (typeof type === "number") bytes.writeUInt16BE(type, 12 + name.length + 2);
  return bytes;
}

/** OPT, as an additional record of a query. */
export function opt(udpPayloadSize: number, ednsVersion = 0, dnssecOk = false): Packet {
  const flags = { flags: dnssecOk ? 0x8000 : 0, flag_do: dnssecOk };
  return { additionals: [{ type: "OPT", name: ".", udpPayloadSize, extendedRcode: 0, ednsVersion, ...flags, options: [] }] };
}

/** An answer as dns-packet reads it, with the records as lines such as `A four.bs.example.com 30 192.0.2.1`. */
export interface Reading {
  readonly rcode: string;
  readonly aa: boolean;
  readonly tc: boolean;
  readonly question: string;
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  readonly packet: DecodedPacket;
}

/** Reads an answer with dns-packet. */
export function reading(bytes: Uint8Array): Reading {
  const packet = dnsPacket.decode(Buffer.from(bytes)) as DecodedPacket & { rcode: string };
  const lines = (records: readonly Answer[] = []): string[] => records.filter(({ type }) => type !== "OPT").map(line);
  return {
    rcode: packet.rcode,
    aa: packet.flag_aa,
    tc: packet.flag_tc,
    question: packet.questions?.map(({ name, type }) => `${type} ${name}`).join() ?? "",
    answer: lines(packet.answers),
    authority: lines(packet.authorities),
    additional: lines(packet.additionals),
    packet,
  };
}

function line(record: Answer): string {
  const ttl = "ttl" in record ? record.ttl : "";
  const data = "data" in record ? record.data : "";
  return `${record.type} ${record.name} ${ttl} ${typeof data === "string" ? data : JSON.stringify(data)}`;
}
