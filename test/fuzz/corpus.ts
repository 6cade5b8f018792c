import { generate, type OptionName } from "coap-packet";
import { type Answer, encode, type Packet, type PacketOpt } from "dns-packet";
import { World } from "../dtls/harness.ts";

/** Whole handshakes, both sides, with some application data: every kind of datagram DTLS knows. */
export function dtlsCorpus(): Buffer[] {
  const world = new World();
  for (const [port, serverName] of [
    [1, undefined],
    [2, "bsabcdefghijklmnop.fleet.berth.test"],
  ] as const) {
    const client = world.connected(port, serverName === undefined ? {} : { serverName });
    client.dtls.send(Buffer.from("hello"), world.clock.now());
    world.run();
    client.dtls.close(world.clock.now());
    world.run();
  }
  const datagrams = world.wire.map(({ datagram }) => datagram);
  world.free();
  return datagrams;
}

/** What devices and strangers may send to a bootstrap server over CoAP. */
export function coapCorpus(endpoints: readonly string[]): Buffer[] {
  const token = Buffer.from("01020304", "hex");
  const option = (name: OptionName, value: string | Buffer): { name: OptionName; value: Buffer } => ({
    name,
    value: typeof value === "string" ? Buffer.from(value) : value,
  });
  const requests = endpoints.flatMap((endpoint) => [
    generate({
      code: "POST",
      confirmable: true,
      messageId: 1,
      token,
      options: [option("Uri-Path", "bs"), option("Uri-Query", `ep=${endpoint}`), option("Uri-Query", "pct=110")],
    }),
    generate({ code: "GET", confirmable: true, messageId: 2, token, options: [option("Uri-Path", "bspack")] }),
  ]);
  const block = (name: OptionName): Buffer =>
    generate({
      code: "PUT",
      confirmable: true,
      messageId: 3,
      token,
      options: [option("Uri-Path", "0"), option("Content-Format", Buffer.of(0x2d, 0x16)), option(name, Buffer.of(0x1e))],
      payload: Buffer.alloc(1024, 1),
    });
  return [
    ...requests,
    block("Block1"),
    block("Block2"),
    generate({ code: "2.05", ack: true, messageId: 4, token, payload: Buffer.from("</0/0>,</1>") }),
    generate({ code: "2.04", confirmable: true, messageId: 5, token }),
    generate({ code: "0.00", reset: true, messageId: 6 }),
    generate({ code: "0.00", confirmable: true, messageId: 7 }),
  ];
}

/** Options of OPT: cookies of a client, with one of a server, too long; a connection's idle time; one that nobody knows. */
const OPTIONS: readonly { readonly code: number; readonly data: Buffer }[] = [
  { code: 10, data: Buffer.alloc(8, 1) },
  { code: 10, data: Buffer.concat([Buffer.alloc(8, 1), Buffer.of(1, 0, 0, 0), Buffer.alloc(12, 2)]) },
  { code: 10, data: Buffer.alloc(41, 1) },
  { code: 11, data: Buffer.alloc(0) },
  { code: 65_001, data: Buffer.alloc(5, 3) },
];

/** Queries of many kinds, and what is no query. */
export function dnsCorpus(zone: string): Buffer[] {
  const ask = (name: string, type: string, more: Partial<Packet> = {}): Buffer =>
    encode({ type: "query", id: 99, flags: 256, questions: [{ name, type: type as "A" }], ...more });
  const edns: Answer = {
    type: "OPT",
    name: ".",
    udpPayloadSize: 1232,
    flags: 0,
    flag_do: false,
    options: [],
    extendedRcode: 0,
    ednsVersion: 0,
  };
  const names = [zone, `bsabcdefghijklmnop.${zone}`, `ns1.${zone}`, "example.com", `a.b.c.d.e.${zone}`];
  const types = ["A", "AAAA", "SOA", "NS", "TXT", "ANY", "AXFR", "MX"];
  return [
    ...names.flatMap((name) => types.map((type) => ask(name, type))),
    ask(zone, "SOA", { additionals: [edns] }),
    ...OPTIONS.map((option) => ask(zone, "A", { additionals: [{ ...edns, options: [option as PacketOpt] }] })),
    encode({ type: "response", id: 1, answers: [{ type: "A", name: zone, data: "127.0.0.1", ttl: 1 }] }),
  ];
}
