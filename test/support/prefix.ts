import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { openPrefixUdp } from "../../src/net/index.ts";

/** A prefix that is this host's own, for a test. */
export interface TestPrefix {
  /** Such as `fd12:3456:789a:1::/64`. */
  readonly prefix: string;
  /** It with the last colon: what addresses within it begin with. */
  readonly start: string;
  remove(): void;
}

/** Has this host take a prefix of RFC 4193, that nobody else uses, as its own. */
export function addPrefix(): TestPrefix {
  const groups = Array.from({ length: 3 }, () => randomInt(0x1000, 0x1_0000).toString(16));
  const start = `fd42:${groups.join(":")}:`;
  const prefix = `${start}:/64`;
  const { status, stderr } = route("add", prefix);
  if (status !== 0) throw new Error(`ip -6 route add local ${prefix} dev lo: ${stderr}`);
  return { prefix, start, remove: () => void route("del", prefix) };
}

/** For `{ skip: needsPrefix() }`. */
export function needsPrefix(): string | false {
  let added: TestPrefix;
  try {
    added = addPrefix();
  } catch (error) {
    return `this host can be given no IPv6 prefix (as root, with iproute2): ${(error as Error).message.trim()}`;
  }
  try {
    void openPrefixUdp({ prefix: added.prefix, port: 0, onDatagram: () => {} }).close();
    return false;
  } catch (error) {
    return (error as Error).message;
  } finally {
    added.remove();
  }
}

function route(what: string, prefix: string): { readonly status: number | null; readonly stderr: string } {
  const args = ["-6", "route", what, "local", prefix, "dev", "lo"];
  const [command = "", ...all] = process.getuid?.() === 0 ? ["ip", ...args] : ["sudo", "-n", "ip", ...args];
  const { status, stderr, error } = spawnSync(command, all, { encoding: "utf8" });
  return { status, stderr: error?.message ?? stderr };
}
