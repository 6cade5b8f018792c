/** Numbers of the CoAP Content-Formats of the bootstrap interface (IANA). */
export const ContentFormat: {
  readonly linkFormat: 40;
  readonly senmlJson: 110;
  readonly senmlCbor: 112;
  readonly tlv: 11542;
} = { linkFormat: 40, senmlJson: 110, senmlCbor: 112, tlv: 11542 };

/** How a profile names the formats a Bootstrap-Write may have. */
export type WriteFormatName = "tlv" | "senml-json" | "senml-cbor";

/** The number of each format a profile may ask for. */
export const WRITE_FORMATS: Readonly<Record<WriteFormatName, number>> = {
  tlv: ContentFormat.tlv,
  "senml-json": ContentFormat.senmlJson,
  "senml-cbor": ContentFormat.senmlCbor,
};

/** Whether objects can be read and written in this format: {@link WRITE_FORMATS}. A client's `pct` of another number deserves 4.15. */
export function isWriteFormat(format: number): boolean {
  return format === ContentFormat.tlv || format === ContentFormat.senmlJson || format === ContentFormat.senmlCbor;
}
