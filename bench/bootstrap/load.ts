import { CoapEndpoint, type CoapResponse } from "../../src/coap/index.ts";
import { DtlsClient, loadOpenSsl } from "../../src/dtls/index.ts";
import { openUdp, systemRandom, Ticker } from "../../src/net/index.ts";
import type { FromLoad, LoadDevice, ToLoad } from "./messages.ts";

/** Plays devices: each with a socket and a handshake of its own, its live name as SNI, and a yes to every request. */
process.on("message", (work: ToLoad) => {
  void play(work).then((result) => process.send?.(result));
});

const clock = { now: () => performance.now() };
const ticker = new Ticker(clock);
const openssl = loadOpenSsl();
const SERVER = { key: "server" };
const GIVE_UP = 30_000;
/** What a device has at the factory, its bootstrap account, and says of that. */
const DISCOVERED: CoapResponse = {
  code: "2.05",
  contentFormat: 40,
  payload: Buffer.from('</>;lwm2m=1.1,</0/0>;uri="coaps://bs.example.com:5684",</1>;ver=1.1,</3/0>'),
};

async function play({ port, concurrency, devices }: ToLoad): Promise<FromLoad> {
  const times: number[] = [];
  let failed = 0;
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let device = devices[next++]; device !== undefined; device = devices[next++]) {
      const began = clock.now();
      if (await bootstrap(device, port)) times.push(clock.now() - began);
      else failed++;
    }
  };
  // It never sleeps: on a virtual machine waking it would cost the sender of a datagram more than sending it.
  let busy = true;
  const poll = (): void => {
    if (busy) setImmediate(poll);
  };
  poll();
  await Promise.all(Array.from({ length: concurrency }, worker));
  busy = false;
  return { finished: times.length, failed, times };
}

/** One bootstrap; whether it finished. */
async function bootstrap({ endpoint, psk, name }: LoadDevice, port: number): Promise<boolean> {
  let done = (_finished: boolean): void => {};
  const finished = new Promise<boolean>((resolve) => {
    done = resolve;
  });
  const socket = await openUdp({
    address: "127.0.0.1",
    port: 0,
    receiveBuffer: 65_536,
    onDatagram: (bytes) => dtls.receive(bytes, clock.now()),
  });
  const coap = new CoapEndpoint<typeof SERVER>(
    { random: systemRandom },
    {
      send: (_, datagram) => void dtls.send(datagram, clock.now()),
      request: (request, now) => {
        request.respond(request.method === "GET" ? DISCOVERED : { code: request.method === "DELETE" ? "2.02" : "2.04" }, now);
        if (request.path[0] === "bs") done(true);
      },
    },
  );
  const dtls = new DtlsClient(
    openssl,
    { credential: { mode: "psk", psk: Buffer.from(psk, "hex"), identity: Buffer.from(endpoint) }, serverName: name },
    {
      send: (datagram) => socket.send(datagram, port, "127.0.0.1"),
      secured: () => {
        coap.request(SERVER, { method: "POST", path: ["bs"], query: [`ep=${endpoint}`] }, clock.now(), () => {});
      },
      message: (bytes) => coap.receive(SERVER, bytes, clock.now()),
      closed: () => done(false),
    },
  );
  ticker.add(dtls);
  ticker.add(coap);
  dtls.connect(clock.now());
  const giveUp = setTimeout(() => done(false), GIVE_UP);
  const result = await finished;
  clearTimeout(giveUp);
  ticker.remove(dtls);
  ticker.remove(coap);
  // No close_notify, as many clients send none: the instance has to close the association.
  await socket.close();
  dtls.close(clock.now());
  return result;
}
