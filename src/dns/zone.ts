import type { Seconds } from "../lib/clock.ts";
import { InvalidInput } from "../lib/errors.ts";
import { ipv4Bytes, ipv6Bytes } from "./address.ts";
import { TYPE } from "./constants.ts";
import { nameToWire, relativeLength } from "./name.ts";
import { type RecordTemplate, recordTemplate } from "./record.ts";

/** A name server of the zone. Inside the zone it needs its addresses here; outside, its own zone has them. */
export interface NameserverHost {
  readonly host: string;
  readonly ipv4?: string | undefined;
  readonly ipv6?: string | undefined;
}

/** What the zone is, beside the live names. */
export interface ZoneOptions {
  /** The zone's name, such as `bs.example.com`: what the parent zone delegates. */
  readonly name: string;
  /** 1-13 name servers, the first of them being the SOA's primary. */
  readonly nameservers: readonly NameserverHost[];
  /** Mail address of who runs the zone; `hostmaster@` the zone unless given. */
  readonly hostmaster?: string;
  /** Version of the zone in the SOA, 32 bits. */
  readonly serial: number;
  /** How long a resolver may keep a live name's address; at least 1: a TTL of 0 is cached by some for minutes. */
  readonly ttl: Seconds;
  /** How long a resolver may keep that a name does not exist: the SOA's TTL and minimum alike (RFC 2308 section 5). */
  readonly negativeTtl: Seconds;
  /** How often a secondary asks for the serial, and again if it got no answer (RFC 1035 section 3.3.13); 3600 s and 600 s unless given. */
  readonly refresh?: { readonly every: Seconds; readonly retry: Seconds };
}

/** A name that stands in the zone whatever is live: a name server's, or one above it. */
export interface FixedName {
  /** Relative to the zone, wire form, lower case, without the root's zero. */
  readonly name: Uint8Array;
  readonly ipv4?: Uint8Array;
  readonly ipv6?: Uint8Array;
}

/** A zone made ready: its records as bytes. */
export interface Zone {
  readonly wire: Uint8Array;
  readonly ttl: Seconds;
  readonly fixed: readonly FixedName[];
  readonly soa: RecordTemplate;
  readonly ns: readonly RecordTemplate[];
  /** Addresses of the name servers inside the zone. */
  readonly glue: readonly RecordTemplate[];
}

/** NS and their addresses seldom change; an hour is what most zones of this kind use. */
const NAMESERVER_TTL: Seconds = 3600;
/** SOA refresh and retry (RFC 1035 section 3.3.13) for secondaries that nobody configured to be quick. */
const REFRESH = { every: 3600, retry: 600 } as const;
/** SOA expire: a secondary that hears nothing goes on for a week. */
const EXPIRE: Seconds = 604_800;
/** Serial, refresh, retry, expire and minimum end the SOA. */
const SOA_NUMBERS = 20;
/** A list of 13 fits 512 bytes with short names: more would be cut off. */
const MAX_NAMESERVERS = 13;
/** RFC 2181 section 8. */
const MAX_TTL: Seconds = 0x7fff_ffff;

/**
 * Checks a zone and lays out its records.
 * @throws InvalidInput naming the field: a name that is none, no name server, addresses missing inside the zone or given
 *   outside, a TTL of 0
 */
export function prepareZone(options: ZoneOptions): Zone {
  const wire = nameToWire(options.name, "zone name");
  for (const field of ["ttl", "negativeTtl"] as const) {
    const value = options[field];
    if (!(Number.isInteger(value) && value >= 1 && value <= MAX_TTL)) {
      throw new InvalidInput(`zone ${field}: ${value} is not a number of seconds from 1 to ${MAX_TTL}`);
    }
  }
  const { serial, nameservers } = options;
  if (!(Number.isInteger(serial) && serial >= 0 && serial <= 0xffff_ffff)) {
    throw new InvalidInput(`zone serial: ${serial} is not a 32-bit number`);
  }
  if (nameservers.length < 1 || nameservers.length > MAX_NAMESERVERS) {
    throw new InvalidInput(`zone nameservers: 1-${MAX_NAMESERVERS} are needed, got ${nameservers.length}`);
  }
  const hosts = nameservers.map((server) => prepareHost(server, wire));
  const primary = hosts[0]?.wire ?? wire;
  const { every, retry } = options.refresh ?? REFRESH;
  const timers = [serial, every, retry, EXPIRE, options.negativeTtl].flatMap(uint32);
  const mail = mailbox(options.hostmaster ?? `hostmaster@${options.name}`);
  const soaData = [{ name: primary }, { name: mail }, Uint8Array.from(timers)];
  return {
    wire,
    ttl: options.ttl,
    fixed: withParents(hosts.flatMap(({ fixed }) => (fixed === undefined ? [] : [fixed]))),
    soa: recordTemplate(wire, { owner: wire, type: TYPE.SOA, ttl: options.negativeTtl, data: soaData }),
    ns: hosts.map((host) =>
      recordTemplate(wire, { owner: wire, type: TYPE.NS, ttl: NAMESERVER_TTL, data: [{ name: host.wire }] }),
    ),
    glue: hosts.flatMap(({ wire: owner, fixed }) => {
      const addresses = [
        { type: TYPE.A, address: fixed?.ipv4 },
        { type: TYPE.AAAA, address: fixed?.ipv6 },
      ];
      return addresses.flatMap(({ type, address }) =>
        address === undefined ? [] : [recordTemplate(wire, { owner, type, ttl: options.ttl, data: [address] })],
      );
    }),
  };
}

/** Gives the SOA of a prepared zone another serial. */
export function setSerial({ soa: { bytes } }: Zone, serial: number): void {
  const at = bytes.length - SOA_NUMBERS;
  bytes[at] = serial >>> 24;
  bytes[at + 1] = serial >>> 16;
  bytes[at + 2] = serial >>> 8;
  bytes[at + 3] = serial;
}

interface PreparedHost {
  readonly wire: Uint8Array;
  readonly fixed?: FixedName;
}

function prepareHost({ host, ipv4, ipv6 }: NameserverHost, zone: Uint8Array): PreparedHost {
  const wire = nameToWire(host, "name server");
  const relative = relativeLength(wire, wire.length, zone);
  const addressed = ipv4 !== undefined || ipv6 !== undefined;
  if (relative < 0) {
    if (addressed) throw new InvalidInput(`name server ${host}: it is outside the zone, so its addresses belong in its own zone`);
    return { wire };
  }
  if (relative === 0) throw new InvalidInput(`name server ${host}: it cannot have the zone's own name`);
  if (!addressed) throw new InvalidInput(`name server ${host}: it is inside the zone, so give its ipv4 or ipv6 address here`);
  return {
    wire,
    fixed: {
      name: wire.subarray(0, relative),
      ...(ipv4 === undefined ? {} : { ipv4: ipv4Bytes(ipv4) }),
      ...(ipv6 === undefined ? {} : { ipv6: ipv6Bytes(ipv6) }),
    },
  };
}

/** Adds the names between the given ones and the zone: they exist, with nothing at them (RFC 8020 section 2). */
function withParents(names: readonly FixedName[]): readonly FixedName[] {
  const all = [...names];
  for (const { name } of names) {
    for (let at = 1 + (name[0] ?? 0); at < name.length; at += 1 + (name[at] ?? 0)) {
      const parent = name.subarray(at);
      if (!all.some((known) => Buffer.compare(known.name, parent) === 0)) all.push({ name: parent });
    }
  }
  return all;
}

/** A mail address as a name: what stands before the @ is one label, dots and all (RFC 1035 section 3.3.13). */
function mailbox(address: string): Uint8Array {
  const [, local = "", domain = ""] = /^([!-?A-~]{1,63})@([^@]+)$/.exec(address) ?? [];
  if (local === "") throw new InvalidInput(`zone hostmaster: "${address}" is not a mail address`);
  return Uint8Array.from([local.length, ...Buffer.from(local), ...nameToWire(domain, "zone hostmaster")]);
}

function uint32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}
