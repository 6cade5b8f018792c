import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  buildQuery,
  buildUpdate,
  ipv4Bytes,
  MessageBuilder,
  nameToWire,
  rcodeName,
  readMessage,
  serialIsNewer,
  signTsig,
  soaSerial,
  TransferReader,
  type TransferredRecord,
  type TsigAlgorithm,
  TsigError,
  type TsigKey,
  TsigStream,
  TYPE,
  textData,
  type UpdateOptions,
  UpdateWriter,
  verifyTsig,
} from "../../src/dns/index.ts";
import { askUdp, DnsConnection, systemClock } from "../../src/net/index.ts";
import { needsBind, startBind } from "../support/bind.ts";
import { type DnsServer, newKey, ZONE } from "../support/dns-servers.ts";
import { needsKnot, startKnot } from "../support/knot.ts";
import { hex, labels } from "./wire.ts";

const SOON = 30_000;
const zone = nameToWire(ZONE);
const APEX = new Uint8Array(0);
const HELD = { ipv4: undefined, ipv6: undefined };
const six = hex("20010db8000000000000000000000001");

/** A server with a key, spoken to by our client and codec. */
class Talk {
  readonly server: DnsServer;
  readonly key: TsigKey;
  readonly connection: DnsConnection;

  constructor(server: DnsServer, key: TsigKey, connection: DnsConnection) {
    this.server = server;
    this.key = key;
    this.connection = connection;
  }

  /** Sends a signed message; the name of the answer's response code, whose signature holds. */
  async send(message: Uint8Array, key: TsigKey = this.key, at: number = systemClock.now()): Promise<string> {
    const signed = signTsig(message, key, at);
    const answer = await this.connection.request(signed.message, SOON);
    return rcodeName(readMessage(verifyTsig(answer, key, at, signed).stripped).rcode);
  }

  update(options: Partial<UpdateOptions>, changes: Parameters<typeof buildUpdate>[0]["changes"]): Promise<string> {
    return this.send(buildUpdate({ id: this.connection.freeId(), zone, ttl: 30, ...options, changes }));
  }

  async serial(): Promise<number> {
    const answer = await askUdp(
      this.server,
      buildQuery(this.connection.freeId(), { name: zone, type: TYPE.SOA, class: 1 }),
      SOON,
    );
    const [soa] = readMessage(answer).answers;
    assert.ok(soa);
    return soaSerial(soa);
  }

  /** Transfers the zone, or what has changed since a serial. */
  async transfer(held?: number): Promise<{ reader: TransferReader; records: TransferredRecord[]; messages: number }> {
    const id = this.connection.freeId();
    const builder = new MessageBuilder({ id }).question(zone, held === undefined ? TYPE.AXFR : TYPE.IXFR);
    if (held !== undefined) {
      const data = Buffer.concat([zone, zone, Buffer.alloc(20)]);
      data.writeUInt32BE(held, 2 * zone.length);
      builder.record("authority", { name: zone, type: TYPE.SOA, class: 1, ttl: 0, data });
    }
    const signed = signTsig(builder.finish(), this.key, systemClock.now());
    const stream = new TsigStream(this.key, signed.mac);
    const reader = new TransferReader({ id, zone, ...(held === undefined ? {} : { serial: held }) });
    const records: TransferredRecord[] = [];
    let messages = 0;
    for await (const message of this.connection.requestStream(signed.message, SOON)) {
      messages++;
      records.push(...reader.read(stream.verify(message, systemClock.now())));
      if (reader.isComplete) break;
    }
    stream.finish();
    return { reader, records, messages };
  }
}

const texts = (records: readonly TransferredRecord[]): string[] =>
  records
    .filter(({ record }) => [TYPE.A, TYPE.AAAA, TYPE.TXT].includes(record.type as 1))
    .map(({ change, record: { name, type, ttl, data } }) => {
      const host = Buffer.from(name.subarray(1, -zone.length)).toString("latin1");
      return `${change === "added" ? "+" : "-"} ${host} ${type} ${ttl} ${Buffer.from(data).toString("hex")}`;
    })
    .filter((text) => !text.includes(" ns1 "))
    .sort();

for (const [name, skip, start] of [
  ["BIND", needsBind(), startBind],
  ["Knot", needsKnot(), startKnot],
] as const) {
  for (const algorithm of ["hmac-sha256", "hmac-sha512"] satisfies TsigAlgorithm[]) {
    describe(`${name} with a key of ${algorithm}`, { skip }, () => {
      let talk: Talk;
      before(async () => {
        const key = newKey(algorithm);
        const server = await start(key);
        talk = new Talk(server, key, await DnsConnection.open(server, SOON));
      });
      after(async () => {
        talk?.connection.close();
        await talk?.server.stop();
      });

      test("RFC 2136 2.5: takes updates; what it holds then is what they say", async () => {
        const name = labels("dev1");
        assert.equal(await talk.update({}, [{ name, ipv4: ipv4Bytes("127.0.0.11"), ipv6: six }]), "NOERROR");
        assert.deepEqual((await talk.server.ask(`dev1.${ZONE}`))?.answers, ["A 30 127.0.0.11"]);
        assert.equal(await talk.update({}, [{ name, ipv4: ipv4Bytes("127.0.0.12"), ipv6: undefined }]), "NOERROR");
        assert.deepEqual((await talk.server.ask(`dev1.${ZONE}`))?.answers, ["A 30 127.0.0.12"]);
        assert.deepEqual((await talk.server.ask(`dev1.${ZONE}`, "AAAA"))?.answers, []);
        assert.equal(await talk.update({}, [{ name, ...HELD }]), "NOERROR");
        assert.equal((await talk.server.ask(`dev1.${ZONE}`))?.status, "NXDOMAIN");
      });

      test("RFC 2136 2.4: prerequisites hold or change nothing, by the response code of each kind", async () => {
        const record = (text: string) => ({ name: APEX, type: TYPE.TXT, data: textData(text), ttl: 60 });
        const owner = (text: string) => ({ is: "records" as const, name: APEX, type: TYPE.TXT, data: [textData(text)] });
        const absent = { is: "no-rrset" as const, name: APEX, type: TYPE.TXT };
        const add = { records: [{ does: "add" as const, ...record("term 1") }] };
        assert.equal(await talk.update({ ...add, prerequisites: [absent] }, []), "NOERROR");
        assert.equal(await talk.update({ ...add, prerequisites: [absent] }, []), "YXRRSET");
        const change = [{ name: labels("dev2"), ipv4: ipv4Bytes("127.0.0.2"), ipv6: undefined, held: HELD }];
        assert.equal(await talk.update({ prerequisites: [owner("term 0")] }, change), "NXRRSET");
        assert.equal((await talk.server.ask(`dev2.${ZONE}`))?.status, "NXDOMAIN");
        assert.equal(await talk.update({ prerequisites: [owner("term 1")] }, change), "NOERROR");
        const replace = [
          { does: "delete" as const, ...record("term 1") },
          { does: "add" as const, ...record("term 2") },
        ];
        assert.equal(await talk.update({ prerequisites: [owner("term 1")], records: replace }, []), "NOERROR");
        assert.equal(await talk.update({ prerequisites: [owner("term 1")] }, change), "NXRRSET");
        assert.equal(await talk.update({ prerequisites: [{ is: "no-name", name: labels("dev2") }] }, []), "YXDOMAIN");
        assert.equal(await talk.update({ prerequisites: [{ is: "name", name: labels("dev9") }] }, []), "NXDOMAIN");
        assert.equal(await talk.update({ prerequisites: [{ is: "rrset", name: labels("dev2"), type: 28 }] }, []), "NXRRSET");
      });

      test("RFC 1995 4, RFC 5936 2.2, RFC 8945 5.3.1: gives the zone, and the differences, in many messages", async () => {
        // BIND gives the zone whole where the differences are larger.
        let [serial, held]: [number, TransferredRecord[]] = [0, []];
        const names = Array.from({ length: 4000 }, (_none, index) => labels(`n${index}`.padEnd(13, "x")));
        for (let from = 0; from < names.length; from += 1000) {
          if (from === 3000) [serial, held] = [await talk.serial(), (await talk.transfer()).records];
          const writer = new UpdateWriter({ id: talk.connection.freeId(), zone, ttl: 30 });
          for (const name of names.slice(from, from + 1000)) {
            assert.ok(writer.add({ name, ipv4: ipv4Bytes("127.0.0.3"), ipv6: undefined, held: HELD }));
          }
          assert.equal(await talk.send(writer.finish()), "NOERROR");
        }
        const all = await talk.transfer();
        assert.equal(all.reader.kind, "zone");
        assert.equal(texts(all.records).length, texts(held).length + 1000);
        assert.ok(all.messages > 1, `${all.messages} messages`);
        assert.ok(serialIsNewer(all.reader.serial, serial));
        const differences = await talk.transfer(serial);
        assert.equal(differences.reader.kind, "differences");
        assert.equal(differences.reader.serial, all.reader.serial);
        assert.deepEqual([...texts(held), ...texts(differences.records)].sort(), texts(all.records));
        assert.equal((await talk.transfer(all.reader.serial)).reader.kind, "same");
      });

      test("RFC 8945 5.2: says what is wrong with a key, a secret and a clock", async () => {
        const query = (): Uint8Array => buildQuery(talk.connection.freeId(), { name: zone, type: TYPE.SOA, class: 1 });
        const refused = (code: string) => (error: unknown) => error instanceof TsigError && error.code === code;
        await assert.rejects(talk.send(query(), { ...talk.key, name: "other" }), refused("bad-key"));
        await assert.rejects(talk.send(query(), { ...talk.key, secret: Buffer.alloc(32) }), refused("bad-signature"));
        const now = systemClock.now();
        await assert.rejects(talk.send(query(), talk.key, now - 1_000_000), (error: unknown) => {
          assert.ok(refused("bad-time")(error), String(error));
          const { serverTime = 0 } = error as TsigError;
          assert.ok(Math.abs(serverTime - now) < 60_000, `${serverTime} is about ${now}`);
          return true;
        });
        assert.equal(await talk.send(query()), "NOERROR");
      });
    });
  }
}
