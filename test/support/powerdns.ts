import { Buffer } from "node:buffer";
import type { TsigKey } from "../../src/dns/index.ts";
import { type DnsPlace, DnsServer } from "./dns-servers.ts";
import { needs } from "./tools.ts";

/** For `{ skip: needsPowerDns() }`. */
export function needsPowerDns(): string | false {
  return needs("pdns_server", "pdns-server pdns-backend-sqlite3") || needs("sqlite3", "sqlite3");
}

/** Starts a PowerDNS that takes updates signed with the key, as docs/dns/powerdns/update says. */
export function startPowerDns({ name, algorithm, secret }: TsigKey, place?: DnsPlace): Promise<DnsServer> {
  return DnsServer.start(
    {
      docs: "powerdns/update",
      files: ({ address, port }) => ({ "local/listen.conf": `local-address=${address}\nlocal-port=${port}\n` }),
      prepare: [["./create", name, algorithm, Buffer.from(secret).toString("base64")]],
      command: ["pdns_server", "--config-dir=."],
      upWhen: "serves",
    },
    place,
  );
}
