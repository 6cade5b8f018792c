import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { generate, type NamedOption, type OptionName, parse } from "coap-packet";
import {
  CoapEndpoint,
  type CoapOptions,
  type CoapRequest,
  type IncomingRequest,
  type RequestResult,
} from "../../src/coap/index.ts";
import type { Random } from "../../src/lib/random.ts";

/*
 * Messages as one line, like the ladder diagrams of the RFCs:
 *   CON 7 GET T=a0b1 /status ?x=1 2:1/0/64 cf=40 'text'
 * type, message id, code, token in hex, options, payload. `+16-32` is a payload of bytes 16 to 31 of `BODY`.
 */

/** A body with no two equal blocks. */
export const BODY: Buffer = Buffer.from(Array.from({ length: 2_048 }, (_, index) => (index * 7 + (index >> 8)) & 0xff));

const TYPES = ["CON", "NON", "ACK", "RST"];
const SIZES = [16, 32, 64, 128, 256, 512, 1024];

const OPTIONS: Readonly<Record<string, OptionName>> = {
  host: "Uri-Host",
  etag: "ETag",
  cf: "Content-Format",
  "max-age": "Max-Age",
  accept: "Accept",
  size1: "Size1",
};

/** The bytes of a message in one line. */
export function bytesOf(line: string): Buffer {
  const [type = "", id = "", code = "0.00", ...rest] = line.match(/'[^']*'|[^ ]+/g) ?? [];
  assert.ok(TYPES.includes(type), `no type in "${line}"`);
  let token: Buffer = Buffer.alloc(0);
  let payload: Buffer = Buffer.alloc(0);
  const options: NamedOption[] = [];
  for (const word of rest) {
    const value = word.slice(1);
    const block = /^([12]):(\d+)\/([01])\/(\d+)$/.exec(word);
    const [name = "", text = ""] = word.split("=");
    const option = OPTIONS[name];
    if (block !== null) {
      const number = Number(block[2]) * 16 + Number(block[3]) * 8 + SIZES.indexOf(Number(block[4]));
      options.push({ name: block[1] === "1" ? "Block1" : "Block2", value: uint(number) });
    } else if (word.startsWith("T=")) token = Buffer.from(text, "hex");
    else if (word.startsWith("'")) payload = Buffer.from(word.slice(1, -1));
    else if (word.startsWith("+")) payload = BODY.subarray(...value.split("-").map(Number));
    else if (word.startsWith("?")) options.push({ name: "Uri-Query", value: Buffer.from(value) });
    else if (word.startsWith("/")) {
      for (const segment of value.split("/")) options.push({ name: "Uri-Path", value: Buffer.from(segment) });
    } else if (option !== undefined) options.push({ name: option, value: optionValue(name, text) });
    else assert.fail(`"${word}" in "${line}" means nothing`);
  }
  const flags = { confirmable: type === "CON", ack: type === "ACK", reset: type === "RST" };
  return generate({ ...flags, messageId: Number(id), code, token, options, payload }, 65_535);
}

function optionValue(name: string, text: string): Buffer {
  if (name === "host") return Buffer.from(text);
  return name === "etag" ? Buffer.from(text, "hex") : uint(Number(text));
}

function uint(value: number): Buffer {
  const hex = value === 0 ? "" : value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
}

/** A message in a comparable form; what differs shows in the assertion. */
function readable(datagram: Uint8Array): unknown {
  const { token, options, payload, messageId, code } = parse(Buffer.from(datagram));
  const type = TYPES[((datagram[0] ?? 0) >> 4) & 3];
  return {
    message: `${type} ${messageId} ${code} T=${token.toString("hex")}`,
    options: options.map(({ name, value }) => `${name}=${value.toString("hex")}`),
    payload: payload.toString("hex"),
  };
}

/** The ETag of a body that is served in blocks. */
export function etagOf(body: Uint8Array): string {
  return createHash("sha256").update(body).digest("hex").slice(0, 8);
}

/** Bytes of a counter beginning at 1000 as a 16-bit number, and a fixed jitter. */
export function plainRandom(firstMessageId = 1_000, uniform = 0.5): Random {
  let next = 0;
  const start = Buffer.alloc(2);
  start.writeUInt16BE(firstMessageId);
  return {
    uniform: () => uniform,
    bytes: (length) => {
      const bytes = Buffer.from(Array.from({ length }, () => next++ & 0xff));
      start.copy(bytes);
      return bytes;
    },
  };
}

export interface TestPeer {
  readonly key: string;
}

/** One endpoint against a script that plays the other end. */
export class Lockstep {
  readonly endpoint: CoapEndpoint<TestPeer>;
  /** Requests the endpoint handed to its handler. */
  readonly handled: IncomingRequest<TestPeer>[] = [];
  /** Results of the endpoint's own requests. */
  readonly results: RequestResult[] = [];
  /** What a handler does at once; by default nothing. */
  onRequest: (request: IncomingRequest<TestPeer>, now: number) => void = () => {};
  now = 0;
  readonly #sent: { readonly to: string; readonly datagram: Uint8Array }[] = [];

  constructor(options: Partial<CoapOptions> = {}) {
    this.endpoint = new CoapEndpoint(
      { random: plainRandom(), ...options },
      {
        send: (peer, datagram) => this.#sent.push({ to: peer.key, datagram }),
        request: (request, now) => {
          this.handled.push(request);
          this.onRequest(request, now);
        },
      },
    );
  }

  /** Lets a message arrive. */
  receives(line: string, from = "p"): void {
    this.receivesBytes(bytesOf(line), from);
  }

  receivesBytes(datagram: Uint8Array, from = "p"): void {
    this.endpoint.receive({ key: from }, datagram, this.now);
  }

  /** The endpoint has sent exactly these since the last look. */
  sends(...lines: readonly string[]): void {
    const sent = this.#sent.splice(0).map(({ datagram }) => readable(datagram));
    assert.deepEqual(
      sent,
      lines.map((line) => readable(bytesOf(line))),
    );
  }

  /** The raw datagrams since the last look. */
  takeSent(): Uint8Array[] {
    return this.#sent.splice(0).map(({ datagram }) => datagram);
  }

  /** The keys of those that were sent to since the last look. */
  takeAddressed(): string[] {
    return this.#sent.splice(0).map(({ to }) => to);
  }

  requests(request: CoapRequest, to = "p"): (now: number) => void {
    return this.endpoint.request({ key: to }, request, this.now, (result) => this.results.push(result));
  }

  /** Lets time pass, stopping at every deadline. */
  until(instant: number): void {
    for (let due = this.endpoint.nextDeadline(); due !== undefined && due <= instant; due = this.endpoint.nextDeadline()) {
      this.now = Math.max(this.now, due);
      this.endpoint.tick(this.now);
    }
    this.now = instant;
  }
}

/** The response of a result that must be one. */
export function responseOf(result: RequestResult | undefined): {
  code: string;
  payload: Uint8Array;
  contentFormat?: number | undefined;
} {
  assert.ok(result !== undefined && "response" in result, `no response: ${JSON.stringify(result)}`);
  return result.response;
}
