import { Buffer } from "node:buffer";
import type { TsigKey } from "../../src/dns/index.ts";
import { type DnsPlace, DnsServer } from "./dns-servers.ts";
import { needs } from "./tools.ts";

/** For `{ skip: needsNsd() }`. */
export function needsNsd(): string | false {
  return needs("nsd", "nsd");
}

/** Starts an NSD that gets the zone from a hidden primary, as docs/dns/nsd/secondary says. */
export function startNsdSecondary(
  key: TsigKey,
  primary: DnsPlace,
  { place }: { readonly place?: DnsPlace } = {},
): Promise<DnsServer> {
  const files = ({ address, port }: DnsPlace): Record<string, string> => ({
    // Its limit of answers knows no exempt clients, and all of a test's come from one address.
    "listen.conf": `server:\n  ip-address: ${address}@${port}\n  rrl-ratelimit: 0\n`,
    "berth.key": keyFile(key),
    "primary.conf": `pattern:\n  name: "berth"\n  request-xfr: ${primary.address}@${primary.port} ${key.name}\n`,
  });
  const command = ["nsd", "-d", "-c", "nsd.conf"];
  return DnsServer.start({ docs: "nsd/secondary", files, command, upWhen: "answers" }, place);
}

function keyFile({ name, algorithm, secret }: TsigKey): string {
  return `key:\n  name: "${name}"\n  algorithm: ${algorithm}\n  secret: "${Buffer.from(secret).toString("base64")}"\n`;
}
