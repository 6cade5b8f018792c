import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { buildQuery, nameToWire, readMessage } from "../../src/dns/index.ts";
import {
  askUdp,
  DnsConnection,
  DnsFailure,
  DnsFrames,
  framed,
  openTcpServer,
  openUdp,
  randomMessageId,
  type Socket,
  type TcpServer,
  type UdpSocket,
} from "../../src/net/index.ts";
import { until } from "../support/until.ts";

const SOON = 5000;
const zone = nameToWire("bs.example.com");
const query = (id: number, name = zone): Uint8Array<ArrayBuffer> => buildQuery(id, { name, type: 6, class: 1 });
const opened: (DnsConnection | TcpServer | UdpSocket)[] = [];
after(() => Promise.all(opened.map((each) => each.close())));

/** The query made an answer. */
function answer(request: Uint8Array, change: (bytes: Uint8Array) => void = () => {}): Uint8Array {
  const bytes = Uint8Array.from(request);
  bytes[2] = (bytes[2] as number) | 0x80;
  change(bytes);
  return bytes;
}

/** A TCP server whose behaviour per message is the test's, and a connection to it. */
async function pair(
  onMessage: (message: Uint8Array, socket: Socket, nth: number) => void,
): Promise<{ connection: DnsConnection; server: TcpServer }> {
  const server = await openTcpServer({ address: "127.0.0.1", port: 0 }, (socket) => {
    const frames = new DnsFrames();
    let nth = 0;
    socket.on("data", (bytes: Buffer) => {
      for (const message of frames.take(bytes)) onMessage(message, socket, nth++);
    });
    socket.on("error", () => {});
  });
  const connection = await DnsConnection.open(server, SOON);
  opened.push(connection, server);
  return { connection, server };
}

const fails = (code: string) => (error: unknown) => error instanceof DnsFailure && error.code === code;

test("RFC 1035 4.2.2: messages are cut out of whatever pieces they come in", () => {
  const message = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(fc.array(message), fc.array(fc.nat(400)), (messages, cuts) => {
      const all = Buffer.concat(messages.map((each) => framed(each)));
      const frames = new DnsFrames();
      const got: Uint8Array[] = [];
      let at = 0;
      for (const cut of [...cuts, all.length]) {
        got.push(...frames.take(all.subarray(at, at + cut)));
        at += cut;
      }
      assert.deepEqual(
        got.map((each) => Uint8Array.from(each)),
        messages,
      );
    }),
  );
});

test("RFC 7766 7: requests that wait together get their own answers, in whatever order they come", async () => {
  const waiting: Uint8Array[] = [];
  const { connection } = await pair((message, socket) => {
    waiting.push(message);
    if (waiting.length === 3) for (const each of waiting.reverse()) socket.write(framed(answer(each)));
  });
  const answers = await Promise.all([1, 2, 3].map((id) => connection.request(query(id), SOON)));
  assert.deepEqual(
    answers.map((bytes) => readMessage(bytes).id),
    [1, 2, 3],
  );
});

test("RFC 5452 9.1: what is not an answer to the question is dropped; the case of letters does not matter", async () => {
  const { connection } = await pair((message, socket) => {
    const other = query(0x1234, nameToWire("bs.example.org"));
    for (const wrong of [
      answer(message, (bytes) => bytes.set([0, 99])),
      message,
      answer(message, (bytes) => bytes.set([0xa8], 2)),
      answer(other),
      answer(message, (bytes) => bytes.set([1], bytes.length - 3)),
      answer(message, (bytes) => bytes.set([2], 5)),
      answer(message).subarray(0, 12),
    ]) {
      socket.write(framed(wrong));
    }
    socket.write(framed(answer(message, (bytes) => bytes.set(Buffer.from("BS"), 13))));
  });
  const got = await connection.request(query(0x1234), SOON);
  assert.equal(Buffer.from(got).subarray(13, 15).toString(), "BS");
});

test("RFC 1035 4.1.1: an answer without a question is one, as to what could not be read", async () => {
  const { connection } = await pair((message, socket) => {
    socket.write(framed(Uint8Array.of(...message.subarray(0, 2), 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0)));
  });
  assert.equal(readMessage(await connection.request(query(5), SOON)).rcode, 1);
});

test("a request that is not answered times out, and the connection goes on; its late answer is dropped", async () => {
  let late: Uint8Array | undefined;
  const { connection } = await pair((message, socket, nth) => {
    if (nth === 0) late = message;
    else for (const each of [late ?? message, message]) socket.write(framed(answer(each)));
  });
  await assert.rejects(connection.request(query(1), 20), fails("timeout"));
  assert.ok(connection.isOpen);
  assert.equal(readMessage(await connection.request(query(2), SOON)).id, 2);
});

test("requests that wait fail when the server closes the connection, or sends what is no message, and further ones too", async () => {
  for (const [end, code] of [
    [(socket: Socket) => socket.end(), "connection-lost"],
    [(socket: Socket) => socket.resetAndDestroy(), "connection-lost"],
    [(socket: Socket) => socket.write(framed(new Uint8Array(11))), "malformed"],
  ] as const) {
    const { connection } = await pair((_message, socket, nth) => nth === 1 && end(socket));
    const both = [1, 2].map((id) => assert.rejects(connection.request(query(id), SOON), fails(code)));
    await Promise.all(both);
    assert.ok(!connection.isOpen);
    await assert.rejects(connection.request(query(3), SOON), fails(code));
  }
});

test("requests that wait fail when the connection is closed on this side", async () => {
  const { connection } = await pair(() => {});
  const waits = assert.rejects(connection.request(query(1), SOON), fails("connection-lost"));
  connection.close();
  await waits;
});

test("two requests with one id cannot wait together; a free id is one that no request has", async () => {
  const { connection } = await pair(() => {});
  const waits = assert.rejects(connection.request(query(1), SOON), fails("connection-lost"));
  await assert.rejects(connection.request(query(1), SOON), { code: "internal" });
  assert.notEqual(connection.freeId(), 1);
  connection.close();
  await waits;
  assert.ok(new Set(Array.from({ length: 100 }, randomMessageId)).size > 90);
});

test("RFC 5936 2.2: an answer of many messages is read as it comes, and a slow reader slows the server down", async () => {
  const messages = 3000;
  let written = 0;
  const { connection } = await pair((message, socket) => {
    const large = Buffer.concat([answer(message), Buffer.alloc(16_000)]);
    const write = (): void => {
      while (written < messages) {
        large.writeUInt16BE(written++, 40);
        if (!socket.write(framed(large))) return void socket.once("drain", write);
      }
    };
    write();
  });
  let read = 0;
  for await (const message of connection.requestStream(query(1), SOON)) {
    assert.equal(Buffer.from(message).readUInt16BE(40), read++);
    if (read === 1) {
      let before = -1;
      await until(() => {
        const same = before === written;
        before = written;
        return same;
      }, "the server is slowed down");
      assert.ok(written < messages / 2, `${written} messages written that nobody took`);
    }
    if (read === messages) break;
  }
  assert.equal(read, messages);
});

test("an answer of many messages times out between them, and ends when the connection does", async () => {
  const { connection } = await pair((message, socket, nth) => {
    socket.write(framed(answer(message)));
    if (nth === 1) socket.end();
  });
  const read = async (id: number, timeout: number): Promise<number> => {
    let count = 0;
    try {
      for await (const _message of connection.requestStream(query(id), timeout)) count++;
    } catch (error) {
      assert.ok(fails(id === 1 ? "timeout" : "connection-lost")(error), String(error));
    }
    return count;
  };
  assert.equal(await read(1, 30), 1);
  assert.equal(await read(2, SOON), 1);
});

test("a port that nobody listens on refuses, over TCP and UDP", async () => {
  const { server, connection } = await pair(() => {});
  connection.close();
  await server.close();
  const nobody = { address: "127.0.0.1", port: server.port };
  await assert.rejects(DnsConnection.open(nobody, SOON), fails("connection-refused"));
  await assert.rejects(askUdp(nobody, query(1), SOON), fails("connection-refused"));
});

test("RFC 5452 9: UDP answers count if they are of the server, the id and the question; ports differ", async () => {
  const ports = new Set<number>();
  for (const address of ["127.0.0.1", "::1"]) {
    const other = await openUdp({ address, port: 0, onDatagram: () => {} });
    const server = await openUdp({
      address,
      port: 0,
      onDatagram: (message, from, port) => {
        ports.add(port);
        other.send(
          answer(message, (bytes) => bytes.set([5], 3)),
          port,
          from,
        );
        for (const wrong of [message, answer(message, (bytes) => bytes.set([0, 1])), new Uint8Array(3)])
          server.send(wrong, port, from);
        server.send(answer(message), port, from);
      },
    });
    opened.push(other, server);
    for (let id = 100; id < 110; id++) {
      const got = readMessage(await askUdp(server, query(id), SOON));
      assert.deepEqual([got.id, got.rcode], [id, 0]);
    }
  }
  assert.ok(ports.size > 10, "a port of its own for each");
});

test("UDP that is not answered times out", async () => {
  const server = await openUdp({ address: "127.0.0.1", port: 0, onDatagram: () => {} });
  opened.push(server);
  await assert.rejects(askUdp(server, query(1), 20), fails("timeout"));
});

test("errors name the server, and nothing of the question", async () => {
  const { connection, server } = await pair(() => {});
  await assert.rejects(connection.request(query(1), 10), (error: Error) => {
    assert.equal(error.message, `DNS server 127.0.0.1:${server.port}: no answer in 10 ms`);
    return true;
  });
});
