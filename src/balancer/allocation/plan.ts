import type { MoveReason } from "../../control/index.ts";
import { type Device, NOWHERE } from "../device.ts";
import type { Slices } from "../slices.ts";
import { type Occasion, Spread, type SpreadRules } from "./spread.ts";

/** What is to be spread, and over what. */
export interface SpreadInput extends SpreadRules {
  /** The devices to look at, twice; those in progress stay where they are. Names of others count where they are. */
  readonly devices: Iterable<Device | undefined>;
  /** Of these devices those that share a name: they go together (N10). */
  readonly groups: readonly (readonly Device[])[];
  /** Where a policy of the user's own puts a device; {@link NOWHERE} if it does not say. */
  readonly chosen?: ((device: Device) => number) | undefined;
  readonly slices: Slices;
}

/** Told of devices that are to move: of one, or of all that share a name. To {@link NOWHERE}, if nobody may serve them. */
export type OnMove = (devices: readonly Device[], to: number, reason: MoveReason) => void;

/**
 * Desired minus current: says which devices are to move so that names are spread as the policy wants (B3), within an
 * epoch with as few moves as can be (B11). Changes nothing itself.
 */
export async function planSpread(input: SpreadInput, occasion: Occasion, onMove: OnMove): Promise<void> {
  const { devices, groups, serving, slices, chosen = () => NOWHERE } = input;
  if (serving.length === 0) return;
  const spread = new Spread(input, occasion);
  const lumps = groups.filter((group) => !leadsToSession(group)).map((group) => group.filter(isPending));
  const grouped = new Set(groups.flat());
  const single = (device: Device | undefined): device is Device =>
    device !== undefined && isPending(device) && !(grouped.size > 0 && grouped.has(device));
  for (const device of devices) {
    if (slices.spend(1)) await slices.rest();
    if (!single(device)) continue;
    const choice = chosen(device);
    if (choice === NOWHERE) spread.count(device);
    else spread.countAt(device, choice);
  }
  for (const { devices: group, to } of spread.placeGroups(lumps.filter(({ length }) => length > 0))) {
    if (slices.spend(group.length)) await slices.rest();
    const [first] = group;
    if (first !== undefined && first.progress.home !== to) onMove(group, to, reasonOf(spread, first, to, occasion));
  }
  spread.aim();
  for (const device of devices) {
    if (slices.spend(1)) await slices.rest();
    if (!single(device)) continue;
    const choice = chosen(device);
    const to = choice === NOWHERE ? spread.next(device) : choice;
    if (to === device.progress.home) continue;
    onMove([device], to, choice === NOWHERE ? reasonOf(spread, device, to, occasion) : "chosen");
  }
}

/** Such a name stays where it is (B11). */
function leadsToSession(group: readonly Device[]): boolean {
  const home = group.find(isPending)?.progress.home;
  return group.some(({ progress }) => progress.state === "commenced" && progress.home === home);
}

const isPending = ({ progress }: Device): boolean => progress.state === "pending";

function reasonOf(spread: Spread, device: Device, to: number, occasion: Occasion): MoveReason {
  if (to === NOWHERE) return "nobody";
  if (spread.isUnserved(device)) return "unserved";
  if (occasion.kind === "fill") return "joined";
  return spread.dealsAnew ? "dealt" : "levelled";
}
