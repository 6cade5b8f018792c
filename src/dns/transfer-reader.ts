import { CLASS_IN, FLAG, OPCODE, TYPE } from "./constants.ts";
import { type ResourceRecord, readMessage, soaSerial } from "./message.ts";
import { relativeLength } from "./name.ts";
import { ErrorAnswer } from "./rcode.ts";
import { serialIsNewer } from "./serial.ts";
import { MalformedMessage } from "./wire-name.ts";

/** A record that a transfer brings, or takes away. SOA is not among them: `TransferReader` says its serial. */
export interface TransferredRecord {
  readonly change: "added" | "removed";
  readonly record: ResourceRecord;
}

/** What was asked for. */
export interface TransferRequest {
  readonly id: number;
  /** The zone's name: wire form, lower case. */
  readonly zone: Uint8Array;
  /** For IXFR, the serial that is held; without it, AXFR was asked for. */
  readonly serial?: number;
}

/**
 * Reads the answer to AXFR (RFC 5936) or IXFR (RFC 1995), message by message, already proven (`TsigStream`). Records come in the
 * order in which they are to be carried out: the differences of several steps follow each other.
 */
export class TransferReader {
  readonly #request: TransferRequest;
  /** Where in the answer we are: nothing yet, behind the first SOA, in a zone, or in the removals or additions of a step. */
  #at: "start" | "second" | "zone" | "removals" | "additions" | "end" = "start";
  #serial = 0;
  /** Serial that the differences have led to so far. */
  #reached = 0;
  #kind: "zone" | "differences" | "same" | undefined;

  constructor(request: TransferRequest) {
    this.#request = request;
  }

  /** Whether the answer is there whole. */
  get isComplete(): boolean {
    return this.#at === "end";
  }

  /**
   * What the answer is: the `zone` whole, which a server may give to IXFR too, the `differences` to the serial held, or the `same`,
   * as nothing is newer; `undefined` until it can be told.
   */
  get kind(): "zone" | "differences" | "same" | undefined {
    return this.#kind;
  }

  /** Serial of the zone as transferred. */
  get serial(): number {
    return this.#serial;
  }

  /**
   * Reads the next message.
   * @throws ErrorAnswer if the server refuses
   * @throws MalformedMessage also for records in an order that is no transfer
   */
  read(bytes: Uint8Array): TransferredRecord[] {
    const { id, flags, opcode, rcode, answers } = readMessage(bytes);
    if (id !== this.#request.id || opcode !== OPCODE.QUERY || (flags & FLAG.RESPONSE) === 0) {
      throw new MalformedMessage("it does not answer the request for a transfer");
    }
    if (rcode !== 0) throw new ErrorAnswer(rcode, "transfer");
    const records: TransferredRecord[] = [];
    for (const record of answers) {
      if (this.#at === "end") throw new MalformedMessage("a record follows the end of the transfer");
      this.#take(record, records);
    }
    this.#settle();
    return records;
  }

  #take(record: ResourceRecord, records: TransferredRecord[]): void {
    const inside = relativeLength(record.name, record.name.length, this.#request.zone);
    if (inside < 0 || record.class !== CLASS_IN) throw new MalformedMessage("a transfer holds a record that is not of the zone");
    if (record.type === TYPE.SOA) {
      if (inside !== 0) throw new MalformedMessage("a transfer holds a SOA of another name");
      this.#soa(soaSerial(record));
      return;
    }
    if (this.#at === "start") throw new MalformedMessage("a transfer does not begin with SOA");
    if (this.#at === "second") this.#begin("zone");
    records.push({ change: this.#at === "removals" ? "removed" : "added", record });
  }

  #soa(serial: number): void {
    switch (this.#at) {
      case "start":
        this.#serial = serial;
        this.#at = "second";
        break;
      case "second":
        this.#reached = serial;
        if (serial !== this.#serial && serial === this.#request.serial) this.#begin("differences");
        else this.#endOfZone(serial);
        break;
      case "zone":
        this.#endOfZone(serial);
        break;
      case "removals":
        this.#reached = serial;
        this.#at = "additions";
        break;
      default:
        if (serial !== this.#reached) throw new MalformedMessage("the steps of a transfer do not follow each other");
        this.#at = serial === this.#serial ? "end" : "removals";
    }
  }

  #begin(kind: "zone" | "differences"): void {
    this.#kind = kind;
    this.#at = kind === "zone" ? "zone" : "removals";
  }

  #endOfZone(serial: number): void {
    if (serial !== this.#serial) throw new MalformedMessage("a transfer ends with another SOA than it began with");
    this.#kind = "zone";
    this.#at = "end";
  }

  /** A SOA alone that is not newer is all of an answer to IXFR (RFC 1995 section 2); in another, more is to come. */
  #settle(): void {
    const held = this.#request.serial;
    if (this.#at !== "second" || held === undefined || serialIsNewer(this.#serial, held)) return;
    this.#kind = "same";
    this.#at = "end";
  }
}
