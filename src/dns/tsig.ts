import { createHmac, type Hmac } from "node:crypto";
import { equalInConstantTime } from "../lib/bytes.ts";
import type { Instant, Seconds } from "../lib/clock.ts";
import { BerthError, InternalError } from "../lib/errors.ts";
import { CLASS_ANY, RCODE, TYPE } from "./constants.ts";
import { LARGEST_MESSAGE } from "./message-builder.ts";
import { nameToWire } from "./name.ts";
import type { TsigAlgorithm, TsigKey } from "./tsig-key.ts";
import { readTsig, serverTimeOf, TSIG_ERROR, type TsigRecord, viewOf } from "./tsig-record.ts";

/** How far the clocks of both sides may differ (RFC 8945 section 10). */
const FUDGE: Seconds = 300;
const HASHES: Readonly<Record<TsigAlgorithm, string>> = { "hmac-sha256": "sha256", "hmac-sha512": "sha512" };

/**
 * A signature does not hold, or the peer says that ours does not. Codes `bad-key` (it does not know the key, or knows it with
 * another algorithm), `bad-signature` (another secret, changed on its way, or not signed at all) and `bad-time` (the clocks
 * differ by more than 5 minutes; `serverTime` is the peer's where it says it). What a peer says of the first two is not signed.
 */
export class TsigError extends BerthError {
  declare readonly code: "bad-key" | "bad-signature" | "bad-time";
  readonly serverTime: Instant | undefined;

  constructor(code: "bad-key" | "bad-signature" | "bad-time", message: string, serverTime?: Instant) {
    super(code, message);
    this.serverTime = serverTime;
  }
}

/** The MAC that a message's own continues: the request's for an answer, the one before for all but the first of several answers. */
export interface PriorMac {
  readonly mac: Uint8Array;
  /** For the second and later messages of an answer, of whose TSIG only the times are signed (RFC 8945 section 5.3.1). */
  readonly timersOnly?: boolean;
}

/** The fields of TSIG that are signed (RFC 8945 section 4.3.3), beside key and algorithm. */
interface Variables {
  readonly time: Seconds;
  readonly fudge: Seconds;
  readonly error: number;
  readonly other: Uint8Array;
}

const NOTHING = new Uint8Array(0);

/**
 * Signs a message that has no TSIG yet (RFC 8945 section 5.1). @param at the time that stands in the signature
 * @returns the message with its TSIG record, and the MAC in it, which the answer's continues
 * @throws InternalError if the message gets larger than a message can be
 */
export function signTsig(
  message: Uint8Array,
  key: TsigKey,
  at: Instant,
  prior?: PriorMac,
): { readonly message: Uint8Array<ArrayBuffer>; readonly mac: Uint8Array } {
  return sign(message, key, { time: Math.floor(at / 1000), fudge: FUDGE, error: 0, other: NOTHING }, prior);
}

/**
 * Checks the signature of a message (RFC 8945 section 5.2), for an answer against the `prior` request.
 * @returns the MAC, and the message as it was before it was signed: without TSIG, with its original id
 * @throws TsigError
 * @throws MalformedMessage
 */
export function verifyTsig(
  message: Uint8Array,
  key: TsigKey,
  now: Instant,
  prior?: PriorMac,
): { readonly mac: Uint8Array; readonly stripped: Uint8Array<ArrayBuffer> } {
  const record = readTsig(message);
  if (record === undefined) throw new TsigError("bad-signature", "the message is not signed");
  const hmac = beginMac(key, prior?.mac);
  const stripped = stripTsig(message, record);
  hmac.update(stripped);
  checkTsig(message, record, hmac, key, now, prior?.timersOnly === true);
  return { mac: record.mac, stripped };
}

/**
 * Writes the answer to a request whose signature was refused: NOTAUTH, and in its TSIG record the reason. For a wrong time it is
 * signed and tells ours (RFC 8945 section 5.2.3); for the others it is not, as there is nothing to sign it with.
 * @param answer without TSIG; its response code is set here
 * @param key needed for `bad-time`
 */
export function refuseTsig(
  answer: Uint8Array,
  request: TsigRecord,
  { code }: TsigError,
  now: Instant,
  key: TsigKey,
): Uint8Array<ArrayBuffer> {
  const refusal = Uint8Array.from(answer);
  refusal[3] = ((refusal[3] as number) & 0xf0) | RCODE.NOTAUTH;
  if (code === "bad-time") {
    const variables = { time: request.time, fudge: FUDGE, error: TSIG_ERROR.BADTIME, other: uint48Bytes(Math.floor(now / 1000)) };
    return sign(refusal, key, variables, { mac: request.mac }).message;
  }
  const error = code === "bad-key" ? TSIG_ERROR.BADKEY : TSIG_ERROR.BADSIG;
  const variables = { time: request.time, fudge: request.fudge, error, other: NOTHING };
  return append(refusal, request, variables, NOTHING);
}

/** The wire form of a key's name: lower case, whether a dot stands at its end or not (RFC 8945 section 4.3.3). @throws InvalidInput */
function tsigKeyName({ name }: TsigKey): Uint8Array {
  return nameToWire(name.replace(/\.$/, ""), "TSIG key");
}

/** Begins a MAC with the one before, if there is one (RFC 8945 section 5.3). */
export function beginMac({ algorithm, secret }: TsigKey, prior: Uint8Array | undefined): Hmac {
  const hmac = createHmac(HASHES[algorithm], secret);
  if (prior !== undefined) hmac.update(Uint8Array.of(prior.length >> 8, prior.length & 0xff)).update(prior);
  return hmac;
}

/** The message as it was before it was signed. */
export function stripTsig(message: Uint8Array, { start, originalId }: TsigRecord): Uint8Array<ArrayBuffer> {
  // A copy always: what `slice` of a Buffer gives is none.
  const stripped = new Uint8Array(message.subarray(0, start));
  const view = viewOf(stripped);
  view.setUint16(0, originalId);
  view.setUint16(10, view.getUint16(10) - 1);
  return stripped;
}

/** Completes `hmac`, which has the messages already, and compares. @throws TsigError */
export function checkTsig(
  message: Uint8Array,
  record: TsigRecord,
  hmac: Hmac,
  key: TsigKey,
  now: Instant,
  timersOnly: boolean,
): void {
  const isAnswer = ((message[2] as number) & 0x80) !== 0;
  if (isAnswer && record.error === TSIG_ERROR.BADKEY) throw new TsigError("bad-key", "the peer does not know the TSIG key");
  if (isAnswer && record.error === TSIG_ERROR.BADSIG) {
    throw new TsigError("bad-signature", "the peer refuses the signature: its TSIG key has another secret");
  }
  const name = tsigKeyName(key);
  if (!sameBytes(record.keyName, name) || !sameBytes(record.algorithm, nameToWire(key.algorithm))) {
    throw new TsigError("bad-key", "the message is signed with another TSIG key or algorithm");
  }
  hmac.update(timersOnly ? timers(record) : signedFields(record, record));
  // A MAC that was cut short (RFC 8945 section 5.2.2.1) has another length: none of ours is.
  if (!equalInConstantTime(hmac.digest(), record.mac)) throw new TsigError("bad-signature", "the TSIG signature does not hold");
  const serverTime = serverTimeOf(record);
  if (isAnswer && record.error === TSIG_ERROR.BADTIME) {
    throw new TsigError("bad-time", "the peer's clock differs by more than it accepts", serverTime);
  }
  if (record.error !== 0) throw new TsigError("bad-signature", `the TSIG record says error ${record.error}`);
  const age = Math.floor(now / 1000) - record.time;
  if (Math.abs(age) > record.fudge) throw new TsigError("bad-time", `the message was signed ${age} s ago by the peer's clock`);
}

function sign(
  message: Uint8Array,
  key: TsigKey,
  variables: Variables,
  prior: PriorMac | undefined,
): { readonly message: Uint8Array<ArrayBuffer>; readonly mac: Uint8Array } {
  const names = { keyName: tsigKeyName(key), algorithm: nameToWire(key.algorithm) };
  const hmac = beginMac(key, prior?.mac).update(message);
  const mac = hmac.update(prior?.timersOnly === true ? timers(variables) : signedFields(names, variables)).digest();
  return { message: append(message, names, variables, mac), mac };
}

/** Adds the TSIG record (RFC 8945 section 4.2). */
function append(
  message: Uint8Array,
  { keyName, algorithm }: Pick<TsigRecord, "keyName" | "algorithm">,
  { time, fudge, error, other }: Variables,
  mac: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const dataLength = algorithm.length + 16 + mac.length + other.length;
  const length = message.length + keyName.length + 10 + dataLength;
  if (length > LARGEST_MESSAGE) throw new InternalError(`a signed DNS message of ${length} bytes is larger than one can be`);
  const signed = new Uint8Array(length);
  const view = viewOf(signed);
  signed.set(message);
  view.setUint16(10, view.getUint16(10) + 1);
  signed.set(keyName, message.length);
  const fixed = message.length + keyName.length;
  view.setUint16(fixed, TYPE.TSIG);
  view.setUint16(fixed + 2, CLASS_ANY);
  view.setUint16(fixed + 8, dataLength);
  signed.set(algorithm, fixed + 10);
  const at = fixed + 10 + algorithm.length;
  signed.set(timers({ time, fudge }), at);
  view.setUint16(at + 8, mac.length);
  signed.set(mac, at + 10);
  const rest = at + 10 + mac.length;
  signed.set(message.subarray(0, 2), rest);
  view.setUint16(rest + 2, error);
  view.setUint16(rest + 4, other.length);
  signed.set(other, rest + 6);
  return signed;
}

/** Time signed and fudge (RFC 8945 section 5.3.1). */
function timers({ time, fudge }: Pick<Variables, "time" | "fudge">): Uint8Array {
  return Uint8Array.from([...uint48Bytes(time), fudge >> 8, fudge & 0xff]);
}

/** What of TSIG is signed (RFC 8945 section 4.3.3): neither its type nor the MAC nor the original id. */
function signedFields({ keyName, algorithm }: Pick<TsigRecord, "keyName" | "algorithm">, variables: Variables): Uint8Array {
  const { error, other } = variables;
  const numbers = Uint8Array.of(error >> 8, error & 0xff, other.length >> 8, other.length & 0xff);
  return Buffer.concat([keyName, Uint8Array.of(0, CLASS_ANY, 0, 0, 0, 0), algorithm, timers(variables), numbers, other]);
}

function uint48Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(6);
  const view = viewOf(bytes);
  view.setUint16(0, Math.floor(value / 2 ** 32));
  view.setUint32(2, value % 2 ** 32);
  return bytes;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
