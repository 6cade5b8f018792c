import { lookAheadOf, type Recipe } from "../naming/index.ts";
import { type Device, nextProgress } from "./device.ts";
import type { Fleet } from "./fleet.ts";
import type { Registrar } from "./registrar.ts";
import { NAME_WORK, Slices } from "./slices.ts";
import type { Turns } from "./turns.ts";

/** What withdrawal works on. */
export interface WithdrawalOptions {
  readonly recipe: Recipe;
  readonly fleet: Fleet;
  readonly registrar: Registrar;
  readonly turns: Turns;
  readonly breathe: () => Promise<void>;
}

/** What a withdrawal did, in devices. */
export interface Withdrawn {
  /** Their lowest name is gone. */
  readonly stepped: number;
  /** They keep their names: they might try no live one else. */
  readonly atLimit: number;
}

/** Devices stepped in one turn. */
const CHUNK = 1000;

/** Withdraws the lowest name of devices, where names are made of a counter. */
export class Withdrawal {
  readonly #parts: WithdrawalOptions;

  constructor(parts: WithdrawalOptions) {
    this.#parts = parts;
  }

  /** All pending devices. What it did is stored when it resolves. */
  async all(): Promise<Withdrawn> {
    const { fleet, registrar, turns } = this.#parts;
    const total = { stepped: 0, atLimit: 0 };
    // A device that takes a row while this is under way may be stepped too, or not.
    for (let row = 0; row < fleet.rows.length; row += CHUNK) {
      const { stepped, atLimit } = await turns.run(() => this.#step(fleet.rows.slice(row, row + CHUNK)));
      total.stepped += stepped;
      total.atLimit += atLimit;
    }
    while (registrar.unsaved > 0) await turns.run(() => registrar.save());
    return total;
  }

  /** What is to be said of it. */
  warnings({ atLimit }: Withdrawn): readonly string[] {
    const lookAhead = lookAheadOf(this.#parts.recipe);
    if (atLimit === 0) return [];
    return [`${atLimit} devices keep their names: the recipe looks ahead by ${lookAhead}, and with fewer they might find none`];
  }

  async #step(devices: readonly (Device | undefined)[]): Promise<Withdrawn> {
    const { fleet, registrar, recipe, breathe } = this.#parts;
    const lookAhead = lookAheadOf(recipe);
    const slices = new Slices(breathe);
    let [stepped, atLimit] = [0, 0];
    for (const device of devices) {
      if (device === undefined || !fleet.has(device) || device.progress.state !== "pending") continue;
      if (slices.spend(2 * (lookAhead + 1) * NAME_WORK)) await slices.rest();
      const after = nextProgress(device.progress, { kind: "withdrawn", lookAhead });
      if (after === device.progress) atLimit++;
      else stepped++;
      registrar.change(device, after);
    }
    return { stepped, atLimit };
  }
}
