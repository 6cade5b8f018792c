import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, test } from "node:test";
import {
  CoapEndpoint,
  type CoapPeer,
  type CoapRequest,
  Code,
  type IncomingRequest,
  type RequestResult,
} from "../../src/coap/index.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { BODY, responseOf } from "./lockstep.ts";

/** Interoperation with libcoap over loopback, as server and as client. */

function find(program: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

const client = find("coap-client-notls") ?? find("coap-client");
const server = find("coap-server-notls") ?? find("coap-server");
const skip = client === undefined || server === undefined ? "libcoap is not installed: apt-get install libcoap3-bin" : false;

interface UdpPeer extends CoapPeer {
  readonly port: number;
}

const folder = mkdtempSync(join(tmpdir(), "berth-coap-"));
const socket: Socket = createSocket("udp4");
const handled: IncomingRequest<UdpPeer>[] = [];
let stored: Uint8Array = BODY;
const endpoint = new CoapEndpoint<UdpPeer>(
  { random: seededRandom(Date.now()), blockSize: 512, ackDelay: 50 },
  {
    send: (peer, datagram) => socket.send(datagram, peer.port, "127.0.0.1"),
    request: (request, now) => {
      handled.push(request);
      if (request.method === "PUT") stored = request.payload;
      const response =
        request.method === "GET" ? { code: Code.content, contentFormat: 42, payload: stored } : { code: Code.changed };
      if (request.path[0] === "slow") setTimeout(() => request.respond(response, Date.now()), 200);
      else request.respond(response, now);
    },
  },
);
const ticks = setInterval(() => endpoint.tick(Date.now()), 10);

before(async () => {
  socket.on("message", (datagram, { port }) => endpoint.receive({ key: String(port), port }, datagram, Date.now()));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
});

after(() => {
  clearInterval(ticks);
  socket.close();
  rmSync(folder, { recursive: true });
});

/** Runs coap-client against our endpoint; the file it writes the response to. */
async function coapClient(path: string, ...args: readonly string[]): Promise<Buffer> {
  const output = join(folder, "output");
  writeFileSync(output, "");
  const uri = `coap://127.0.0.1:${socket.address().port}${path}`;
  const child = spawn(client ?? "", ["-B", "20", "-o", output, ...args, uri], { stdio: ["ignore", "ignore", "inherit"] });
  const [status] = await once(child, "exit");
  assert.equal(status, 0);
  return readFileSync(output);
}

test("coap-client GETs block by block, in its size and in ours", { skip }, async () => {
  for (const args of [[], ["-b", "16"], ["-b", "1024"], ["-N"]]) {
    const before = handled.length;
    assert.deepEqual(await coapClient("/status", "-m", "get", ...args), BODY);
    assert.equal(handled.length - before, 1, `handled once with ${args.join(" ")}`);
  }
});

test("coap-client GETs what takes longer than the acknowledgement may", { skip }, async () => {
  // one block only: libcoap 4.3.1 drops a separate response in blocks ("large body receive internal issue")
  stored = BODY.subarray(0, 500);
  assert.deepEqual(await coapClient("/slow", "-m", "get"), stored);
  stored = BODY;
});

test("coap-client PUTs block by block, in its size and in ours", { skip }, async () => {
  const input = join(folder, "input");
  for (const [size, args] of [
    [100, []],
    [1_500, []],
    [1_500, ["-b", "32"]],
    [2_048, ["-b", "1024"]],
  ] as const) {
    const body = BODY.subarray(0, size).toReversed();
    writeFileSync(input, body);
    const before = handled.length;
    await coapClient("/store", "-m", "put", "-t", "42", "-f", input, ...args);
    assert.equal(handled.length - before, 1);
    assert.deepEqual(new Uint8Array(handled.at(-1)?.payload ?? []), new Uint8Array(body));
    assert.equal(handled.at(-1)?.contentFormat, 42);
  }
  stored = BODY;
});

test("coap-client loses a datagram, and still gets everything", { skip }, async () => {
  const before = handled.length;
  assert.deepEqual(await coapClient("/status", "-m", "get", "-b", "1024", "-l", "2"), BODY);
  assert.equal(handled.length - before, 1);
});

test("we PUT to coap-server and GET from it, block by block", { skip }, async () => {
  const probe = createSocket("udp4").bind(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  const child: ChildProcess = spawn(server ?? "", ["-A", "127.0.0.1", "-p", String(port), "-d", "10"], { stdio: "ignore" });
  const peer = { key: String(port), port };
  const ask = (request: CoapRequest): Promise<RequestResult> =>
    new Promise((resolve) => {
      endpoint.request(peer, request, Date.now(), resolve);
    });
  try {
    assert.match(Buffer.from(responseOf(await ask({ method: "GET", path: [] })).payload).toString(), /libcoap/);
    const payload = BODY.subarray(0, 1_700);
    const put = responseOf(await ask({ method: "PUT", path: ["berth"], contentFormat: 42, payload }));
    assert.equal(put.code, "2.01");
    const got = responseOf(await ask({ method: "GET", path: ["berth"] }));
    assert.deepEqual(Buffer.from(got.payload), payload);
    const links = responseOf(await ask({ method: "GET", path: [".well-known", "core"], accept: 40 }));
    assert.match(Buffer.from(links.payload).toString(), /<\/berth>/);
    assert.equal(links.contentFormat, 40);
  } finally {
    child.kill();
  }
});
