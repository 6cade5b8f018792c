import { randomBytes } from "node:crypto";
import { CoapEndpoint, type CoapPeer, type CoapRequest, Code } from "../src/coap/index.ts";
import type { Random } from "../src/lib/random.ts";

/**
 * Bootstraps as an instance sees them: POST /bs comes in, then a Delete, three Writes and a Finish go out. Once against
 * devices that are a few bytes of canned answer, which shows the instance's share; once against real endpoints, which
 * shows both directions. `--bootstraps N` (default 100000).
 */
export async function run(args: readonly string[]): Promise<Record<string, unknown>> {
  const at = args.indexOf("--bootstraps");
  const bootstraps = at < 0 ? 100_000 : Number(args[at + 1]);
  const instance = measure(bootstraps, cannedDevices);
  const both = measure(bootstraps, realDevices);
  const figures = {
    bootstraps,
    exchangesPerBootstrap: EXCHANGES,
    instanceMicrosecondsPerBootstrap: round(instance.microseconds / bootstraps),
    instanceExchangesPerCpuSecond: Math.round((bootstraps * EXCHANGES * 1e6) / instance.microseconds),
    bothEndsMicrosecondsPerBootstrap: round(both.microseconds / bootstraps),
    bytesKeptPerPeer: instance.bytesPerPeer,
  };
  console.error(`instance: ${figures.instanceMicrosecondsPerBootstrap} us per bootstrap of ${EXCHANGES} exchanges`);
  console.error(`both ends: ${figures.bothEndsMicrosecondsPerBootstrap} us; kept per peer: ${figures.bytesKeptPerPeer} bytes`);
  return figures;
}

const EXCHANGES = 6;
const tlv = (length: number): Uint8Array => new Uint8Array(length).fill(0xc8);
const STEPS: readonly CoapRequest[] = [
  { method: "DELETE", path: [] },
  { method: "PUT", path: ["0", "10"], contentFormat: 11542, payload: tlv(110) },
  { method: "PUT", path: ["1", "0"], contentFormat: 11542, payload: tlv(28) },
  { method: "PUT", path: ["2", "0"], contentFormat: 11542, payload: tlv(20) },
  { method: "POST", path: ["bs"] },
];
const random: Random = { bytes: (length) => randomBytes(length), uniform: Math.random };

type Send = (peer: CoapPeer, datagram: Uint8Array) => void;

/** Devices as one sees them from outside: something that takes datagrams, and a way to let one begin. */
interface Devices {
  receive(peer: CoapPeer, datagram: Uint8Array, now: number): void;
  begin(peer: CoapPeer, now: number): void;
}

function measure(bootstraps: number, makeDevices: (send: Send) => Devices): { microseconds: number; bytesPerPeer: number } {
  let completed = 0;
  let now = 1_000;
  const inFlight: (() => void)[] = [];
  const server = new CoapEndpoint<CoapPeer>(
    { random },
    {
      send: (peer, datagram) => inFlight.push(() => devices.receive(peer, datagram, now)),
      request: (request, at) => {
        request.respond({ code: Code.changed }, at);
        const proceed = (index: number): void => {
          const step = STEPS[index];
          if (step === undefined) completed++;
          else server.request(request.peer, step, now, () => proceed(index + 1));
        };
        proceed(0);
      },
    },
  );
  const devices = makeDevices((peer, datagram) => inFlight.push(() => server.receive(peer, datagram, now)));
  globalThis.gc?.();
  const heap = process.memoryUsage();
  const start = process.cpuUsage();
  // 1000 at a time run side by side; the others have been there within EXCHANGE_LIFETIME, so their messages are remembered
  for (let first = 0; first < bootstraps; first += 1_000) {
    for (let index = first; index < Math.min(first + 1_000, bootstraps); index++)
      devices.begin({ key: `127.0.0.1:${index}` }, now);
    while (inFlight.length > 0) for (const deliver of inFlight.splice(0)) deliver();
    now += 1;
    server.tick(now);
  }
  const { user, system } = process.cpuUsage(start);
  if (completed !== bootstraps) throw new Error(`${completed} of ${bootstraps} bootstraps were completed`);
  globalThis.gc?.();
  const after = process.memoryUsage();
  const bytes = after.heapUsed + after.arrayBuffers - heap.heapUsed - heap.arrayBuffers;
  return { microseconds: user + system, bytesPerPeer: Math.round(bytes / server.counts().peers) };
}

/** POST /bs?ep=urn:dev:1 with token 01020304; every request is answered with 2.04. */
function cannedDevices(send: Send): Devices {
  const request = Buffer.from("4402000101020304b262734c65703d75726e3a6465763a31", "hex");
  return {
    begin: (peer) => send(peer, request),
    receive: (peer, datagram) => {
      if ((datagram[0] ?? 0) >> 4 !== 4) return;
      const answer = Buffer.from(datagram.subarray(0, 12));
      answer[0] = 0x68;
      answer[1] = 0x44;
      send(peer, answer);
    },
  };
}

function realDevices(send: Send): Devices {
  const endpoint = new CoapEndpoint<CoapPeer>(
    { random },
    { send, request: (request, now) => request.respond({ code: Code.changed }, now) },
  );
  const request: CoapRequest = { method: "POST", path: ["bs"], query: ["ep=urn:dev:1"] };
  return {
    begin: (peer, now) => endpoint.request(peer, request, now, () => {}),
    receive: (peer, datagram, now) => endpoint.receive(peer, datagram, now),
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
