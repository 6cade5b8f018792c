import { parseArgs } from "node:util";
import { simulateDay } from "./day.ts";
import { InvariantBroken } from "./invariants.ts";
import type { SimulationOptions } from "./simulation.ts";

/** Where the command writes to. */
export interface Output {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

const USAGE = `npm run simulate -- [--devices N] [--epochs N] [--seed N] [--json]

A day in the life of a fleet, under a clock of its own: devices come, instances come and go, and what must never happen
is looked for at every step.

  --devices N  devices, 100000 unless given
  --epochs N   epochs of an hour, 24 unless given
  --seed N     the same seed gives the same day
  --json       a summary as one JSON object on the last line of stdout

Ends with 1 if an invariant broke, 2 for wrong usage.`;

/** Runs `npm run simulate`. @returns the exit code */
export async function simulate(
  args: readonly string[],
  { out, err }: Output,
  tamper?: SimulationOptions["tamper"],
): Promise<number> {
  const given = read(args, err);
  if (given === undefined) return 2;
  const { devices, epochs, seed, json, help } = given;
  if (help) {
    out(USAGE);
    return 0;
  }
  err(`${devices} devices, ${epochs} epochs, seed ${seed}`);
  const started = performance.now();
  const summary = (more: object): string => {
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    return JSON.stringify({ devices, epochs, seed, seconds, ...more });
  };
  try {
    const figures = await simulateDay({ devices, epochs, seed, say: err, ...(tamper === undefined ? {} : { tamper }) });
    for (const [name, value] of Object.entries(figures)) err(`${name}: ${value}`);
    out(json ? summary({ broken: null, ...figures }) : "all invariants held");
    return 0;
  } catch (error) {
    if (!(error instanceof InvariantBroken)) throw error;
    err(`invariant broken: ${error.message}`);
    err(`again: npm run simulate -- --devices ${devices} --epochs ${epochs} --seed ${seed}`);
    if (json) out(summary({ broken: error.invariant, message: error.message }));
    return 1;
  }
}

interface Given {
  readonly devices: number;
  readonly epochs: number;
  readonly seed: number;
  readonly json: boolean;
  readonly help: boolean;
}

function read(args: readonly string[], err: (line: string) => void): Given | undefined {
  try {
    const text = { type: "string" } as const;
    const flag = { type: "boolean", default: false } as const;
    const options = { devices: text, epochs: text, seed: text, json: flag, help: flag };
    const { values } = parseArgs({ args: [...args], options });
    return {
      devices: whole("devices", values.devices ?? "100000", 1),
      epochs: whole("epochs", values.epochs ?? "24", 1),
      seed: whole("seed", values.seed ?? String(Date.now() % 1_000_000), 0),
      json: values.json,
      help: values.help,
    };
  } catch (error) {
    err(`simulate: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

function whole(name: string, text: string, least: number): number {
  const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least) return value;
  throw new RangeError(`--${name} is a whole number from ${least} on, got "${text}"`);
}
