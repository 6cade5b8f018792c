import { Command, CommanderError } from "commander";
import { BerthError, errorText } from "../lib/errors.ts";
import { addBalancer } from "./commands/balancer.ts";
import { addDemo } from "./commands/demo.ts";
import { addDevice } from "./commands/device.ts";
import { addDevices } from "./commands/devices.ts";
import { addFleet } from "./commands/fleet.ts";
import { addImport } from "./commands/import.ts";
import { addInstance } from "./commands/instance.ts";
import { addInstances } from "./commands/instances.ts";
import { addRotate } from "./commands/rotate.ts";
import { addServe } from "./commands/serve.ts";
import { addUri } from "./commands/uri.ts";
import { say } from "./terminal.ts";

/** Exit codes: done; it failed; it was asked for wrongly. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

const ABOUT =
  "Berth bootstraps fleets of LwM2M devices without a single front door: every device has a short-lived host name of its own, computed by the device and by a balancer from a secret both know.";

const EPILOGUE = `
See it work:                berth demo
Run it on this host:        berth serve --config berth.yaml
Add devices to it:          berth import devices.csv
See how they fare:          berth devices, berth instances

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
    .configureOutput({ outputError: (text, write) => write(`berth: ${text.replace(/^error: /, "")}`) })
    .showSuggestionAfterError()
    .enablePositionalOptions();
  for (const add of [
    addDemo,
    addServe,
    addBalancer,
    addInstance,
    addImport,
    addDevices,
    addInstances,
    addRotate,
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
    return error instanceof BerthError && error.code === "invalid-input" ? EXIT.usage : EXIT.failed;
  }
}
