import {
  CLASS_IN,
  MalformedMessage,
  Query,
  RCODE,
  RegistryUnavailable,
  readMessage,
  readTsig,
  refuseTsig,
  relativeLength,
  serialIsNewer,
  setSerial,
  soaSerial,
  TsigError,
  type TsigKey,
  type TsigRecord,
  TsigStream,
  TYPE,
  verifyTsig,
  type Zone,
  type ZoneContents,
} from "../dns/index.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Journal } from "./journal.ts";
import { PrimaryAnswers } from "./primary-answers.ts";
import type { Snapshots } from "./snapshots.ts";
import { addressed, difference, soaOnly, wholeSize } from "./transfer-bodies.ts";

/** What a hidden primary gave to its secondaries. */
export interface TransferStats {
  /** Whole zones asked for (RFC 5936). */
  axfr: number;
  /** Differences (RFC 1995). */
  ixfr: number;
  /** Whole zones in place of a difference that was not there, or larger. */
  ixfrAsWhole: number;
  /** Times that an IXFR was told it has all, or to come back over TCP. */
  ixfrSoaOnly: number;
  /** Signed queries that were no transfers. */
  queries: number;
  /** Messages turned away: without a signature, or with one that does not hold. */
  refused: number;
}

/** The zone as it is now. */
export interface ZoneState {
  readonly serial: number;
  readonly contents: ZoneContents;
}

/** What {@link Transfers} needs of the primary. */
export interface TransfersOptions {
  readonly zone: Zone;
  readonly key: TsigKey;
  readonly snapshots: Snapshots;
  readonly journal: Journal;
  /** Undefined while this primary may not say anything. */
  readonly state: () => ZoneState | undefined;
  /** A transfer has ended while the zone had gone on. */
  readonly overtaken: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A message as it came, its signature proven. */
interface Request {
  /** Without TSIG. */
  readonly message: Uint8Array;
  readonly query: Query;
  readonly transport: "udp" | "tcp";
  readonly sign: (answer: Uint8Array) => Uint8Array;
}

/** What goes out to a secondary: made for all who ask the same. */
interface Bodies {
  readonly serial: number;
  readonly messages: Iterable<Uint8Array>;
}

/** A signature takes its key's name and less than this. */
const TSIG_ROOM = 130;
const LARGEST_TCP = 0xffff;
/** Differences that are kept made, as all secondaries ask for the same. */
const KEPT = 4;
/** Refusals are logged so often at most: who sends them may send many. */
const LOG_EVERY: Milliseconds = 60_000;

/** Answers to secondaries. */
export class Transfers {
  readonly stats: TransferStats = { axfr: 0, ixfr: 0, ixfrAsWhole: 0, ixfrSoaOnly: 0, queries: 0, refused: 0 };
  readonly #options: TransfersOptions;
  readonly #answers: PrimaryAnswers;
  /** Differences from a serial to the present one; undefined for those that there are not. */
  readonly #differences: Map<number, readonly Uint8Array[] | undefined> = new Map();
  #logged: Instant = Number.NEGATIVE_INFINITY;

  constructor(options: TransfersOptions) {
    this.#options = options;
    this.#answers = new PrimaryAnswers(options.zone);
  }

  /** The zone has another serial. */
  changed(): void {
    this.#differences.clear();
  }

  async *respond(bytes: Uint8Array, transport: "udp" | "tcp"): AsyncGenerator<Uint8Array> {
    const query = new Query();
    const kind = query.read(bytes);
    if (kind === "none") return;
    if (kind === "malformed") return yield this.#answers.empty(bytes, undefined, RCODE.FORMERR);
    const { key, clock } = this.#options;
    let sign = (answer: Uint8Array): Uint8Array => answer;
    let message = bytes;
    const record = tsigOf(bytes);
    if (record === "malformed") return yield this.#answers.empty(bytes, undefined, RCODE.FORMERR);
    if (record !== undefined) {
      try {
        const { mac, stripped } = verifyTsig(bytes, key, clock.now());
        const stream = new TsigStream(key, mac);
        sign = (answer) => stream.sign(answer, clock.now());
        message = stripped;
      } catch (error) {
        if (!(error instanceof TsigError)) throw error;
        this.#refused(errorText(error));
        const empty = this.#answers.empty(bytes, kind === "query" ? query : undefined, RCODE.NOTAUTH);
        return yield refuseTsig(empty, record, error, clock.now(), key);
      }
    }
    if (kind === "not-implemented") return yield sign(this.#answers.empty(message, undefined, RCODE.NOTIMP));
    yield* this.#answer({ message, query, transport, sign }, record !== undefined);
  }

  *#answer(request: Request, signed: boolean): Generator<Uint8Array> {
    const { zone, state } = this.#options;
    const { message, query, transport, sign } = request;
    const empty = (rcode: number): Uint8Array => sign(this.#answers.empty(message, query, rcode));
    const isTransfer = query.type === TYPE.AXFR || query.type === TYPE.IXFR;
    if (isTransfer && !signed) {
      this.#refused("a transfer was asked for without a signature");
      return yield empty(RCODE.REFUSED);
    }
    const isOurs = query.class === CLASS_IN && relativeLength(query.name, query.nameLength, zone.wire) === 0;
    if (isTransfer && !isOurs) return yield empty(RCODE.NOTAUTH);
    const now = state();
    if (now === undefined) return yield empty(RCODE.SERVFAIL);
    if (!isTransfer) {
      this.stats.queries++;
      setSerial(zone, now.serial);
      return yield sign(this.#answers.answer(message, query, now.contents, this.#room(request)));
    }
    // RFC 5936 section 4.2: not over UDP.
    if (query.type === TYPE.AXFR && transport === "udp") return yield empty(RCODE.FORMERR);
    const bodies = query.type === TYPE.AXFR ? this.#whole("axfr", now) : this.#since(request, now);
    yield* bodies === undefined ? [empty(RCODE.FORMERR)] : this.#send(request, bodies);
  }

  *#send({ message, query, sign }: Request, { serial, messages }: Bodies): Generator<Uint8Array> {
    const { zone, clock, log, state } = this.#options;
    const id = ((message[0] as number) << 8) | (message[1] as number);
    const began = clock.now();
    let count = 0;
    let bytes = 0;
    for (const body of messages) {
      // The connection is cut, and the secondary throws away what it has got so far.
      if (state() === undefined)
        throw new RegistryUnavailable("busy", "the lease was lost while a secondary transferred the zone");
      const answer = sign(addressed(body, zone, { id, type: query.type }));
      count++;
      bytes += answer.length;
      yield answer;
    }
    const type = query.type === TYPE.AXFR ? "AXFR" : "IXFR";
    log.debug({ type, serial, messages: count, bytes, ms: clock.now() - began }, "a secondary was given the zone");
    if (state()?.serial !== serial) this.#options.overtaken();
  }

  #whole(reason: "axfr" | "ixfrAsWhole", { serial, contents }: ZoneState): Bodies {
    this.stats[reason]++;
    return this.#options.snapshots.begin(serial, contents);
  }

  /** What leads from the serial that the secondary has to the present one; undefined if it does not say which it has. */
  #since(request: Request, now: ZoneState): Bodies | undefined {
    const { zone } = this.#options;
    const from = serialIn(request.message);
    if (from === undefined) return undefined;
    const messages = serialIsNewer(now.serial, from) ? this.#difference(from, now) : [];
    const overUdp = request.transport === "udp";
    if (messages === undefined && !overUdp) return this.#whole("ixfrAsWhole", now);
    const [first] = messages ?? [];
    const fits = !overUdp || (messages?.length === 1 && (first?.length ?? 0) <= this.#room(request));
    if (first === undefined || messages === undefined || !fits) {
      this.stats.ixfrSoaOnly++;
      return { serial: now.serial, messages: [soaOnly(zone, now.serial)] };
    }
    this.stats.ixfr++;
    return { serial: now.serial, messages };
  }

  #difference(from: number, { serial, contents }: ZoneState): readonly Uint8Array[] | undefined {
    const { zone, journal } = this.#options;
    const made = this.#differences;
    if (made.has(from)) return made.get(from);
    const before = journal.since(from);
    const messages =
      before === undefined ? undefined : difference(zone, { from, to: serial }, before, contents, wholeSize(contents.size));
    const [oldest] = made.keys();
    if (oldest !== undefined && made.size === KEPT) made.delete(oldest);
    made.set(from, messages);
    return messages;
  }

  /** Bytes that an answer may have before it is signed. */
  #room({ query, transport }: Request): number {
    return (transport === "udp" ? query.udpSize : LARGEST_TCP) - TSIG_ROOM - this.#options.key.name.length;
  }

  #refused(why: string): void {
    const { clock, log } = this.#options;
    this.stats.refused++;
    const now = clock.now();
    if (now - this.#logged < LOG_EVERY) return;
    this.#logged = now;
    log.warn({ why, refused: this.stats.refused }, "a transfer or signed query was refused");
  }
}

/** The signature of a message, if it has one. */
function tsigOf(message: Uint8Array): TsigRecord | "malformed" | undefined {
  try {
    return readTsig(message);
  } catch (error) {
    if (error instanceof MalformedMessage) return "malformed";
    throw error;
  }
}

/** The serial that who asks for IXFR has (RFC 1995 section 3). */
function serialIn(message: Uint8Array): number | undefined {
  try {
    const [soa] = readMessage(message).authorities;
    return soa === undefined ? undefined : soaSerial(soa);
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined;
    throw error;
  }
}
