import { Buffer } from "node:buffer";
import type { TsigKey } from "../../src/dns/index.ts";
import { type DnsPlace, ZONE } from "./dns-servers.ts";
import { run } from "./program.ts";
import { needs } from "./tools.ts";

/** For `{ skip: needsNsupdate() }`. */
export function needsNsupdate(): string | false {
  return needs("nsupdate", "bind9-dnsutils");
}

/** Changes a zone as an administrator does, with a program that is not ours. @param commands such as `update add NAME TTL A ADDRESS` */
export async function nsupdate({ address, port }: DnsPlace, key: TsigKey, commands: readonly string[]): Promise<void> {
  const secret = Buffer.from(key.secret).toString("base64");
  const script = [`server ${address} ${port}`, `zone ${ZONE}`, `key ${key.algorithm}:${key.name} ${secret}`, ...commands, "send"];
  const { code, stdout, stderr } = await run("nsupdate", ["-v"], { input: `${script.join("\n")}\n` });
  if (code !== 0) throw new Error(`nsupdate: ${stdout}${stderr}`);
}
