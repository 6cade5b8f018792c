import {
  FLAG,
  ipv4Bytes,
  type Message,
  MessageBuilder,
  prepareZone,
  readMessage,
  readTsig,
  refuseTsig,
  signTsig,
  TransferWriter,
  TsigError,
  type TsigKey,
  TsigStream,
  TYPE,
  verifyTsig,
} from "../../src/dns/index.ts";
import { DnsFrames, framed, openTcpServer, openUdp, systemClock } from "../../src/net/index.ts";
import { ZONE } from "../support/dns-servers.ts";
import { freePort } from "../support/loopback.ts";
import { labels } from "./wire.ts";

/** A server made of nothing but the codec, for programs of others to talk to. */
export interface ScriptedServer {
  readonly port: number;
  /** Messages that were signed well. */
  readonly heard: Message[];
  close(): Promise<void>;
}

/** What it is. */
export interface ScriptedServerOptions {
  readonly key: TsigKey;
  /** How many names its zone has; in differences, one more goes and one comes. */
  readonly names: number;
  /** What its clock is ahead, ms. */
  readonly ahead?: number;
}

const zone = prepareZone({
  name: ZONE,
  nameservers: [{ host: `ns1.${ZONE}`, ipv4: "127.0.0.53" }],
  serial: 1,
  ttl: 30,
  negativeTtl: 30,
});

/** Starts it on 127.0.0.1. */
export async function startScriptedServer({ key, names, ahead = 0 }: ScriptedServerOptions): Promise<ScriptedServer> {
  const heard: Message[] = [];
  const now = (): number => systemClock.now() + ahead;
  const respond = function* (bytes: Uint8Array): Generator<Uint8Array> {
    const { id, opcode, questions } = readMessage(bytes);
    const [question] = questions;
    const plain = new MessageBuilder({ id, opcode, flags: FLAG.RESPONSE }).question(
      question?.name ?? zone.wire,
      question?.type ?? 6,
    );
    try {
      const { mac, stripped } = verifyTsig(bytes, key, now());
      heard.push(readMessage(stripped));
      if (question?.type !== TYPE.AXFR && question?.type !== TYPE.IXFR) {
        yield signTsig(plain.finish(), key, now(), { mac }).message;
        return;
      }
      const stream = new TsigStream(key, mac);
      for (const message of question.type === TYPE.AXFR ? wholeZone(id, names) : differences(id))
        yield stream.sign(message, now());
    } catch (error) {
      const request = readTsig(bytes);
      if (!(error instanceof TsigError) || request === undefined) return;
      yield refuseTsig(plain.finish(), request, error, now(), key);
    }
  };
  const port = await freePort("127.0.0.1");
  const udp = await openUdp({
    address: "127.0.0.1",
    port,
    onDatagram: (bytes, address, from) => {
      for (const message of respond(bytes)) udp.send(message, from, address);
    },
  });
  const tcp = await openTcpServer({ address: "127.0.0.1", port }, (socket) => {
    const frames = new DnsFrames();
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      for (const request of frames.take(bytes)) for (const message of respond(request)) socket.write(framed(message));
    });
  });
  return {
    port,
    heard,
    close: async () => {
      await udp.close();
      await tcp.close();
    },
  };
}

function* wholeZone(id: number, names: number): Generator<Uint8Array> {
  const writer = new TransferWriter({ id, zone, type: TYPE.AXFR });
  const messages = [writer.soa(5), ...[...zone.ns, ...zone.glue].map((each) => writer.record(each))];
  for (let index = 0; index < names; index++) {
    const ipv6 = Buffer.alloc(16, index);
    messages.push(writer.addresses({ name: labels(`dev${index}`), ipv4: ipv4Bytes("127.0.0.1"), ipv6 }));
  }
  messages.push(writer.soa(5), writer.finish());
  for (const message of messages) if (message !== undefined) yield message;
}

function* differences(id: number): Generator<Uint8Array> {
  const writer = new TransferWriter({ id, zone, type: TYPE.IXFR });
  writer.soa(5);
  writer.soa(4);
  writer.addresses({ name: labels("gone"), ipv4: ipv4Bytes("127.0.0.1"), ipv6: undefined });
  writer.soa(5);
  writer.addresses({ name: labels("new"), ipv4: ipv4Bytes("127.0.0.2"), ipv6: undefined });
  writer.soa(5);
  const message = writer.finish();
  if (message !== undefined) yield message;
}
