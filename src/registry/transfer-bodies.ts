import {
  HEADER_LENGTH,
  type NameState,
  NameStatesWriter,
  readNameStates,
  TransferWriter,
  TYPE,
  type Zone,
  type ZoneContents,
} from "../dns/index.ts";

/** Type, class, TTL and length of a record. */
const FIXED = 10;

/** A message of a transfer for one who asked for it; those made here are for all: with id 0, as if asked for AXFR. */
export function addressed(
  body: Uint8Array,
  zone: Zone,
  { id, type }: { readonly id: number; readonly type: number },
): Uint8Array {
  const message = Uint8Array.from(body);
  message[0] = id >> 8;
  message[1] = id & 0xff;
  message[HEADER_LENGTH + zone.wire.length + 1] = type;
  return message;
}

/** The whole zone at one serial (RFC 5936 section 2.2). Made as it is drawn: the names must not change meanwhile. */
export function* wholeZone(zone: Zone, serial: number, names: Iterable<NameState>): Generator<Uint8Array> {
  const writer = newWriter(zone);
  writer.soa(serial);
  for (const record of [...zone.ns, ...zone.glue]) {
    const full = writer.record(record);
    if (full !== undefined) yield full;
  }
  for (const state of names) {
    const full = writer.addresses(state);
    if (full !== undefined) yield full;
  }
  const full = writer.soa(serial);
  if (full !== undefined) yield full;
  const last = writer.finish();
  if (last !== undefined) yield last;
}

/**
 * What leads from one serial to another (RFC 1995 section 4), as one difference.
 * @param before how the names that changed were at `from`
 * @param contents how names are at `to`
 * @param limit bytes; with more, the whole zone is the better answer
 * @returns undefined if it takes more
 */
export function difference(
  zone: Zone,
  { from, to }: { readonly from: number; readonly to: number },
  before: Iterable<NameState>,
  contents: ZoneContents,
  limit: number,
): readonly Uint8Array[] | undefined {
  const writer = newWriter(zone);
  const bodies: Uint8Array[] = [];
  let bytes = 0;
  const keep = (body: Uint8Array | undefined): void => {
    if (body === undefined) return;
    bodies.push(body);
    bytes += body.length;
  };
  const changed = new NameStatesWriter();
  keep(writer.soa(to));
  keep(writer.soa(from));
  for (const old of before) {
    keep(writer.addresses(without(old, contents.get(old.name))));
    changed.add(old.name, old.name.length, old.ipv4, old.ipv6);
    if (bytes > limit) return undefined;
  }
  keep(writer.soa(to));
  for (const old of readNameStates(changed.take())) {
    const now = contents.get(old.name);
    if (now !== undefined) keep(writer.addresses(without(now, old)));
    if (bytes > limit) return undefined;
  }
  keep(writer.soa(to));
  keep(writer.finish());
  return bodies;
}

/** One SOA: the answer to who is up to date, or has to come back over TCP (RFC 1995 sections 2 and 4). */
export function soaOnly(zone: Zone, serial: number): Uint8Array {
  const writer = newWriter(zone);
  writer.soa(serial);
  return writer.finish() ?? new Uint8Array(0);
}

/** Bytes of a transfer of a zone with so many names, at least. */
export function wholeSize(names: number): number {
  return names * (2 + FIXED + 4);
}

function newWriter(zone: Zone): TransferWriter {
  return new TransferWriter({ id: 0, zone, type: TYPE.AXFR });
}

/** A state without the addresses that the name has in the other state too. */
function without({ name, ipv4, ipv6 }: NameState, other: NameState | undefined): NameState {
  return { name, ipv4: same(ipv4, other?.ipv4) ? undefined : ipv4, ipv6: same(ipv6, other?.ipv6) ? undefined : ipv6 };
}

function same(address: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return address !== undefined && other !== undefined && Buffer.compare(address, other) === 0;
}
