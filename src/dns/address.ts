import { InvalidInput } from "../lib/errors.ts";

/**
 * The four bytes of a dotted IPv4 address (RDATA of A, RFC 1035 section 3.4.1).
 * @throws InvalidInput
 */
export function ipv4Bytes(text: string): Uint8Array {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) {
    throw new InvalidInput(`"${text}" is not an IPv4 address`);
  }
  return Uint8Array.from(parts, Number);
}

/**
 * The sixteen bytes of an IPv6 address in any form of RFC 4291 section 2.2, without a zone (RDATA of AAAA, RFC 3596
 * section 2.2).
 * @throws InvalidInput
 */
export function ipv6Bytes(text: string): Uint8Array {
  const halves = text.split("::");
  const [head = [], tail = []] = halves.map((half) => groups(half, text));
  const missing = 8 - head.length - tail.length;
  if (halves.length > 2 || (halves.length === 2 ? missing < 1 : missing !== 0)) throw notIpv6(text);
  const all = halves.length === 1 ? head : [...head, ...new Array<number>(missing).fill(0), ...tail];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function groups(half: string, whole: string): number[] {
  if (half === "") return [];
  const parts = half.split(":");
  return parts.flatMap((part, index) => {
    if (index === parts.length - 1 && part.includes(".") && whole.endsWith(part)) {
      const [a = 0, b = 0, c = 0, d = 0] = ipv4Bytes(part);
      return [(a << 8) | b, (c << 8) | d];
    }
    if (!/^[0-9a-fA-F]{1,4}$/.test(part)) throw notIpv6(whole);
    return [Number.parseInt(part, 16)];
  });
}

function notIpv6(text: string): InvalidInput {
  return new InvalidInput(`"${text}" is not an IPv6 address`);
}

/** An IPv6 address as RFC 5952 writes it. @param bytes holds its sixteen bytes at `at` */
export function ipv6Text(bytes: Uint8Array, at = 0): string {
  let [longest, start] = [1, 8];
  for (let group = 0, zeros = 0; group < 8; group++) {
    zeros = bytes[at + 2 * group] === 0 && bytes[at + 2 * group + 1] === 0 ? zeros + 1 : 0;
    if (zeros > longest) [longest, start] = [zeros, group - zeros + 1];
  }
  let text = "";
  for (let group = 0; group < 8; group++) {
    if (group === start) {
      text += "::";
      group += longest - 1;
    } else {
      if (text !== "" && !text.endsWith("::")) text += ":";
      text += (((bytes[at + 2 * group] as number) << 8) | (bytes[at + 2 * group + 1] as number)).toString(16);
    }
  }
  return text;
}
