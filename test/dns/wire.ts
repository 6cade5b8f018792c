/** Bytes of hexadecimal text; whatever else is in it is there for the reader. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/[^0-9a-f]/g, ""), "hex"));
}

/** A relative name of labels, in wire form without the root's zero. */
export function labels(...names: readonly string[]): Uint8Array {
  return Uint8Array.from(names.flatMap((name) => [name.length, ...Buffer.from(name)]));
}
