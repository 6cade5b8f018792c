import { BerthError, errorText } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { type Device, NOWHERE } from "../device.ts";
import { NAME_WORK, type Slices } from "../slices.ts";
import { eligible } from "./eligible.ts";
import type { DeviceFacts, InstanceFacts } from "./facts.ts";
import type { Occasion } from "./spread.ts";

/** A device as a policy of the user's own is told of it. */
export interface AskedDevice extends DeviceFacts {
  /** Where it is now; null if nowhere. */
  readonly instance: string | null;
}

/** A policy did not answer as it should: code `policy-failed`. */
export class PolicyFailed extends BerthError {}

/** A policy of the user's own: a module, or somebody who is asked over HTTP. */
export interface OwnPolicy {
  /**
   * The id of the instance for each device, in their order; null where it has no opinion.
   * @throws Error of any kind; then the fall-back decides
   */
  choose(devices: readonly AskedDevice[], instances: readonly InstanceFacts[]): Promise<readonly (string | null)[]>;
}

/** How the user's own policy is asked. */
export interface AskOptions {
  readonly own: OwnPolicy;
  /** Attributes of devices it is told; others may hold keys. */
  readonly attributes: readonly string[];
  readonly nearest: number;
  readonly log: Logger;
}

/** Devices asked for at a time. */
const BATCH = 1000;

/**
 * Asks for the devices that are to be placed: at an epoch for all that are pending, else for those that have no instance
 * that serves. After a failure nobody is asked any more this time: a thousand batches that time out would take long.
 * @returns the choices; {@link NOWHERE} where there is none, or one that may not serve the device
 */
export async function ask(
  { own, attributes, nearest, log }: AskOptions,
  occasion: Occasion,
  devices: Iterable<Device | undefined>,
  serving: readonly InstanceFacts[],
  slices: Slices,
): Promise<(device: Device) => number> {
  const choices = new Map<Device, number>();
  const byId = new Map(serving.map((instance) => [instance.id, instance.index]));
  const idOf = new Map(serving.map(({ id, index }) => [index, id]));
  const allowed = (device: Device, index: number): boolean =>
    eligible(device.kind.siting, serving, nearest).some((step) => step.some((instance) => instance.index === index));
  let batch: Device[] = [];
  let unusable = 0;
  const flush = async (): Promise<void> => {
    const asked = batch;
    batch = [];
    if (asked.length === 0) return;
    const told = asked.map((device) => tell(device, attributes, idOf));
    const answers = await own.choose(told, serving);
    if (!Array.isArray(answers) || answers.length !== asked.length)
      throw new PolicyFailed("policy-failed", `the policy was asked for ${asked.length} devices and did not answer so many`);
    for (const [place, device] of asked.entries()) {
      if (slices.spend(NAME_WORK)) await slices.rest();
      const answer: unknown = answers[place] ?? null;
      if (answer === null) continue;
      const index = typeof answer === "string" ? byId.get(answer) : undefined;
      if (index !== undefined && allowed(device, index)) choices.set(device, index);
      else unusable++;
    }
  };
  try {
    for (const device of devices) {
      if (slices.spend(1)) await slices.rest();
      if (device?.progress.state !== "pending") continue;
      if (occasion.kind !== "level" && idOf.has(device.progress.home)) continue;
      if (batch.push(device) === BATCH) await flush();
    }
    await flush();
  } catch (error) {
    log.error(
      { error: errorText(error), chosen: choices.size },
      "the allocation policy failed; the fall-back decides for the rest",
    );
  }
  if (unusable > 0)
    log.warn({ devices: unusable }, "the allocation policy chose instances that may not serve; the fall-back decides");
  return (device) => choices.get(device) ?? NOWHERE;
}

function tell(
  { endpoint, kind, attributes, progress }: Device,
  told: readonly string[],
  idOf: ReadonlyMap<number, string>,
): AskedDevice {
  const given = told.flatMap((name) => (attributes[name] === undefined ? [] : [[name, attributes[name]]]));
  return { endpoint, group: kind.group, attributes: Object.fromEntries(given), instance: idOf.get(progress.home) ?? null };
}
