/** Length of a DTLS record's header: type 1, version 2, epoch 2, sequence number 6, length 2 (RFC 6347 section 4.1). */
export const RECORD_HEADER = 13;
/** Length of a DTLS handshake message's header: type 1, length 3, message_seq 2, fragment offset 3, fragment length 3 (4.2.2). */
export const HANDSHAKE_HEADER = 12;
/** Longest datagram worth reading: one record of 2^14 bytes with what encryption adds. It fits the buffer OpenSSL reads into. */
export const MAX_DATAGRAM: number = 16_384 + 128;

export const CHANGE_CIPHER_SPEC = 20;
export const ALERT = 21;
export const HANDSHAKE = 22;
export const APPLICATION_DATA = 23;

/** Where the record that starts at `at` ends, or -1 if there is no whole record. */
export function recordEnd(bytes: Uint8Array, at: number): number {
  if (at + RECORD_HEADER > bytes.length) return -1;
  const end = at + RECORD_HEADER + uint16(bytes, at + 11);
  return end <= bytes.length ? end : -1;
}

export function recordEpoch(bytes: Uint8Array, at: number): number {
  return uint16(bytes, at + 3);
}

/** Whether there is a record of that content type among `records`. */
export function hasRecord(records: Uint8Array, type: number): boolean {
  for (let at = 0, end = recordEnd(records, 0); end > 0; at = end, end = recordEnd(records, at)) {
    if (records[at] === type) return true;
  }
  return false;
}

/** Whether a datagram has an encrypted record. */
export function hasEncrypted(datagram: Uint8Array): boolean {
  return hasStunted(datagram, Infinity);
}

/** Whether a datagram has an encrypted record with a body of less than `overhead` bytes, which nobody can have encrypted. */
export function hasStunted(datagram: Uint8Array, overhead: number): boolean {
  for (let at = 0, end = recordEnd(datagram, 0); end > 0; at = end, end = recordEnd(datagram, at)) {
    if (recordEpoch(datagram, at) > 0 && end - at - RECORD_HEADER < overhead) return true;
  }
  return false;
}

export function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export function uint24(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 16) | uint16(bytes, at + 1);
}

/**
 * Gives the records of epoch 0 among `records` the sequence numbers from `first` on, in place. Records of epoch 0 are in
 * the clear and their number is covered by no MAC, so a stored flight can be sent again as RFC 6347 section 4.2.4 wants it:
 * the same messages in records with fresh numbers.
 * @returns the number after the last one given
 */
export function renumber(records: Buffer, first: number): number {
  let next = first;
  for (let at = 0, end = recordEnd(records, 0); end > 0; at = end, end = recordEnd(records, at)) {
    if (recordEpoch(records, at) === 0) records.writeUIntBE(next++, at + 5, 6);
  }
  return next;
}

/** Copies `records` into as few datagrams of at most `mtu` bytes as their order allows, cut only where a record begins. */
export function packRecords(records: Buffer, mtu: number): Buffer[] {
  const datagrams: Buffer[] = [];
  let start = 0;
  for (let at = 0, end = recordEnd(records, 0); end > 0; at = end, end = recordEnd(records, at)) {
    if (end - start > mtu && at > start) {
      datagrams.push(Buffer.from(records.subarray(start, at)));
      start = at;
    }
  }
  datagrams.push(Buffer.from(records.subarray(start)));
  return datagrams;
}
