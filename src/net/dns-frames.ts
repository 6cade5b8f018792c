/** A message with its length in front, as it goes over TCP (RFC 1035 section 4.2.2). */
export function framed(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(2 + message.length);
  bytes[0] = message.length >> 8;
  bytes[1] = message.length & 0xff;
  bytes.set(message, 2);
  return bytes;
}

/** Cuts what comes over TCP into messages. Holds one message at most, and what was read behind it. */
export class DnsFrames {
  #parts: Uint8Array[] = [];
  #length = 0;

  /** The messages that are whole with these bytes; each may be kept. */
  take(bytes: Uint8Array): Uint8Array[] {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    if (this.#length < this.#needed()) return [];
    const all = this.#parts.length === 1 ? bytes : Buffer.concat(this.#parts);
    const messages: Uint8Array[] = [];
    let at = 0;
    while (at + 2 <= all.length) {
      const end = at + 2 + (((all[at] as number) << 8) | (all[at + 1] as number));
      if (end > all.length) break;
      messages.push(all.subarray(at + 2, end));
      at = end;
    }
    this.#parts = at === all.length ? [] : [all.subarray(at)];
    this.#length = all.length - at;
    return messages;
  }

  /** How many bytes the message at hand has, with its length, as far as that is known. */
  #needed(): number {
    const [first] = this.#parts;
    if (first === undefined || first.length < 2) return 2;
    return 2 + (((first[0] as number) << 8) | (first[1] as number));
  }
}
