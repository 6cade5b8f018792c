import { Buffer } from "node:buffer";
import type { TsigKey } from "../../src/dns/index.ts";
import { type DnsPlace, DnsServer } from "./dns-servers.ts";
import { needs } from "./tools.ts";

/** For `{ skip: needsKnot() }`. */
export function needsKnot(): string | false {
  return needs("knotd", "knot");
}

const COMMAND = ["knotd", "-c", "knot.conf"] as const;

/** Starts a Knot that takes updates signed with the key, as docs/dns/knot/update says. */
export function startKnot(key: TsigKey, place?: DnsPlace): Promise<DnsServer> {
  const files = (at: DnsPlace): Record<string, string> => ({ "listen.conf": listen(at), "berth.key": keyFile(key) });
  return DnsServer.start({ docs: "knot/update", files, command: COMMAND, upWhen: "serves" }, place);
}

/**
 * Starts a Knot that gets the zone from a hidden primary, as docs/dns/knot/secondary says; with `sign`, .../signing, or .../online
 * where each answer is signed when it is asked for.
 */
export function startKnotSecondary(
  key: TsigKey,
  primary: DnsPlace,
  { sign = false, place }: { readonly sign?: boolean | "online"; readonly place?: DnsPlace } = {},
): Promise<DnsServer> {
  const files = (at: DnsPlace): Record<string, string> => ({
    "listen.conf": listen(at),
    "berth.key": keyFile(key),
    "primary.conf": `remote:\n  - id: berth\n    address: ${primary.address}@${primary.port}\n    key: berth\n`,
  });
  const docs = sign === "online" ? "knot/online" : `knot/${sign ? "signing" : "secondary"}`;
  return DnsServer.start({ docs, files, command: COMMAND, upWhen: "answers" }, place);
}

function listen({ address, port }: DnsPlace): string {
  return `server:\n    listen: ${address}@${port}\n`;
}

/** As `keymgr -t` writes it. */
function keyFile({ name, algorithm, secret }: TsigKey): string {
  return `key:\n  - id: ${name}\n    algorithm: ${algorithm}\n    secret: ${Buffer.from(secret).toString("base64")}\n`;
}
