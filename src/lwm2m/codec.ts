import { ContentFormat } from "./content-format.ts";
import { UnsupportedContentFormat } from "./errors.ts";
import { decodeLwm2mCbor, encodeLwm2mCbor } from "./lwm2m-cbor.ts";
import type { ObjectInstance } from "./node.ts";
import { CORE_OBJECTS, type ObjectDefinitions } from "./objects.ts";
import { decodeOmaJson } from "./oma-json.ts";
import type { Path } from "./path.ts";
import { fromRecords, toRecords } from "./senml.ts";
import { decodeSenmlCbor, encodeSenmlCbor } from "./senml-cbor.ts";
import { decodeSenmlJson, encodeSenmlJson } from "./senml-json.ts";
import type { SenmlRecord } from "./senml-pack.ts";
import { decodeSingleValue, encodeSingleValue } from "./single-value.ts";
import { decodeTlv, encodeTlv } from "./tlv.ts";

/**
 * The payload that holds `instances` for a request to, or an answer from, `path`. Below an Object Instance pass
 * one instance that has only the Resource (and Resource Instance) the path names.
 * @param path the root, for a Bootstrap-Pack, only in SenML and LwM2M CBOR; text, opaque and CBOR need a Resource
 * with one value or a Resource Instance; all others take any path from an Object down
 * @throws UnsupportedContentFormat, UnencodableValue
 */
export function encodeContent(format: number, path: Path, instances: Iterable<ObjectInstance>): Uint8Array {
  switch (format) {
    case ContentFormat.tlv:
      if (path.length === 0) throw new UnsupportedContentFormat(format, path);
      return encodeTlv(path, instances);
    case ContentFormat.senmlJson:
      return encodeSenmlJson(toRecords(path, instances));
    case ContentFormat.senmlCbor:
      return encodeSenmlCbor(toRecords(path, instances));
    case ContentFormat.lwm2mCbor:
      return encodeLwm2mCbor(path, instances);
    case ContentFormat.text:
    case ContentFormat.opaque:
    case ContentFormat.cbor:
      return encodeSingleValue(format, path, instances);
    default:
      throw new UnsupportedContentFormat(format);
  }
}

/**
 * What a payload sent to, or answered from, `path` holds: always object instances, with as much in them as the
 * payload has. Everything in it lies at or below `path`, or it is malformed. LwM2M JSON (11543) is read as well.
 * @param definitions give the types; a resource they do not know is opaque (TLV) or typed by what the payload says
 * @throws UnsupportedContentFormat, MalformedContent
 */
export function decodeContent(
  format: number,
  path: Path,
  payload: Uint8Array,
  definitions: ObjectDefinitions = CORE_OBJECTS,
): ObjectInstance[] {
  switch (format) {
    case ContentFormat.tlv:
      if (path.length === 0) throw new UnsupportedContentFormat(format, path);
      return decodeTlv(path, payload, definitions);
    case ContentFormat.lwm2mCbor:
      return decodeLwm2mCbor(path, payload, definitions);
    case ContentFormat.omaJson:
      return decodeOmaJson(path, payload, definitions);
    case ContentFormat.text:
    case ContentFormat.opaque:
    case ContentFormat.cbor:
      return decodeSingleValue(format, path, payload, definitions);
    default:
      return fromRecords(path, decodeSenmlPack(format, payload), definitions);
  }
}

/**
 * The records of a SenML pack, whatever they name.
 * @throws UnsupportedContentFormat, MalformedContent
 */
export function decodeSenmlPack(format: number, payload: Uint8Array): SenmlRecord[] {
  if (format === ContentFormat.senmlJson) return decodeSenmlJson(payload);
  if (format === ContentFormat.senmlCbor) return decodeSenmlCbor(payload);
  throw new UnsupportedContentFormat(format);
}
