import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createKeyFile } from "../storage/index.ts";
import { readText } from "./config.ts";

/** The examples that come with Berth. */
const EXAMPLES = fileURLToPath(new URL("../../examples/", import.meta.url));

/** How the demo is laid out. */
export interface DemoPlan {
  readonly folder: string;
  readonly devices: number;
  readonly instances: readonly { readonly id: string; readonly address: string }[];
  /** Port of the instances. */
  readonly port: number;
  readonly dnsPort: number;
  /** More of section `dns` of the configuration. */
  readonly dns: string;
  readonly controlPort: number;
}

/** The host of the demo's static bootstrap URI; `.test` is a domain that never exists (RFC 6761). */
const DEMO_HOST = "bs.demo.berth.test";

/** Makes the folder of a demo: a configuration like any other, keys, tokens and the devices. */
export function layOutDemo({ folder, devices, instances, port, dnsPort, controlPort, dns }: DemoPlan): {
  config: string;
  fleet: string;
  logs: string;
} {
  rmSync(folder, { recursive: true, force: true });
  const logs = join(folder, "logs");
  mkdirSync(logs, { recursive: true });
  createKeyFile(join(folder, "berth.key"));
  for (const role of ["operator", "instance"]) {
    writeFileSync(join(folder, `${role}.token`), `${randomBytes(32).toString("hex")}\n`, { mode: 0o600 });
  }
  const fleet = join(folder, "fleet.csv");
  writeFileSync(fleet, fleetOf(devices), { mode: 0o600 });
  const config = join(folder, "berth.yaml");
  writeFileSync(
    config,
    `# Written by \`berth demo\`; see docs/configuration.md.
uri: coaps://${DEMO_HOST}:${port}
recipe: berth-1
profiles: { default: ${JSON.stringify(join(EXAMPLES, "profile.yaml"))} }
dns: { listen: ["127.0.0.1:${dnsPort}"], ttl: 30s, negativeTtl: 30s${dns} }
storage: { folder: data, key: berth.key }
control: { listen: "127.0.0.1:${controlPort}", operatorToken: operator.token, instanceToken: instance.token }
instances:
  local:
${instances.map(({ id, address }) => `    - { id: ${id}, address: ${address} }\n`).join("")}`,
  );
  return { config, fleet, logs };
}

/** The example fleet's first devices, and made-up ones where it has not enough. */
function fleetOf(count: number): string {
  const [header = "", ...rows] = readText(join(EXAMPLES, "fleet.csv")).trim().split(/\r?\n/);
  const columns = header.split(",");
  while (rows.length < count) {
    const values: Record<string, string> = { endpoint: `urn:dev:os:berth-${String(rows.length + 1).padStart(4, "0")}` };
    rows.push(columns.map((column) => values[column] ?? randomBytes(16).toString("hex")).join(","));
  }
  return `${[header, ...rows.slice(0, count)].join("\n")}\n`;
}
