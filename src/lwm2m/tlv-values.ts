import { utf8 } from "../lib/bytes.ts";
import { MalformedContent, UnencodableValue } from "./errors.ts";
import { isInteger64, type ResourceType, type ResourceValue, toInteger } from "./node.ts";

/** The bytes of one value as TLV holds them (LwM2M Core 1.1, appendix C, column "TLV"): network byte order. */
export function encodeValue(value: ResourceValue): Uint8Array {
  switch (value.type) {
    case "string":
      return utf8(value.value);
    case "opaque":
      return value.value;
    case "boolean":
      return Uint8Array.of(value.value ? 1 : 0);
    case "integer":
    case "unsigned":
    case "time":
      if (!isInteger64(value.type, value.value)) throw new UnencodableValue(`a value of type ${value.type} does not fit 64 bits`);
      return encodeInteger(value.value);
    case "float":
      return encodeFloat(value.value);
    case "objlnk": {
      const bytes = Buffer.allocUnsafe(4);
      bytes.writeUInt16BE(value.value.objectId, 0);
      bytes.writeUInt16BE(value.value.instanceId, 2);
      return bytes;
    }
  }
}

/**
 * 1, 2, 4 or 8 bytes, the fewest that hold the value in two's complement. `unsigned` values are written the same
 * way, as clients exist that read them as signed: 200 takes two bytes, which both kinds of reader read as 200.
 * Only values of 2^63 and more use the top bit.
 */
function encodeInteger(value: number | bigint): Uint8Array {
  if (value >= -0x80 && value <= 0x7f) return Uint8Array.of(Number(value) & 0xff);
  const size = value >= -0x8000 && value <= 0x7fff ? 2 : value >= -0x8000_0000 && value <= 0x7fff_ffff ? 4 : 8;
  const bytes = Buffer.allocUnsafe(size);
  if (size === 2) bytes.writeInt16BE(Number(value));
  else if (size === 4) bytes.writeInt32BE(Number(value));
  else bytes.writeBigInt64BE(BigInt.asIntN(64, BigInt(value)));
  return bytes;
}

/** IEEE 754 in 4 bytes where that loses nothing, else in 8. */
function encodeFloat(value: number): Uint8Array {
  const short = Object.is(Math.fround(value), value);
  const bytes = Buffer.allocUnsafe(short ? 4 : 8);
  if (short) bytes.writeFloatBE(value);
  else bytes.writeDoubleBE(value);
  return bytes;
}

const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The value that `bytes` hold for that type.
 * @throws MalformedContent naming the type, and `where` it stands
 */
export function decodeValue(type: ResourceType, bytes: Uint8Array, where: () => string): ResourceValue {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const problem = (why: string): MalformedContent => new MalformedContent(`${where()}: ${why}`);
  switch (type) {
    case "string":
      try {
        return { type, value: text.decode(bytes) };
      } catch (cause) {
        throw new MalformedContent(`${where()}: a string is not UTF-8`, { cause });
      }
    case "opaque":
      return { type, value: new Uint8Array(bytes) };
    case "boolean":
      if (bytes.length !== 1 || (bytes[0] !== 0 && bytes[0] !== 1)) throw problem("a boolean is one byte, 0 or 1");
      return { type, value: bytes[0] === 1 };
    case "integer":
    case "unsigned":
    case "time":
      return { type, value: decodeInteger(view, type === "unsigned", problem) };
    case "float":
      if (view.length !== 4 && view.length !== 8) throw problem(`a float has 4 or 8 bytes, not ${view.length}`);
      return { type, value: view.length === 4 ? view.readFloatBE() : view.readDoubleBE() };
    case "objlnk":
      if (view.length !== 4) throw problem(`an object link has 4 bytes, not ${view.length}`);
      return { type, value: { objectId: view.readUInt16BE(0), instanceId: view.readUInt16BE(2) } };
  }
}

function decodeInteger(view: Buffer, unsigned: boolean, problem: (why: string) => MalformedContent): number | bigint {
  switch (view.length) {
    case 1:
    case 2:
    case 4:
      return unsigned ? view.readUIntBE(0, view.length) : view.readIntBE(0, view.length);
    case 8:
      return toInteger(unsigned ? view.readBigUInt64BE() : view.readBigInt64BE());
    default:
      throw problem(`an integer has 1, 2, 4 or 8 bytes, not ${view.length}`);
  }
}
