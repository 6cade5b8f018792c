import assert from "node:assert/strict";
import { generate, parse } from "coap-packet";
import {
  BootstrapService,
  type Caller,
  DeviceDirectory,
  DeviceLog,
  Lookups,
  type Proven,
  type Report,
  type ServiceOptions,
} from "../../src/bootstrap/index.ts";
import type { Assignment, Lookup, LookupReply } from "../../src/control/index.ts";
import { VirtualClock } from "../../src/lib/clock.ts";
import type { LogFields, Logger } from "../../src/lib/log.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { builtInRecipe, type Recipe, temporaryUri } from "../../src/naming/index.ts";
import { until } from "../support/until.ts";

/** In the middle of an hour's epoch of `berth-1`. */
export const NOON: number = Date.parse("2026-01-01T12:00:00Z");
export const STATIC_URI = "coaps://bs.example.com:5684";

/** The server account of {@link PROFILE}. */
export const ACCOUNT = {
  uri: "coaps://lwm2m.example.com:5684",
  shortServerId: 101,
  security: { mode: "psk", identity: "{endpoint}", key: "{attributes.key}" },
};

/** Steps: DELETE /0, DELETE /1, PUT /0/10, PUT /1/10, POST /bs. */
export const PROFILE: Readonly<Record<string, unknown>> = { discover: false, delete: ["/0", "/1"], servers: [ACCOUNT] };

/** An assignment of mode `psk`. */
export type PskAssignment = Assignment & { readonly psk: string };

export function assignment(endpoint: string, change: Partial<PskAssignment> = {}): PskAssignment {
  return {
    endpoint,
    mode: "psk",
    identity: `id-${endpoint}`,
    psk: Buffer.from(endpoint.padEnd(16, "-").slice(-16)).toString("hex"),
    profile: "default",
    attributes: { key: "00112233445566778899aabbccddeeff" },
    ...change,
  };
}

/** Lines a logger got, in the form `level message {fields}`. */
export class LogBook implements Logger {
  readonly lines: string[] = [];
  debug(): void {}
  info(fields: LogFields, message: string): void {
    this.lines.push(`info ${message} ${JSON.stringify(fields)}`);
  }
  warn(fields: LogFields, message: string): void {
    this.lines.push(`warn ${message} ${JSON.stringify(fields)}`);
  }
  error(fields: LogFields, message: string): void {
    this.lines.push(`error ${message} ${JSON.stringify(fields)}`);
  }
  /** Waits for a line that matches, at most 5 s. */
  async waitFor(pattern: RegExp): Promise<void> {
    await until(() => this.lines.some((line) => pattern.test(line)), `a line that matches ${pattern}`, 5);
  }
  /** Asserts that a line matches. */
  says(pattern: RegExp): void {
    assert.ok(
      this.lines.some((line) => pattern.test(line)),
      `no line matches ${pattern}:\n${this.lines.join("\n")}`,
    );
  }
}

export interface WorldOptions {
  readonly assigned?: readonly Assignment[];
  readonly recipe?: Recipe;
  readonly uri?: string;
  readonly skew?: number;
  readonly profiles?: Readonly<Record<string, unknown>>;
  readonly service?: Partial<Pick<ServiceOptions, "sessionDeadline" | "securityStores">>;
  /** The balancer's answers to look-ups. */
  ask?(lookup: Lookup): Promise<LookupReply>;
}

/** An instance's protocol part with a clock that only tests move, and devices that are written down in their tests. */
export class World {
  readonly clock: VirtualClock = new VirtualClock(NOON);
  readonly log: LogBook = new LogBook();
  readonly reports: Report[] = [];
  readonly directory: DeviceDirectory;
  readonly service: BootstrapService;
  readonly asked: Lookup[] = [];
  readonly recipe: Recipe;
  readonly uri: string;
  #devices = 0;

  constructor(options: WorldOptions = {}) {
    const random = seededRandom(1);
    const log = new DeviceLog(this.log, this.clock, random);
    this.recipe = options.recipe ?? builtInRecipe("berth-1");
    this.uri = options.uri ?? STATIC_URI;
    this.directory = new DeviceDirectory(this.log);
    const no = (): boolean => false;
    this.directory.apply({ type: "fleet", uri: this.uri, recipe: this.recipe, skew: options.skew ?? 300_000 }, no);
    for (const [name, profile] of Object.entries({ default: PROFILE, ...options.profiles })) {
      this.directory.apply({ type: "profile", name, profile }, no);
    }
    this.directory.apply(
      { type: "assign", assignments: options.assigned ?? [assignment("urn:dev:1"), assignment("urn:dev:2")] },
      no,
    );
    const lookups = new Lookups({
      directory: this.directory,
      ask: async (lookup) => {
        this.asked.push(lookup);
        return (await options.ask?.(lookup)) ?? { refused: "unknown" };
      },
      clock: this.clock,
      log,
    });
    this.service = new BootstrapService({
      directory: this.directory,
      lookups,
      report: (report) => this.reports.push(report),
      log,
      clock: this.clock,
      time: this.clock,
      random,
      boot: "boot",
      ...options.service,
    });
  }

  /** A device behind a new association, of a PSK identity or what else it has proven; with null behind a NoSec listener. */
  device(
    proven: string | Proven | null,
    { serverName, address = "192.0.2.1" }: { serverName?: string; address?: string } = {},
  ): LockstepDevice {
    return new LockstepDevice(this, {
      key: `association ${++this.#devices}`,
      proven: typeof proven === "string" ? { mode: "psk", identity: proven } : (proven ?? undefined),
      serverName,
      address,
    });
  }

  /** The device's temporary host name at the present instant, or `ago` ms before; with a recipe that counts, of `counter`. */
  nameOf(endpoint: string, ago = 0, counter = 0): string {
    const { psk } = assignment(endpoint);
    const secret = Buffer.from(psk, "hex");
    return temporaryUri(this.recipe, this.uri, { secret, endpoint, instant: this.clock.now() - ago, counter }).host;
  }

  /** Lets time pass in steps of 20 ms, as the ticker does. */
  passes(milliseconds: number): void {
    for (let passed = 0; passed < milliseconds; passed += 20) {
      this.clock.advance(20);
      const due = this.service.nextDeadline();
      if (due !== undefined && due <= this.clock.now()) this.service.tick(this.clock.now());
    }
  }

  /** What the balancer was told, as `kind endpoint [cause]`, and forgets it. */
  told(): string[] {
    return this.reports
      .splice(0)
      .map(({ kind, endpoint, cause }) => [kind, endpoint, cause].filter((part) => part !== undefined).join(" "));
  }
}

type Packet = ReturnType<typeof parse>;

/** What a request has beside method, path and query. */
export interface SendOptions {
  readonly confirmable?: boolean;
  readonly uriHost?: string;
  readonly accept?: number;
  readonly options?: Packet["options"];
}

/** One side of a ladder diagram: says what the test says, and asserts what it hears. */
export class LockstepDevice {
  readonly #world: World;
  readonly caller: Caller;
  /** Datagrams from the instance, the oldest first. */
  readonly heard: Packet[] = [];
  closed = false;
  #messageId = 0x1000;
  #last: Packet | undefined;

  constructor(world: World, caller: Pick<Caller, "key" | "proven" | "serverName" | "address">) {
    this.#world = world;
    this.caller = {
      ...caller,
      port: 50_000,
      send: (datagram) => void this.heard.push(parse(Buffer.from(datagram))),
      close: (now) => {
        this.closed = true;
        world.service.lost(this.caller, false, now);
      },
    };
  }

  /** Sends a request such as `POST /bs?ep=urn:dev:1`; returns it, so that it can be sent again. */
  sends(line: string, { confirmable = true, uriHost, accept, options: more = [] }: SendOptions = {}): Buffer {
    const [, method = "", uri = ""] = /^(\S+) (.*)$/.exec(line) ?? [];
    const [path = "", query = ""] = uri.split("?");
    const options: Packet["options"] = [];
    if (uriHost !== undefined) options.push({ name: "Uri-Host", value: Buffer.from(uriHost) });
    for (const segment of path.split("/").filter((part) => part !== ""))
      options.push({ name: "Uri-Path", value: Buffer.from(segment) });
    for (const argument of query.split("&").filter((part) => part !== ""))
      options.push({ name: "Uri-Query", value: Buffer.from(argument) });
    if (accept !== undefined) options.push({ name: "Accept", value: Buffer.from([accept >> 8, accept & 255]) });
    options.push(...more);
    const messageId = ++this.#messageId;
    const datagram = generate({ code: method as "POST", confirmable, messageId, token: Buffer.from([1, 2, 3, 4]), options });
    this.sendsAgain(datagram);
    return datagram;
  }

  sendsAgain(datagram: Uint8Array): void {
    this.#world.service.receive(this.caller, datagram, this.#world.clock.now());
  }

  /** Asserts the next message: `ACK 2.04`, `CON DELETE /0`, `CON PUT /0/10 11542`, `CON GET / accept=40`; an empty one is `ACK`. */
  hears(line: string): Packet {
    const packet = this.heard.shift();
    assert.notEqual(packet, undefined, `heard nothing, expected ${line}`);
    if (packet === undefined) throw new Error("unreachable");
    assert.equal(describe(packet), line);
    this.#last = packet;
    return packet;
  }

  hearsNothing(): void {
    assert.deepEqual(this.heard.map(describe), []);
  }

  /** The method and path of the next message, which must be a request; whatever it asks for. */
  next(): [method: string, path: string] {
    const packet = this.heard.shift();
    assert.notEqual(packet, undefined, "heard nothing, expected a request");
    if (packet === undefined) throw new Error("unreachable");
    this.#last = packet;
    const [, method = "", path = ""] = describe(packet).split(" ");
    return [method, path];
  }

  /** Answers the message heard last, piggybacked; with link format, or with other content. */
  answers(code: string, content?: string | Content, ...options: Packet["options"]): void {
    this.sendsAgain(this.#response(code, { ack: true }, content, options));
  }

  /** Answers it with a confirmable message of its own, as one does that has sent an empty acknowledgement. */
  answersLate(code: string): void {
    this.sendsAgain(this.#response(code, { confirmable: true, messageId: ++this.#messageId }));
  }

  #response(
    code: string,
    message: { ack?: true; confirmable?: true; messageId?: number },
    content?: string | Content,
    options: Packet["options"] = [],
  ): Buffer {
    if (this.#last === undefined) throw new Error("nothing to answer");
    const { messageId, token } = this.#last;
    const named = { code: code as "2.04", messageId, token, ...message };
    if (content === undefined) return generate(named);
    const { contentFormat, payload } =
      typeof content === "string" ? { contentFormat: 40, payload: Buffer.from(content) } : content;
    const format = Buffer.alloc(2);
    format.writeUInt16BE(contentFormat);
    return generate({
      ...named,
      options: [{ name: "Content-Format", value: format }, ...options],
      payload: Buffer.from(payload),
    });
  }

  /** Sends the message heard last an empty message: an acknowledgement without an answer, or a Reset. */
  empties(type: "ACK" | "RST"): void {
    const { messageId = 0 } = this.#last ?? {};
    this.sendsAgain(Buffer.from([type === "ACK" ? 0x60 : 0x70, 0, messageId >> 8, messageId & 255]));
  }

  /** The association ends; `replaced` by a new handshake of the same address and port. */
  leaves({ replaced = false }: { replaced?: boolean } = {}): void {
    this.#world.service.lost(this.caller, replaced, this.#world.clock.now());
  }
}

/** Everything up to the first request of the instance. */
export function begin(device: LockstepDevice, request = "POST /bs?ep=urn:dev:1"): void {
  device.sends(request);
  device.hears("ACK 2.04");
}

/** Answers the deletes of {@link PROFILE}, with which its session begins. */
export function deletes(device: LockstepDevice): void {
  for (const line of ["CON DELETE /0", "CON DELETE /1"]) {
    device.hears(line);
    device.answers("2.02");
  }
}

/** Answers what {@link PROFILE} does up to Finish, which is heard but not answered. */
export function configure(device: LockstepDevice): void {
  deletes(device);
  for (const line of ["CON PUT /0/10 11542", "CON PUT /1/10 11542"]) {
    device.hears(line);
    device.answers("2.04");
  }
  device.hears("CON POST /bs");
}

/** The content of an answer. */
export interface Content {
  readonly contentFormat: number;
  readonly payload: Uint8Array;
}

/** A message in one line: `CON PUT /0/10 11542`. */
export function describe(packet: Packet): string {
  const type = packet.confirmable ? "CON" : packet.ack ? "ACK" : packet.reset ? "RST" : "NON";
  const code = packet.code.startsWith("0.")
    ? [undefined, "GET", "POST", "PUT", "DELETE"][Number(packet.code.slice(2))]
    : packet.code;
  const segments = packet.options.filter(({ name }) => name === "Uri-Path").map(({ value }) => `/${value}`);
  const path = code === "GET" && segments.length === 0 ? "/" : segments.join("");
  const accept = numberOf(packet, "Accept");
  const words = packet.code.startsWith("4.") && packet.payload.length > 0 ? `"${packet.payload}"` : undefined;
  const wanted = accept === undefined ? undefined : `accept=${accept}`;
  const parts = [type, code, path === "" ? undefined : path, numberOf(packet, "Content-Format"), wanted, words];
  return parts.filter((part) => part !== undefined).join(" ");
}

function numberOf(packet: Packet, option: "Accept" | "Content-Format"): number | undefined {
  const value: unknown = packet.options.find(({ name }) => name === option)?.value;
  return Buffer.isBuffer(value) ? (value.length === 0 ? 0 : value.readUIntBE(0, value.length)) : (value as number | undefined);
}
