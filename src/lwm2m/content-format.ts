/** Numbers of the CoAP Content-Formats of the bootstrap interface (IANA). */
export const ContentFormat: {
  readonly text: 0;
  readonly linkFormat: 40;
  readonly opaque: 42;
  readonly cbor: 60;
  readonly senmlJson: 110;
  readonly senmlCbor: 112;
  readonly tlv: 11542;
  /** LwM2M JSON of LwM2M 1.0, since replaced by SenML: read, never written. */
  readonly omaJson: 11543;
  readonly lwm2mCbor: 11544;
} = {
  text: 0,
  linkFormat: 40,
  opaque: 42,
  cbor: 60,
  senmlJson: 110,
  senmlCbor: 112,
  tlv: 11542,
  omaJson: 11543,
  lwm2mCbor: 11544,
};

/** How a profile names the formats a Bootstrap-Write of whole instances may have. */
export type WriteFormatName = "tlv" | "senml-json" | "senml-cbor" | "lwm2m-cbor";

/** The number of each format a profile may ask for. */
export const WRITE_FORMATS: Readonly<Record<WriteFormatName, number>> = {
  tlv: ContentFormat.tlv,
  "senml-json": ContentFormat.senmlJson,
  "senml-cbor": ContentFormat.senmlCbor,
  "lwm2m-cbor": ContentFormat.lwm2mCbor,
};

/**
 * Whether objects can be read and written in this format: {@link WRITE_FORMATS}. A client's `pct` of another
 * number deserves 4.15 (LwM2M Core 1.2, Bootstrap-Request).
 */
export function isPreferredFormat(format: number): boolean {
  return format === ContentFormat.tlv || isPackFormat(format);
}

/** Whether a Bootstrap-Pack can have this format: those that can name several objects at once (LwM2M Core 1.2, Bootstrap-Pack-Request). */
export function isPackFormat(format: number): boolean {
  return format === ContentFormat.senmlCbor || format === ContentFormat.senmlJson || format === ContentFormat.lwm2mCbor;
}
