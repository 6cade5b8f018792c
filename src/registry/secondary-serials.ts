import {
  buildQuery,
  CLASS_IN,
  FLAG,
  RCODE,
  readMessage,
  signTsig,
  soaSerial,
  type TsigKey,
  TYPE,
  verifyTsig,
} from "../dns/index.ts";
import type { Clock } from "../lib/clock.ts";
import type { Random } from "../lib/random.ts";

/** Sends a datagram to a secondary, such as `192.0.2.53:53`, and gives the answer to it; rejects if none comes in time. */
export type AskSecondary = (secondary: string, message: Uint8Array) => Promise<Uint8Array>;

/** What {@link secondarySerials} needs. */
export interface SecondarySerialsOptions {
  readonly secondaries: readonly string[];
  readonly ask: AskSecondary;
  /** Of the zone, in wire form. */
  readonly wire: Uint8Array;
  readonly key: TsigKey;
  readonly clock: Clock;
  readonly random: Random;
}

/** A serial that a secondary has. */
export interface SecondarySerial {
  readonly secondary: string;
  readonly serial: number;
}

/**
 * Asks secondaries which serial of the zone they have. Signed both ways, so that nobody else can make serials run. Those that do not
 * answer, or have no zone, are left out.
 */
export async function secondarySerials(options: SecondarySerialsOptions): Promise<readonly SecondarySerial[]> {
  const asked = options.secondaries.map(async (secondary) => {
    const serial = await serialAt(options, secondary).catch(() => undefined);
    return serial === undefined ? [] : [{ secondary, serial }];
  });
  return (await Promise.all(asked)).flat();
}

async function serialAt(options: SecondarySerialsOptions, secondary: string): Promise<number | undefined> {
  const { ask, wire, key, clock, random } = options;
  const [high = 0, low = 0] = random.bytes(2);
  const query = buildQuery((high << 8) | low, { name: wire, type: TYPE.SOA, class: CLASS_IN });
  const { message, mac } = signTsig(query, key, clock.now());
  const answer = await ask(secondary, message);
  const { rcode, flags, answers } = readMessage(verifyTsig(answer, key, clock.now(), { mac }).stripped);
  if (rcode !== RCODE.NOERROR || (flags & FLAG.AUTHORITATIVE) === 0) return undefined;
  const soa = answers.find(({ type }) => type === TYPE.SOA);
  return soa === undefined ? undefined : soaSerial(soa);
}
