import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "../../src/lib/random.ts";
import { hostile, oneOf, pick, twisted } from "./mutate.ts";

/** Opens TCP connections to the nameserver that send garbage: with and without a length in front, whole and cut off. */
export async function tcpGarbage(
  { address, port }: { readonly address: string; readonly port: number },
  connections: number,
  corpus: readonly Uint8Array[],
  random: Random,
): Promise<void> {
  for (let count = 0; count < connections; count += 10) {
    await Promise.all(Array.from({ length: 10 }, () => tcpOnce(address, port, corpus, random)));
  }
}

async function tcpOnce(address: string, port: number, corpus: readonly Uint8Array[], random: Random): Promise<void> {
  const socket = connect(port, address);
  socket.on("error", () => {});
  socket.resume();
  for (let messages = 1 + pick(random, 4); messages > 0; messages--) {
    const message = Buffer.from(hostile(random, corpus));
    const length = Buffer.alloc(2);
    length.writeUInt16BE(random.uniform() < 0.7 ? message.length : pick(random, 0x10000));
    socket.write(random.uniform() < 0.8 ? Buffer.concat([length, message]) : message);
  }
  if (random.uniform() < 0.5) socket.end();
  await closed(socket, 50);
}

/** Waits until the other side has closed, by whatever means, or a little while, and closes. */
async function closed(socket: Socket, patience: number): Promise<void> {
  await Promise.race([new Promise((resolve) => socket.on("close", resolve)), pause(patience)]);
  socket.destroy();
}

/** Calls of the control API that are almost right. None of them may harm a fleet even when it happens to be right. */
const CALLS: readonly {
  readonly method: string;
  readonly path: string;
  readonly role: "operator" | "instance";
  readonly body?: unknown;
}[] = [
  {
    method: "POST",
    path: "/v1/devices",
    role: "operator",
    body: { devices: [{ endpoint: "urn:fuzz:1", psk: "00".repeat(16) }] },
  },
  { method: "PUT", path: "/v1/profiles/fuzz", role: "operator", body: { servers: [{ uri: "coap://a.test", shortServerId: 1 }] } },
  { method: "POST", path: "/v1/rotations", role: "operator", body: { reason: "fuzz" } },
  { method: "GET", path: "/v1/devices?limit=5", role: "operator" },
  { method: "GET", path: "/v1/devices/urn%3Afuzz%3A1?names=true", role: "operator" },
  { method: "DELETE", path: "/v1/devices/urn%3Afuzz%3A1", role: "operator" },
  { method: "POST", path: "/v1/instances/fuzz/heartbeat", role: "instance", body: { boot: "b", load: {} } },
  { method: "POST", path: "/v1/instances/fuzz/lookups", role: "instance", body: { identity: "urn:fuzz:1" } },
  {
    method: "POST",
    path: "/v1/instances/fuzz/notifications",
    role: "instance",
    body: { boot: "b", notifications: [{ sequence: 1, kind: "completed", endpoint: "urn:fuzz:1", session: "s", at: 1 }] },
  },
];

/** Where the control API is, and its tokens. */
export interface ControlTarget {
  readonly address: string;
  readonly port: number;
  readonly tokens: Readonly<Record<"operator" | "instance", string>>;
}

/** Sends calls with twisted bodies, paths and tokens, and bytes that are no HTTP at all. Returns how often it answered what. */
export async function httpGarbage(target: ControlTarget, requests: number, random: Random): Promise<Record<string, number>> {
  const answers: Record<string, number> = {};
  const bytes = CALLS.map(({ method, path }) =>
    Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n{"a":`),
  );
  for (let count = 0; count < requests; count++) {
    const answer = random.uniform() < 0.2 ? await noHttp(target, bytes, random) : await almostRight(target, random);
    answers[answer] = (answers[answer] ?? 0) + 1;
  }
  return answers;
}

async function noHttp({ address, port }: ControlTarget, corpus: readonly Uint8Array[], random: Random): Promise<string> {
  const socket = connect(port, address);
  socket.on("error", () => {});
  socket.resume();
  socket.end(hostile(random, corpus));
  await closed(socket, 100);
  return "bytes";
}

async function almostRight({ address, port, tokens }: ControlTarget, random: Random): Promise<string> {
  const { method, path, role, body } = oneOf(random, CALLS);
  const text = body === undefined ? undefined : JSON.stringify(twisted(random, body));
  const payload = text !== undefined && random.uniform() < 0.1 ? text.slice(0, pick(random, text.length)) : text;
  const target = random.uniform() < 0.9 ? path : `${path}/%ff%00..//${pick(random, 1e6)}`;
  const token = random.uniform() < 0.95 ? tokens[role] : "x".repeat(pick(random, 3000));
  const headers = { authorization: `Bearer ${token}`, "content-type": random.uniform() < 0.95 ? "application/json" : "text/x" };
  return new Promise((resolve) => {
    const call = request({ host: address, port, method, path: target, headers }, (response) => {
      response.on("error", () => {});
      response.resume().on("close", () => resolve(String(response.statusCode)));
    });
    call.on("error", () => resolve("cut off"));
    call.end(payload);
  });
}
