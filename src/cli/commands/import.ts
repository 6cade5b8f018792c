import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { type Command, Option } from "commander";
import type { DeviceInput } from "../../control/index.ts";
import { toHex } from "../../lib/bytes.ts";
import { InvalidInput } from "../../lib/errors.ts";
import type { ControlClient } from "../../net/index.ts";
import { type ImportedDevice, type ImportFormat, readDevices } from "../../storage/index.ts";
import { type ConnectOptions, connect } from "../connect.ts";
import { connectOptions } from "../options.ts";
import { ProgressBar, print, say } from "../terminal.ts";

/** What an import came to. */
export interface ImportSummary {
  readonly rows: number;
  readonly inserted: number;
  readonly updated: number;
  readonly rejected: number;
  /** What the balancer said of the fleet with all of them. */
  readonly warnings: readonly string[];
}

/** Devices sent to the balancer at a time. */
const BATCH = 1000;

/** `berth import`: adds devices from a file of any length. */
export function addImport(program: Command): void {
  connectOptions(program.command("import"))
    .description("add devices from a CSV or NDJSON file, or update their credentials")
    .argument("<file>", "the file; - reads standard input")
    .addOption(new Option("--format <format>", "of the file (default: by its name)").choices(["csv", "ndjson"]))
    .option("--json", "print the summary as JSON")
    .addHelpText(
      "after",
      `
The first line of a CSV file names its columns: endpoint, psk (hex), and if wanted identity, secret (hex), profile,
group; any other column becomes an attribute for profiles to use. A device without a psk has a public_key (hex or PEM),
or the mode x509 or nosec and a secret. NDJSON holds one object a line with the same keys.
Bad rows are reported with their line and reason on stderr, and the rest is imported; the exit code is then 1.`,
    )
    .action(async (file: string, options: ConnectOptions & { format?: ImportFormat; json?: true }) => {
      const client = connect(options);
      const summary = await importFile(client, file, options.format);
      client.close();
      const { inserted, updated, rejected, warnings } = summary;
      for (const warning of warnings) say(`warning: ${warning}`);
      const counts = { rows: summary.rows, inserted, updated, rejected };
      print(options.json ? JSON.stringify(counts) : `${inserted} devices added, ${updated} updated, ${rejected} rejected`);
      if (rejected > 0) process.exitCode = 1;
    });
}

/** Streams a file of devices to the balancer. Bad rows are said on stderr. @throws InvalidInput, ControlError */
export async function importFile(
  client: ControlClient,
  file: string,
  format: ImportFormat = formatOf(file),
): Promise<ImportSummary> {
  const size = file === "-" ? 0 : await sizeOf(file);
  const bar = new ProgressBar(`importing ${file}`, size);
  const summary = { rows: 0, inserted: 0, updated: 0, rejected: 0, warnings: [] as readonly string[] };
  const source = file === "-" ? process.stdin : createReadStream(file);
  let read = 0;
  let batch: { line: number; device: ImportedDevice }[] = [];
  const reject = (line: number, reason: string): void => {
    summary.rejected++;
    say(`${file}:${line}: ${reason}`);
  };
  const flush = async (): Promise<void> => {
    const reply = await client.call("importDevices", { body: { devices: batch.map(({ device }) => inputOf(device)) } });
    summary.inserted += reply.inserted;
    summary.updated += reply.updated;
    summary.warnings = reply.warnings;
    for (const { index, reason } of reply.rejected) reject(batch[index]?.line ?? 0, reason);
    batch = [];
    if (size > 0) bar.show(read, `${summary.rows} rows`);
  };
  try {
    for await (const row of readDevices(source, format)) {
      summary.rows++;
      read = row.end;
      if ("error" in row) reject(row.line, row.error);
      else batch.push(row);
      if (batch.length >= BATCH) await flush();
    }
  } catch (error) {
    throw error instanceof InvalidInput ? new InvalidInput(`${file}: ${error.message}`, { cause: error }) : error;
  } finally {
    // Also when the file turns out to be broken: what stands before that is good.
    if (batch.length > 0) await flush();
  }
  if (size > 0) bar.end();
  return summary;
}

function inputOf({ endpoint, mode, identity, psk, publicKey, secret, profile, group, attributes }: ImportedDevice): DeviceInput {
  return {
    endpoint,
    mode,
    ...(mode === "psk" ? { identity } : {}),
    ...(psk === undefined ? {} : { psk: toHex(psk) }),
    ...(publicKey === undefined ? {} : { publicKey: toHex(publicKey) }),
    ...(secret === undefined ? {} : { secret: toHex(secret) }),
    ...(profile === undefined ? {} : { profile }),
    ...(group === null ? {} : { group }),
    attributes,
  };
}

function formatOf(file: string): ImportFormat {
  if (/\.(ndjson|jsonl)$/i.test(file)) return "ndjson";
  if (/\.csv$/i.test(file)) return "csv";
  throw new InvalidInput(`${file}: its name does not tell the format; say --format csv or --format ndjson`);
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch {
    throw new InvalidInput(`${file}: there is no such file`);
  }
}
