import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { type Command, Option } from "commander";
import type { DeviceInput } from "../../control/index.ts";
import { toHex } from "../../lib/bytes.ts";
import { BerthError, InvalidInput } from "../../lib/errors.ts";
import { type ControlClient, ControlError } from "../../net/index.ts";
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

/** Of fewer devices with names than these the brake holds none. */
const FEW = 10;

/** `berth import`: adds devices from a file of any length. */
export function addImport(program: Command): void {
  connectOptions(program.command("import"))
    .description("add devices from a CSV or NDJSON file, or update their credentials")
    .argument("<file>", "the file; - reads standard input")
    .addOption(new Option("--format <format>", "of the file (default: by its name)").choices(["csv", "ndjson"]))
    .option("--confirm", "it is meant, however many live names it changes")
    .option("--json", "print the summary as JSON")
    .addHelpText(
      "after",
      `
The first line of a CSV file names its columns: endpoint, psk (hex), and if wanted identity, secret (hex), profile,
group; any other column becomes an attribute for profiles to use. A device without a psk has a public_key (hex or PEM),
or the mode x509 or nosec and a secret. NDJSON holds one object a line with the same keys.
Bad rows are reported with their line and reason on stderr, and the rest is imported; the exit code is then 1.
A file that would change more live names than the configuration lets through (dns.brake) is held: nothing of it is taken.`,
    )
    .action(async (file: string, options: ConnectOptions & { format?: ImportFormat; confirm?: true; json?: true }) => {
      const client = connect(options);
      const summary = await importFile(client, file, options.format, options.confirm === true);
      client.close();
      const { inserted, updated, rejected, warnings } = summary;
      for (const warning of warnings) say(`warning: ${warning}`);
      const counts = { rows: summary.rows, inserted, updated, rejected };
      print(options.json ? JSON.stringify(counts) : `${inserted} devices added, ${updated} updated, ${rejected} rejected`);
      if (rejected > 0) process.exitCode = 1;
    });
}

/**
 * Streams a file of devices to the balancer. Bad rows are said on stderr.
 * @param confirm names may change, however many
 * @throws InvalidInput, ControlError; BerthError `held` if more live names would change than the balancer lets through
 */
export async function importFile(
  client: ControlClient,
  file: string,
  format: ImportFormat = formatOf(file),
  confirm = false,
): Promise<ImportSummary> {
  const size = file === "-" ? 0 : await sizeOf(file);
  const bar = new ProgressBar(`importing ${file}`, size);
  // Only a file proper can be read twice.
  const renames = size === 0 ? undefined : await countRenames(client, file, format, size);
  const terms = { ...(renames === undefined ? {} : { renames }), ...(confirm ? { confirm } : {}) };
  const summary = { rows: 0, inserted: 0, updated: 0, rejected: 0, warnings: [] as readonly string[] };
  const source = file === "-" ? process.stdin : createReadStream(file);
  let read = 0;
  let batch: { line: number; device: ImportedDevice }[] = [];
  const reject = (line: number, reason: string): void => {
    summary.rejected++;
    say(`${file}:${line}: ${reason}`);
  };
  const flush = async (): Promise<void> => {
    const sent = batch;
    batch = [];
    const reply = await client
      .call("importDevices", { body: { devices: sent.map(({ device }) => inputOf(device)), ...terms } })
      .catch((error: unknown) => {
        const { inserted, updated } = summary;
        if (!(error instanceof ControlError && error.code === "held")) throw error;
        const before = inserted + updated === 0 ? "" : ` (before that, ${inserted} were added and ${updated} updated)`;
        throw new BerthError("held", `${file}: ${error.message}${before}`, { cause: error });
      });
    summary.inserted += reply.inserted;
    summary.updated += reply.updated;
    summary.warnings = reply.warnings;
    for (const { index, reason } of reply.rejected) reject(sent[index]?.line ?? 0, reason);
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

/**
 * Reads the file a first time, to see how many live names it would change: what is too much is to be held as a whole, before
 * the first row is taken.
 */
async function countRenames(client: ControlClient, file: string, format: ImportFormat, size: number): Promise<number> {
  const { devices } = await client.call("status", {});
  if (devices.pending + devices.commenced < FEW) return 0;
  const bar = new ProgressBar(`checking ${file}`, size);
  let renames = 0;
  let batch: DeviceInput[] = [];
  const flush = async (): Promise<void> => {
    renames += (await client.call("importDevices", { body: { devices: batch, plan: true } })).renamed ?? 0;
    batch = [];
  };
  try {
    for await (const row of readDevices(createReadStream(file), format)) {
      if ("device" in row) batch.push(inputOf(row.device));
      if (batch.length >= BATCH) await flush();
      bar.show(row.end);
    }
  } catch (error) {
    // What is wrong with the file is said when it is read to be taken.
    if (!(error instanceof InvalidInput)) throw error;
  }
  if (batch.length > 0) await flush();
  bar.end();
  return renames;
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
