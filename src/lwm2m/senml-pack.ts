/**
 * One record of a SenML pack, by the labels of RFC 8428 section 5 and 6 that LwM2M uses (Core 1.1, data formats). Units,
 * times and sums say nothing about what a resource is to hold and are passed over.
 */
export interface SenmlRecord {
  /** Base name: stands before the names of this record and all that follow, until another one. */
  readonly bn?: string;
  readonly n?: string;
  readonly v?: number | bigint;
  readonly vs?: string;
  readonly vb?: boolean;
  readonly vd?: Uint8Array;
  /** Object link, `objectId:instanceId`; LwM2M's own label. */
  readonly vlo?: string;
}

/** The labels of a record's fields in CBOR (RFC 8428 section 6); `vlo` is a text key there too. */
export const CBOR_LABELS = { bver: -1, bn: -2, bv: -5, n: 0, v: 2, vs: 3, vb: 4, vd: 8 } as const;

/** The SenML version this reads: RFC 8428 defines 10 and calls 5 its drafts. */
export const SENML_VERSION = 10;
