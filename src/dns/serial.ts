/**
 * Whether serial `a` comes after `b` in the circle of 32-bit numbers (RFC 1982 section 3.2). Of two that are exactly 2^31 apart
 * neither does, which the RFC leaves open.
 */
export function serialIsNewer(a: number, b: number): boolean {
  const ahead = (a - b) >>> 0;
  return ahead > 0 && ahead < 0x8000_0000;
}

/** The serial after `serial`. Never 0, which some servers take for none (RFC 2136 section 7.11). */
export function nextSerial(serial: number): number {
  return (serial + 1) >>> 0 || 1;
}
