import { CLASS_IN, FLAG, OPCODE, TYPE } from "./constants.ts";
import { type Message, soaSerial } from "./message.ts";
import { MessageBuilder } from "./message-builder.ts";

/** A server says that a zone has changed (RFC 1996 section 3). The serial, where it is said, is a hint only. */
export interface Notify {
  /** The zone's name in wire form. */
  readonly zone: Uint8Array;
  readonly serial: number | undefined;
}

/** The message that says so. @param soaData data of the zone's SOA, its names whole, if the serial is to be told */
export function buildNotify(id: number, zone: Uint8Array, soaData?: Uint8Array): Uint8Array<ArrayBuffer> {
  const builder = new MessageBuilder({ id, opcode: OPCODE.NOTIFY, flags: FLAG.AUTHORITATIVE }).question(zone, TYPE.SOA);
  if (soaData !== undefined) {
    builder.record("answer", { name: zone, type: TYPE.SOA, class: CLASS_IN, ttl: 0, data: soaData });
  }
  return builder.finish();
}

/** What a message says has changed; `undefined` if it is no NOTIFY of a zone. */
export function readNotify({ opcode, flags, questions, answers }: Message): Notify | undefined {
  const [question] = questions;
  if (opcode !== OPCODE.NOTIFY || (flags & FLAG.RESPONSE) !== 0 || question?.type !== TYPE.SOA) return undefined;
  const soa = answers.find(({ type }) => type === TYPE.SOA);
  return { zone: question.name, serial: soa === undefined ? undefined : soaSerial(soa) };
}
