/** An A query for a host, in wire form (RFC 1035 section 4.1). */
export function addressQuery(id: number, host: string): Buffer {
  const labels = host.split(".");
  const name = labels.map((label) => String.fromCharCode(label.length) + label).join("");
  return Buffer.concat([
    Uint8Array.of(id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0),
    Buffer.from(`${name}\0`, "latin1"),
    Uint8Array.of(0, 1, 0, 1),
  ]);
}

/** The response code of an answer. */
export function responseCode(answer: Uint8Array): number {
  return (answer[3] ?? 0) & 0x0f;
}
