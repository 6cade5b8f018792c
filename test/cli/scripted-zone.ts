import { Asker, type Carrier, type CheckContext, type CheckedServer, type Role } from "../../src/cli/check/index.ts";
import { DnsSchema } from "../../src/cli/dns-schema.ts";
import {
  CLASS_IN,
  ipv4Bytes,
  type Message,
  MessageBuilder,
  nameToWire,
  OPCODE,
  type ResourceRecord,
  readMessage,
  readTsig,
  refuseTsig,
  signTsig,
  TsigError,
  type TsigKey,
  TYPE,
  textData,
  verifyTsig,
} from "../../src/dns/index.ts";
import { VirtualClock } from "../../src/lib/clock.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { parseWith } from "../../src/lib/schema.ts";
import { DnsFailure } from "../../src/net/index.ts";

const ZONE = "bs.berth-fleet.net";
const PARENT = "198.51.100.1:53";
const RESOLVER = "192.0.2.200:53";
export const NOW = 1_700_000_000_000;
export const KEY: TsigKey = { name: "berth", algorithm: "hmac-sha256", secret: new Uint8Array(32).fill(7) };
const AA = 0x0400;
const RA = 0x0080;
const wire = nameToWire(ZONE);

/** How one server behaves; as given it is without fault. Tests spoil it. */
export class Scripted {
  silent: "udp" | "tcp" | "both" | "edns" | undefined;
  /** For every question. */
  rcode = 0;
  aa = true;
  soa: { serial: number; ttl: number; minimum: number } | undefined = { serial: 100, ttl: 30, minimum: 30 };
  ns: { hosts: string[]; ttl: number } = { hosts: [`ns1.${ZONE}`], ttl: 3600 };
  /** Address records: `type host` -> addresses. */
  addresses: Map<string, string[]> = new Map([[`A ns1.${ZONE}`, ["192.0.2.53"]]]);
  addressTtl = 30;
  texts: string[] = ["berth owner=mine term=3 by=x"];
  /** What a name that nobody has gets. */
  denial: "nxdomain" | "nodata" | "address" = "nxdomain";
  negativeTtl = 30;
  /** Code for those without a key, and for those with it. */
  unsignedUpdate = 5;
  signedUpdate = 6;
  notify = 0;
  openTransfer = false;
  recursion = false;
  edns = true;
  foldsCase = false;
  key: TsigKey | undefined = KEY;
  /** What it says, unsigned, where it has no key: NOTIMP. */
  withoutKey = 4;
  /** How far its clock is ahead of ours. */
  clockAhead = 0;
  signed: "nsec" | "minimal" | "nsec3" | "iterations" | "unproven" | undefined;
  expiresIn: number = 7 * 86_400;
  /** The parent has a DS record. */
  ds = false;
  /** A resolver that gets the right answer only unchecked. */
  bogus = false;
}

/** A world of scripted servers with one fault at most: what `berth check dns` is run on. */
export class ScriptedWorld {
  readonly clock: VirtualClock = new VirtualClock(NOW);
  readonly servers: Map<string, Scripted> = new Map();
  /** Section `dns` of the configuration. */
  dns: Record<string, unknown> = {};
  balancer: CheckContext["balancer"] = { publication: null, held: [], liveNames: [] };
  more: Partial<CheckContext> = {};
  /** What happens while the checks wait. */
  onPause: () => void = () => {};

  /** A server by its address, made when first asked for. */
  at(name: string): Scripted {
    const server = this.servers.get(name) ?? new Scripted();
    this.servers.set(name, server);
    return server;
  }

  /** The parent's name server, as it delegates the zone rightly. */
  get parent(): Scripted {
    const server = this.at(PARENT);
    server.aa = false;
    return server;
  }

  get resolver(): Scripted {
    const server = this.at(RESOLVER);
    server.aa = false;
    server.recursion = true;
    return server;
  }

  context(servers: Readonly<Record<string, readonly Role[]>>): CheckContext {
    const { registry } = this.dns;
    const whole = {
      ...this.dns,
      keys: { berth: { file: "berth.key" } },
      ...(registry === "rfc2136" ? { update: { server: "192.0.2.1:53", key: "berth", owner: "mine" } } : {}),
      ...(registry === "primary" ? { transfer: { key: "berth", secondaries: ["192.0.2.53:53"] } } : {}),
    };
    const dns = parseWith(DnsSchema, { ...whole, ...this.dns }, "dns");
    const carrier: Carrier = {
      udp: async (server, message) => this.#carry(checked(server), message, "udp"),
      tcp: async (server, message) => this.#carry(checked(server), message, "tcp"),
    };
    const all = Object.entries(servers).map(([name, roles]): CheckedServer => {
      this.at(name);
      const [address = "", port] = name.split(":");
      return { name, roles, address, port: Number(port) };
    });
    return {
      zone: ZONE,
      wire,
      dns,
      lead: 360_000,
      skew: 300_000,
      epoch: 3_600_000,
      servers: all,
      configured: all,
      asker: new Asker(carrier, seededRandom(1)),
      key: registry === undefined || registry === "embedded" ? undefined : KEY,
      resolver: undefined,
      parent: { address: "198.51.100.1", port: 53 },
      resolvers: [],
      balancer: this.balancer,
      clock: this.clock,
      pause: async (span) => {
        this.clock.advance(span);
        this.onPause();
      },
      ...this.more,
    };
  }

  useResolver(): void {
    const [address = ""] = RESOLVER.split(":");
    this.more = { ...this.more, resolver: { name: RESOLVER, roles: [], address, port: 53 } };
  }

  #carry(name: string, message: Uint8Array, transport: "udp" | "tcp"): Uint8Array {
    const server = this.servers.get(name);
    const hasEdns = readMessage(message).additionals.some(({ type }) => type === TYPE.OPT);
    const mute = server === undefined || server.silent === "both" || server.silent === transport;
    if (mute || (server.silent === "edns" && hasEdns))
      throw new DnsFailure("timeout", `DNS server ${name}: no answer in 1500 ms`);
    return respond(server, message, this.clock.now() + server.clockAhead, name === PARENT, name === RESOLVER);
  }
}

function checked({ address, port }: { address: string; port: number }): string {
  return `${address}:${port}`;
}

function respond(server: Scripted, bytes: Uint8Array, now: number, isParent: boolean, isResolver: boolean): Uint8Array {
  const record = readTsig(bytes);
  const query = readMessage(bytes);
  if (record === undefined) return answer(server, bytes, query, isParent, isResolver, false);
  if (server.key === undefined)
    return new MessageBuilder({ id: query.id, opcode: query.opcode, rcode: server.withoutKey, flags: 0x8000 }).finish();
  try {
    const { stripped, mac } = verifyTsig(bytes, server.key, now);
    const message = answer(server, stripped, readMessage(stripped), isParent, isResolver, true);
    return signTsig(message, server.key, now, { mac }).message;
  } catch (error) {
    if (!(error instanceof TsigError)) throw error;
    const bare = new MessageBuilder({ id: query.id, opcode: query.opcode, flags: 0x8000 }).finish();
    return refuseTsig(bare, record, error, now, server.key);
  }
}

function answer(
  server: Scripted,
  bytes: Uint8Array,
  query: Message,
  isParent: boolean,
  isResolver: boolean,
  signed: boolean,
): Uint8Array {
  const { id, opcode, questions, additionals, flags: asked } = query;
  const flags = 0x8000 | (server.aa ? AA : 0) | (server.recursion ? RA : 0);
  if (opcode === OPCODE.UPDATE || opcode === OPCODE.NOTIFY) {
    const update = signed ? server.signedUpdate : server.unsignedUpdate;
    return new MessageBuilder({ id, opcode, rcode: opcode === OPCODE.NOTIFY ? server.notify : update, flags }).finish();
  }
  const [question] = questions;
  if (question === undefined) throw new Error("no question");
  const bogus = isResolver && server.bogus && (asked & 0x0010) === 0;
  const { rcode, answers, authorities, extra } =
    server.rcode > 0 || bogus ? { rcode: bogus ? 2 : server.rcode, ...NONE } : sections(server, question, isParent);
  const builder = new MessageBuilder({ id, rcode, flags });
  const name = bytes.slice(12, 12 + question.name.length);
  builder.question(server.foldsCase ? question.name : name, question.type);
  for (const each of answers) builder.record("answer", each);
  for (const each of authorities) builder.record("authority", each);
  for (const each of extra) builder.record("additional", each);
  const edns = additionals.some(({ type }) => type === TYPE.OPT);
  if (edns && server.edns)
    builder.record("additional", { ...rr(TYPE.OPT, 0, new Uint8Array(0)), name: Uint8Array.of(0), class: 1232 });
  return builder.finish();
}

const NONE = { answers: [], authorities: [], extra: [] };

interface Sections {
  readonly rcode: number;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly extra: readonly ResourceRecord[];
}

function sections(server: Scripted, { name, type }: { name: Uint8Array; type: number }, isParent: boolean): Sections {
  const atApex = Buffer.compare(name, wire) === 0;
  const ns = server.ns.hosts.map((host) => rr(TYPE.NS, server.ns.ttl, nameToWire(host)));
  if (isParent && type === TYPE.NS) {
    const glue = server.ns.hosts.flatMap((host) => addressesOf(server, nameToWire(host), TYPE.A));
    return { rcode: 0, answers: [], authorities: ns, extra: glue };
  }
  const answers: ResourceRecord[] = [];
  if (atApex && type === TYPE.SOA && server.soa !== undefined) answers.push(soa(server, server.soa.ttl), ...signature(server));
  if (atApex && type === TYPE.NS) answers.push(...ns);
  if (atApex && type === TYPE.TXT) answers.push(...server.texts.map((text) => rr(TYPE.TXT, 30, textData(text))));
  if (atApex && type === TYPE.AXFR) {
    if (!server.openTransfer) return { rcode: 5, ...NONE };
    answers.push(soa(server, 30));
  }
  if (atApex && type === 48 && server.signed !== undefined) answers.push(rr(48, 3600, new Uint8Array(4)));
  if (atApex && type === 43 && server.ds) answers.push(rr(43, 3600, new Uint8Array(4)));
  if (!atApex) answers.push(...addressesOf(server, name, type));
  const exists = atApex || answers.length > 0 || addressesOf(server, name, type === TYPE.A ? TYPE.AAAA : TYPE.A).length > 0;
  if (exists) return { ...NONE, rcode: 0, answers };
  if (server.denial === "address") return { ...NONE, rcode: 0, answers: [{ ...rr(TYPE.A, 30, ipv4Bytes("192.0.2.66")), name }] };
  const authorities = [soa(server, server.negativeTtl), ...proof(server, name)];
  return { ...NONE, rcode: server.denial === "nodata" ? 0 : 3, authorities };
}

function addressesOf(server: Scripted, name: Uint8Array, type: number): ResourceRecord[] {
  if (type !== TYPE.A) return [];
  for (const [key, addresses] of server.addresses) {
    if (Buffer.compare(nameToWire(key.slice(2)), name) !== 0) continue;
    return addresses.map((address) => ({ ...rr(TYPE.A, server.addressTtl, ipv4Bytes(address)), name }));
  }
  return [];
}

function rr(type: number, ttl: number, data: Uint8Array): ResourceRecord {
  return { name: wire, type, class: CLASS_IN, ttl, data };
}

function soa({ soa: numbers }: Scripted, ttl: number): ResourceRecord {
  const { serial = 0, minimum = 0 } = numbers ?? {};
  const data = Buffer.concat([nameToWire(`ns1.${ZONE}`), nameToWire(`hostmaster.${ZONE}`), Buffer.alloc(20)]);
  data.writeUInt32BE(serial, data.length - 20);
  data.writeUInt32BE(minimum, data.length - 4);
  return rr(TYPE.SOA, ttl, data);
}

function signature({ signed, expiresIn }: Scripted): ResourceRecord[] {
  if (signed === undefined) return [];
  const data = Buffer.alloc(40);
  data.writeUInt32BE(NOW / 1000 + expiresIn, 8);
  data.writeUInt32BE(NOW / 1000 - 3600, 12);
  return [rr(46, 30, data)];
}

function proof({ signed }: Scripted, name: Uint8Array): ResourceRecord[] {
  switch (signed) {
    case "nsec":
      return [rr(47, 30, Buffer.concat([nameToWire(`aaaa.${ZONE}`), Uint8Array.of(0, 1, 0x40)]))];
    case "minimal":
      return [{ ...rr(47, 30, Buffer.concat([Uint8Array.of(1, 0), name, Uint8Array.of(0, 1, 0x40)])), name }];
    case "nsec3":
    case "iterations":
      return [rr(50, 30, Uint8Array.of(1, 0, 0, signed === "nsec3" ? 0 : 10, 0, 0))];
    default:
      return [];
  }
}
