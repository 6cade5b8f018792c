import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import { BerthError, errorText } from "../lib/errors.ts";
import { addAudit } from "./commands/audit.ts";
import { addBalancer } from "./commands/balancer.ts";
import { addCheck } from "./commands/check.ts";
import { addCompare } from "./commands/compare.ts";
import { addConfirm } from "./commands/confirm.ts";
import { addDemo } from "./commands/demo.ts";
import { addDevice } from "./commands/device.ts";
import { addDevices } from "./commands/devices.ts";
import { addFleet } from "./commands/fleet.ts";
import { addImport } from "./commands/import.ts";
import { addInstance } from "./commands/instance.ts";
import { addInstances } from "./commands/instances.ts";
import { addPlan } from "./commands/plan.ts";
import { addProfile } from "./commands/profile.ts";
import { addRearm } from "./commands/rearm.ts";
import { addRotate } from "./commands/rotate.ts";
import { addServe } from "./commands/serve.ts";
import { addStatus } from "./commands/status.ts";
import { addUri } from "./commands/uri.ts";
import { say } from "./terminal.ts";

const { version: VERSION } = createRequire(import.meta.url)("../../package.json") as { readonly version: string };

/** Exit codes: done; it failed; it was asked for wrongly. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** Errors that are the fault of what was given, not of what happened. */
const WRONG_INPUT: ReadonlySet<string> = new Set([
  "invalid-input",
  "static-uri-invalid",
  "placement-impossible",
  "name-invalid",
  "weak-secret",
  "parameter-missing",
  "combine-offset",
  "no-bootstrap-account",
  "openssl-too-old",
  "storage-key-missing",
  "storage-key-invalid",
  "storage-key-permissions",
  "storage-key-wrong",
]);

const ABOUT =
  "Berth bootstraps fleets of LwM2M devices without a single front door: every device has a short-lived host name of its own, computed by the device and by a balancer from a secret both know.";

const EPILOGUE = `
See it work:                berth demo
Run it on this host:        berth serve --config berth.yaml
Add devices to it:          berth import devices.csv
See how they fare:          berth status, berth devices, berth instances

Exit codes: 0 done, 1 failed, 2 wrong usage or input.`;

/**
 * The command line of Berth.
 * @param args what stands behind \`berth\`
 * @returns the exit code
 */
export async function main(args: readonly string[]): Promise<number> {
  const program = new Command("berth")
    .description(ABOUT)
    .addHelpText("after", EPILOGUE)
    .exitOverride()
    .version(VERSION, "-V, --version", "print the version")
    .configureOutput({ outputError: (text, write) => write(`berth: ${oneLine(text.replace(/^error: /, ""))}\n`) })
    .showSuggestionAfterError()
    .enablePositionalOptions();
  for (const add of [
    addDemo,
    addServe,
    addBalancer,
    addInstance,
    addStatus,
    addImport,
    addDevices,
    addInstances,
    addPlan,
    addProfile,
    addRotate,
    addRearm,
    addConfirm,
    addCompare,
    addAudit,
    addCheck,
    addUri,
    addDevice,
    addFleet,
  ]) {
    add(program);
  }
  for (const command of program.commands) command.exitOverride();
  try {
    await program.parseAsync(args, { from: "user" });
    return Number(process.exitCode ?? EXIT.done);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    say(`berth: ${errorText(error)}`);
    if (!(error instanceof BerthError) && process.env.BERTH_DEBUG !== undefined) console.error(error);
    return error instanceof BerthError && WRONG_INPUT.has(error.code) ? EXIT.usage : EXIT.failed;
  }
}

/** A suggestion stands on a line of its own otherwise. */
function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, " ");
}
