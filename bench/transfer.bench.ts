import {
  type NameState,
  nameToWire,
  prepareZone,
  signTsig,
  TransferReader,
  TransferWriter,
  type TsigKey,
  TsigStream,
  TYPE,
  UpdateWriter,
} from "../src/dns/index.ts";

const NAMES = 1_000_000;
/** As many as go into one update (docs/dns). */
const PER_UPDATE = 500;
const NOW = 1_750_000_000_000;
const zone = prepareZone({
  name: "bs.example.com",
  nameservers: [{ host: "ns1.bs.example.com", ipv4: "192.0.2.53" }],
  serial: 1,
  ttl: 30,
  negativeTtl: 30,
});
const key: TsigKey = { name: "berth", algorithm: "hmac-sha256", secret: new Uint8Array(32).fill(7) };
const requestMac = new Uint8Array(32);

/** What a registry costs on the wire: 10^6 names of 16 characters as a signed transfer, written and read, and as signed updates. */
export async function run(): Promise<Record<string, unknown>> {
  measure();
  const figures = measure();
  for (const [what, { perSecond, bytesPerName }] of Object.entries(figures)) {
    console.error(
      `${what.padEnd(9)} ${(perSecond / 1e6).toFixed(2)} M names per CPU-second, ${bytesPerName.toFixed(1)} bytes a name`,
    );
  }
  return { names: NAMES, ...figures };
}

interface Figures {
  readonly perSecond: number;
  readonly bytesPerName: number;
}

function measure(): Readonly<Record<"written" | "read" | "updated", Figures>> {
  const messages: Uint8Array[] = [];
  const written = timed(() => {
    for (const message of transfer()) messages.push(message);
    return size(messages);
  });
  const read = timed(() => {
    const reader = new TransferReader({ id: 1, zone: zone.wire });
    const stream = new TsigStream(key, requestMac);
    for (const message of messages) reader.read(stream.verify(message, NOW));
    if (!reader.isComplete) throw new Error("the transfer is not whole");
    return size(messages);
  });
  return { written, read, updated: timed(updates) };
}

function* transfer(): Generator<Uint8Array> {
  const writer = new TransferWriter({ id: 1, zone, type: TYPE.AXFR });
  const stream = new TsigStream(key, requestMac);
  writer.soa(1);
  for (const state of states()) {
    const full = writer.addresses(state);
    if (full !== undefined) yield stream.sign(full, NOW);
  }
  for (const message of [writer.soa(1), writer.finish()]) if (message !== undefined) yield stream.sign(message, NOW);
}

/** Each name moves from one address to another. */
function updates(): number {
  const wire = nameToWire("bs.example.com");
  let bytes = 0;
  let writer = new UpdateWriter({ id: 1, zone: wire, ttl: 30 });
  for (const state of states()) {
    writer.add({ ...state, held: state });
    if (writer.names < PER_UPDATE) continue;
    bytes += signTsig(writer.finish(), key, NOW).message.length;
    writer = new UpdateWriter({ id: 1, zone: wire, ttl: 30 });
  }
  return bytes;
}

function* states(): Generator<NameState> {
  const name = new Uint8Array(17).fill(0x61);
  name[0] = 16;
  for (let index = 0; index < NAMES; index++) {
    for (let digit = 0; digit < 5; digit++) name[1 + digit] = 0x61 + ((index >> (4 * digit)) & 15);
    yield { name, ipv4: Uint8Array.of(192, 0, 2, index & 255), ipv6: undefined };
  }
}

function timed(work: () => number): Figures {
  const before = process.cpuUsage();
  const bytes = work();
  const { user, system } = process.cpuUsage(before);
  return { perSecond: NAMES / ((user + system) / 1e6), bytesPerName: bytes / NAMES };
}

function size(messages: readonly Uint8Array[]): number {
  return messages.reduce((sum, { length }) => sum + length, 0);
}
