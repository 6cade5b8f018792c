import { Buffer } from "node:buffer";
import type { TsigKey } from "../../src/dns/index.ts";
import { type DnsPlace, DnsServer } from "./dns-servers.ts";
import { needs } from "./tools.ts";

/** For `{ skip: needsBind() }`. */
export function needsBind(): string | false {
  return needs("named", "bind9");
}

const COMMAND = ["named", "-f", "-n", "1", "-c", "named.conf"] as const;

/** Starts a BIND that takes updates signed with the key, as docs/dns/bind/update says. */
export function startBind(key: TsigKey, place?: DnsPlace): Promise<DnsServer> {
  const files = (at: DnsPlace): Record<string, string> => ({ "listen.conf": listen(at), "berth.key": keyFile(key) });
  return DnsServer.start({ docs: "bind/update", files, command: COMMAND, upWhen: "serves" }, place);
}

/** Starts a BIND that gets the zone from a hidden primary, as docs/dns/bind/secondary says; with `sign`, .../signing. */
export function startBindSecondary(
  key: TsigKey,
  primary: DnsPlace,
  {
    sign = false,
    place,
    others = [],
  }: { readonly sign?: boolean; readonly place?: DnsPlace /** More primaries. */; readonly others?: readonly DnsPlace[] } = {},
): Promise<DnsServer> {
  const primaries = [primary, ...others].map(({ address, port }) => `${address} port ${port} key berth;`);
  const files = (at: DnsPlace): Record<string, string> => ({
    "listen.conf": listen(at),
    "berth.key": keyFile(key),
    "primary.conf": `primaries berth { ${primaries.join(" ")} };\n`,
  });
  return DnsServer.start({ docs: `bind/${sign ? "signing" : "secondary"}`, files, command: COMMAND, upWhen: "answers" }, place);
}

function listen({ address, port }: DnsPlace): string {
  return `listen-on port ${port} { ${address}; };\n`;
}

/** As `tsig-keygen` writes it. */
function keyFile({ name, algorithm, secret }: TsigKey): string {
  return `key "${name}" {\n\talgorithm ${algorithm};\n\tsecret "${Buffer.from(secret).toString("base64")}";\n};\n`;
}
