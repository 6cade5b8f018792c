import type { Owns } from "./plan.ts";

/**
 * Tells names that our recipe can make from others in the zone.
 * @param pattern of whole host names, from `hostPattern`
 */
export function ownsByPattern(pattern: RegExp, zone: string): Owns {
  const behind = `.${zone.toLowerCase()}`;
  return (name) => {
    let host = "";
    for (let at = 0; at < name.length; at += 1 + (name[at] as number)) {
      const label = name.subarray(at + 1, at + 1 + (name[at] as number));
      host += `${at === 0 ? "" : "."}${Buffer.from(label.buffer, label.byteOffset, label.length).toString("latin1")}`;
    }
    return pattern.test(host + behind);
  };
}
