import { basename } from "node:path";
import type { Command } from "commander";
import { BerthError, errorText } from "../../lib/errors.ts";
import { findConfig } from "../config.ts";
import { type ConnectOptions, connect } from "../connect.ts";
import { loadObjects } from "../objects.ts";
import { connectOptions } from "../options.ts";
import { checkFile, profileReader, profilesInFile } from "../profiles.ts";
import { print, say } from "../terminal.ts";

interface CheckOptions {
  readonly config?: string;
  readonly objects?: string;
  readonly json?: true;
}

/** What came of a file. */
interface Report {
  readonly file: string;
  /** Names of the profiles in it. */
  readonly profiles: readonly string[];
  readonly warnings: readonly string[];
  readonly error?: string;
}

/** `berth profile`: bootstrap profiles, before and while they are in use. */
export function addProfile(program: Command): void {
  const profile = program.command("profile").description("check bootstrap profiles, or set one at the balancer");
  profile
    .command("check")
    .description("check bootstrap profiles without a balancer: all that is wrong or may trouble some clients, with its path")
    .argument("<file...>", "profiles of Berth's, or files of Leshan's")
    .option("-c, --config <file>", "take objects and names of security stores from this configuration (default: berth.yaml)")
    .option("--objects <folder>", "OMA XML files of the objects that profiles may write")
    .option("--json", "print the outcome as JSON")
    .action((files: string[], options: CheckOptions) => {
      const reports = checkAll(files, options);
      if (options.json) print(JSON.stringify(reports));
      else for (const report of reports) sayReport(report);
      if (reports.some(({ error }) => error !== undefined)) process.exitCode = 1;
    });
  connectOptions(profile.command("put"))
    .description("set a bootstrap profile at the balancer, for devices that bootstrap from now on")
    .argument("<name>", "what it is called; profiles of a Leshan file for many endpoints are called like them")
    .argument("<file>", "the profile")
    .option("--json", "print names and warnings as JSON")
    .action(async (name: string, file: string, options: ConnectOptions & { json?: true }) => {
      const profiles = profilesInFile(name, file);
      const client = connect(options);
      const put: { profile: string; warnings: readonly string[] }[] = [];
      for (const [each, body] of profiles) {
        const { warnings } = await client.call("putProfile", { params: { name: each }, body });
        put.push({ profile: each, warnings });
        for (const warning of warnings) say(`${each}: warning: ${warning}`);
      }
      client.close();
      print(
        options.json
          ? JSON.stringify(put)
          : `${put.length === 1 ? `profile ${put[0]?.profile} is` : `${put.length} profiles are`} set`,
      );
    });
  for (const command of profile.commands) command.exitOverride();
}

function checkAll(files: readonly string[], options: CheckOptions): Report[] {
  const config = findConfig(options.config);
  const read = profileReader({
    objects: loadObjects(options.objects ?? config?.objects),
    securityStores: new Set(Object.keys(config?.securityStores ?? {})),
  });
  return files.map((file): Report => {
    try {
      const profiles = checkFile(basename(file).replace(/\.\w+$/, ""), file, read);
      const many = profiles.length > 1;
      const warnings = profiles.flatMap((each) => each.warnings.map((text) => (many ? `${each.name}: ${text}` : text)));
      return { file, profiles: profiles.map(({ name }) => name), warnings };
    } catch (error) {
      if (!(error instanceof BerthError)) throw error;
      return { file, profiles: [], warnings: [], error: errorText(error) };
    }
  });
}

function sayReport({ file, profiles, warnings, error }: Report): void {
  for (const warning of warnings) say(`${file}: warning: ${warning}`);
  if (error !== undefined) say(error);
  else print(`${file}: ${profiles.length === 1 ? "the profile" : `${profiles.length} profiles`} can be used`);
}
