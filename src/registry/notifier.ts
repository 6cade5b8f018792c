import {
  buildNotify,
  OPCODE,
  rcodeName,
  readMessage,
  serialIsNewer,
  signTsig,
  type TsigKey,
  verifyTsig,
  type Zone,
} from "../dns/index.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Machine } from "../net/index.ts";
import { soaOnly } from "./transfer-bodies.ts";

/** Options of {@link Notifier}. */
export interface NotifierOptions {
  readonly zone: Zone;
  readonly key: TsigKey;
  /** Such as `192.0.2.53:53`. */
  readonly secondaries: readonly string[];
  /** Sends a datagram without waiting. */
  readonly send: (message: Uint8Array, secondary: string) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** A NOTIFY that is to be answered. */
interface Sent {
  readonly id: number;
  readonly mac: Uint8Array;
  readonly serial: number;
  readonly at: Instant;
  /** It is sent again so long after. */
  readonly wait: Milliseconds;
}

interface Secondary {
  readonly name: string;
  sent: Sent | undefined;
  /** What it said against the last NOTIFY, in words; the same is logged once. */
  complaint: string | undefined;
}

/** Until a NOTIFY is sent again: from the first to the last of these, doubling (RFC 1996 section 3.6 proposes 60 s). */
const FIRST_WAIT: Milliseconds = 1000;
const LAST_WAIT: Milliseconds = 60_000;

/**
 * Tells secondaries that the zone has changed, each until it has answered (RFC 1996). Signed both ways; several changes while one
 * does not answer are one NOTIFY.
 */
export class Notifier implements Machine {
  readonly #options: NotifierOptions;
  readonly #secondaries: readonly Secondary[];
  #serial = 0;

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#secondaries = options.secondaries.map((name) => ({ name, sent: undefined, complaint: undefined }));
  }

  /** The zone has this serial now. */
  notify(serial: number): void {
    this.#serial = serial;
    for (const secondary of this.#secondaries) {
      // One that has not answered in its first second is told with the next try: it may be away.
      if (secondary.sent === undefined || secondary.sent.wait === FIRST_WAIT) this.#send(secondary, FIRST_WAIT);
    }
  }

  /** Says nothing more until the next `notify`. */
  stop(): void {
    for (const secondary of this.#secondaries) secondary.sent = undefined;
  }

  nextDeadline(): Instant | undefined {
    const now = this.#options.clock.now();
    const due = this.#secondaries.flatMap(({ sent }) => (sent === undefined ? [] : [dueAt(sent, now)]));
    return due.length === 0 ? undefined : Math.min(...due);
  }

  tick(now: Instant): void {
    for (const secondary of this.#secondaries) {
      const { sent } = secondary;
      if (sent !== undefined && dueAt(sent, now) <= now) this.#send(secondary, Math.min(LAST_WAIT, sent.wait * 2));
    }
  }

  /** Takes a datagram that may be an answer. */
  answered(bytes: Uint8Array): void {
    const id = bytes.length < 2 ? -1 : ((bytes[0] as number) << 8) | (bytes[1] as number);
    const secondary = this.#secondaries.find(({ sent }) => sent?.id === id);
    if (secondary?.sent === undefined) return;
    const { mac, serial } = secondary.sent;
    const complaint = this.#fault(bytes, mac);
    if (complaint !== undefined && complaint !== secondary.complaint) {
      this.#options.log.warn({ secondary: secondary.name, complaint }, "a secondary does not take NOTIFY; it is sent again");
    }
    secondary.complaint = complaint;
    if (complaint !== undefined) return;
    secondary.sent = undefined;
    if (serialIsNewer(this.#serial, serial)) this.#send(secondary, FIRST_WAIT);
  }

  /** What is wrong with an answer, in words. */
  #fault(bytes: Uint8Array, mac: Uint8Array): string | undefined {
    const { key, clock } = this.#options;
    try {
      const { rcode, opcode } = readMessage(verifyTsig(bytes, key, clock.now(), { mac }).stripped);
      return rcode === 0 && opcode === OPCODE.NOTIFY ? undefined : `it answers ${rcodeName(rcode)}`;
    } catch (error) {
      return errorText(error);
    }
  }

  #send(secondary: Secondary, wait: Milliseconds): void {
    const { zone, key, clock, send } = this.#options;
    const id = this.#newId();
    const [soa] = readMessage(soaOnly(zone, this.#serial)).answers;
    const now = clock.now();
    const { message, mac } = signTsig(buildNotify(id, zone.wire, soa?.data), key, now);
    secondary.sent = { id, mac, serial: this.#serial, at: now, wait };
    send(message, secondary.name);
  }

  #newId(): number {
    const bytes = this.#options.random.bytes(2);
    const id = ((bytes[0] as number) << 8) | (bytes[1] as number);
    return this.#secondaries.some(({ sent }) => sent?.id === id) ? this.#newId() : id;
  }
}

/** When it is sent again: at once where the clock was set back, as the time since cannot be told then. */
function dueAt({ at, wait }: Sent, now: Instant): Instant {
  return now < at ? now : at + wait;
}
