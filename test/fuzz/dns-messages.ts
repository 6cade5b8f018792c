import {
  buildNotify,
  buildQuery,
  buildUpdate,
  ipv4Bytes,
  nameToWire,
  prepareZone,
  readMessage,
  readNotify,
  signTsig,
  TransferReader,
  TransferWriter,
  type TsigKey,
  TsigStream,
  TYPE,
  textData,
  verifyTsig,
} from "../../src/dns/index.ts";
import type { Random } from "../../src/lib/random.ts";
import { hostile, oneOf } from "./mutate.ts";

const NOW = 1_750_000_000_000;
const ZONE = "fleet.berth.test";
const key: TsigKey = { name: "berth", algorithm: "hmac-sha256", secret: new Uint8Array(32) };
const wire = nameToWire(ZONE);
const REQUEST_MAC = new Uint8Array(32);

/** What DNS servers say to a registry, and secondaries to a primary: answers, updates, notifies, transfers, signed and not. */
const corpus: readonly Uint8Array[] = [
  buildQuery(1, { name: wire, type: TYPE.SOA, class: 1 }),
  buildNotify(2, wire),
  buildUpdate({
    id: 3,
    zone: wire,
    ttl: 30,
    prerequisites: [{ is: "records", name: new Uint8Array(0), type: TYPE.TXT, data: [textData("berth")] }],
    changes: [{ name: Uint8Array.of(1, 0x61), ipv4: ipv4Bytes("192.0.2.1"), ipv6: undefined }],
  }),
  ...transfer(TYPE.AXFR, [5, 5]),
  ...transfer(TYPE.IXFR, [5, 4, 5, 5]),
].flatMap((message) => [message, new TsigStream(key, REQUEST_MAC).sign(message, NOW), signTsig(message, key, NOW).message]);

function transfer(type: 251 | 252, serials: readonly number[]): Uint8Array[] {
  const zone = prepareZone({
    name: ZONE,
    nameservers: [{ host: `ns1.${ZONE}`, ipv4: "192.0.2.53" }],
    serial: 1,
    ttl: 30,
    negativeTtl: 30,
  });
  const writer = new TransferWriter({ id: 7, zone, type });
  for (const serial of serials) {
    writer.soa(serial);
    if (type === TYPE.AXFR) for (const record of [...zone.ns, ...zone.glue]) writer.record(record);
    writer.addresses({ name: Uint8Array.of(1, 0x62), ipv4: ipv4Bytes("192.0.2.2"), ipv6: new Uint8Array(16) });
  }
  const message = writer.finish();
  return message === undefined ? [] : [message];
}

/** Reads a hostile message in one of the ways there are. @throws errors of ours, and no others */
export function readHostileDns(random: Random): void {
  const bytes = hostile(random, corpus);
  const request = { id: 7, zone: wire, ...(random.uniform() < 0.5 ? { serial: 4 } : {}) };
  const ways = [
    () => readNotify(readMessage(bytes)),
    () => new TransferReader(request).read(bytes),
    () => new TransferReader(request).read(new TsigStream(key, REQUEST_MAC).verify(bytes, NOW)),
    () => verifyTsig(bytes, key, NOW),
  ];
  oneOf(random, ways)();
}
