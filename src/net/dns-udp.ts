import { isIP } from "node:net";
import type { Milliseconds } from "../lib/clock.ts";
import { openConnectedUdp } from "./connected-udp.ts";
import { DnsFailure, type DnsServer, dnsFailure, serverText } from "./dns-failure.ts";
import { answers } from "./dns-match.ts";

/**
 * Asks a DNS server over UDP, once: from a port that the system chooses at random (RFC 5452 section 9.2), of a socket that hears
 * only that server. What does not answer the request is dropped. Whether the answer is cut off (TC), and TCP is to be
 * asked, is for the caller to see.
 * @throws DnsFailure `timeout`, `connection-refused`, `connection-lost`
 */
export async function askUdp(server: DnsServer, message: Uint8Array, timeout: Milliseconds): Promise<Uint8Array> {
  let settle: (outcome: Uint8Array | DnsFailure) => void = () => {};
  const outcome = new Promise<Uint8Array | DnsFailure>((resolve) => {
    settle = resolve;
  });
  const socket = await openConnectedUdp({
    address: isIP(server.address) === 6 ? "::" : "0.0.0.0",
    port: 0,
    peer: server,
    onDatagram: (bytes) => {
      if (answers(bytes, message)) settle(bytes);
    },
    onError: (error) => settle(dnsFailure(server, error)),
  }).catch((error: Error) => {
    throw new DnsFailure("connection-lost", `${serverText(server)}: ${error.message}`, { cause: error });
  });
  const timer = setTimeout(() => settle(new DnsFailure("timeout", `${serverText(server)}: no answer in ${timeout} ms`)), timeout);
  try {
    socket.send(message, server.port, server.address);
    const answer = await outcome;
    if (answer instanceof DnsFailure) throw answer;
    return answer;
  } finally {
    clearTimeout(timer);
    await socket.close();
  }
}
