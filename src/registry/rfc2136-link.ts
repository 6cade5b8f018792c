import {
  buildQuery,
  CLASS_IN,
  ErrorAnswer,
  MalformedMessage,
  type Message,
  type NameChange,
  RCODE,
  RegistryUnavailable,
  type ResourceRecord,
  readMessage,
  readTsig,
  signTsig,
  soaSerial,
  TransferReader,
  TsigError,
  type TsigKey,
  TsigStream,
  TYPE,
  type UpdateOptions,
  UpdateWriter,
  verifyTsig,
} from "../dns/index.ts";
import type { Clock, Milliseconds } from "../lib/clock.ts";
import { InternalError } from "../lib/errors.ts";
import type { TextRecord } from "./rfc2136-owner.ts";

/** What is needed of a connection; `DnsConnection` has it. */
export interface UpdateConnection {
  readonly isOpen: boolean;
  freeId(): number;
  request(message: Uint8Array, timeout: Milliseconds): Promise<Uint8Array>;
  requestStream(message: Uint8Array, timeout: Milliseconds): AsyncGenerator<Uint8Array>;
  close(): void;
}

/** Options of {@link UpdateLink}. */
export interface UpdateLinkOptions {
  readonly connect: () => Promise<UpdateConnection>;
  readonly key: TsigKey;
  /** The zone's name in wire form. */
  readonly zone: Uint8Array;
  readonly clock: Clock;
  /** For one answer. */
  readonly timeout: Milliseconds;
}

/** What an update says, beside its id and zone. */
export interface UpdateParts extends Omit<UpdateOptions, "id" | "zone"> {
  readonly changes: Iterable<NameChange>;
}

/** Signed requests to one server about one zone, over one connection that is opened where there is none. */
export class UpdateLink {
  readonly #options: UpdateLinkOptions;
  #connection: UpdateConnection | undefined;

  constructor(options: UpdateLinkOptions) {
    this.#options = options;
  }

  /** Whether there is a connection. */
  get isOpen(): boolean {
    return this.#connection?.isOpen === true;
  }

  /** Opens a connection; the requests go over it until it is lost. @throws DnsFailure */
  async open(): Promise<void> {
    this.drop();
    this.#connection = await this.#options.connect();
  }

  /** Closes the connection: what was not answered may have been carried out or not, or may be later. */
  drop(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  /**
   * Makes an update. It was carried out whole if this resolves, and not at all where it throws ErrorAnswer.
   * @throws ErrorAnswer, TsigError, DnsFailure, MalformedMessage
   */
  async update({ changes, ...options }: UpdateParts): Promise<void> {
    const writer = new UpdateWriter({ id: this.#open.freeId(), zone: this.#options.zone, ...options });
    for (const change of changes) if (!writer.add(change)) throw new InternalError("a batch does not fit an update");
    await this.#ask(writer.finish(), "update");
  }

  /** TXT records of the zone's own name. @throws ErrorAnswer, TsigError, DnsFailure, MalformedMessage */
  async texts(): Promise<readonly TextRecord[]> {
    const { answers } = await this.#query(TYPE.TXT, "query for TXT");
    return answers.filter(({ type }) => type === TYPE.TXT).map(({ ttl, data }) => ({ ttl, data: data.slice() }));
  }

  /** The zone's serial. @throws ErrorAnswer, TsigError, DnsFailure, MalformedMessage */
  async serial(): Promise<number> {
    const { answers } = await this.#query(TYPE.SOA, "query for SOA");
    const [soa] = answers.filter(({ type }) => type === TYPE.SOA);
    if (soa === undefined) throw new MalformedMessage("the answer has no SOA record");
    return soaSerial(soa);
  }

  /** All records of the zone but its SOA (RFC 5936), a message's at a time. @throws ErrorAnswer, TsigError, DnsFailure, MalformedMessage */
  async *transfer(): AsyncGenerator<readonly ResourceRecord[]> {
    const { key, zone, clock, timeout } = this.#options;
    const connection = this.#open;
    const id = connection.freeId();
    const request = signTsig(buildQuery(id, { name: zone, type: TYPE.AXFR, class: CLASS_IN }), key, clock.now());
    const stream = new TsigStream(key, request.mac);
    const reader = new TransferReader({ id, zone });
    for await (const bytes of connection.requestStream(request.message, timeout)) {
      throwIfUnsignedError(bytes, "transfer");
      const records = reader.read(stream.verify(bytes, clock.now()));
      if (reader.isComplete) stream.finish();
      yield records.map(({ record }) => record);
      if (reader.isComplete) return;
    }
  }

  get #open(): UpdateConnection {
    if (this.#connection?.isOpen !== true) throw new RegistryUnavailable("connection", "the connection to the server was lost");
    return this.#connection;
  }

  #query(type: number, what: string): Promise<Message> {
    return this.#ask(buildQuery(this.#open.freeId(), { name: this.#options.zone, type, class: CLASS_IN }), what);
  }

  async #ask(message: Uint8Array, what: string): Promise<Message> {
    const { key, clock, timeout } = this.#options;
    const { message: signed, mac } = signTsig(message, key, clock.now());
    const bytes = await this.#open.request(signed, timeout);
    throwIfUnsignedError(bytes, what);
    const answer = readMessage(verifyTsig(bytes, key, clock.now(), { mac }).stripped);
    if (answer.rcode !== RCODE.NOERROR) throw new ErrorAnswer(answer.rcode, what);
    return answer;
  }
}

/** Servers do not sign all errors. One that is not signed may be anybody's; nothing follows from it but that nothing was done. */
function throwIfUnsignedError(answer: Uint8Array, what: string): void {
  const rcode = (answer[3] ?? 0) & 0x0f;
  if (rcode === RCODE.NOERROR || readTsig(answer) !== undefined) return;
  if (rcode !== RCODE.NOTAUTH) throw new ErrorAnswer(rcode, what);
  // PowerDNS does not say which of these it is.
  const why = "it does not know the key, or refuses the signature, or its clock differs, or it is not primary of the zone";
  throw new TsigError("bad-key", `${what}: the server answers NOTAUTH, not signed: ${why}`);
}
