import { ChangeHeld, type DeviceBatch, type DeviceBatchReply, type DeviceInput } from "../control/index.ts";
import { toHex } from "../lib/bytes.ts";
import type { Clock } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import { type DeviceRecord, nameSecretOf, parseDevice, type Storage } from "../storage/index.ts";
import type { Allocation } from "./allocation/index.ts";
import type { Siting } from "./allocation/siting.ts";
import type { Brake, Stroke } from "./brake.ts";
import { type Device, isNamed } from "./device.ts";
import type { Epochs } from "./epochs.ts";
import type { Feed } from "./feed.ts";
import type { DeviceFacts, Fleet } from "./fleet.ts";
import type { Instances } from "./instances.ts";
import type { Profiles } from "./profiles.ts";
import type { Publisher } from "./publisher.ts";
import type { Registrar } from "./registrar.ts";
import { NAME_WORK, Slices } from "./slices.ts";
import type { Spreader } from "./spreader.ts";

/** What the import works on. */
export interface ImportOptions {
  readonly fleet: Fleet;
  readonly instances: Instances;
  readonly publisher: Publisher;
  readonly epochs: Epochs;
  readonly registrar: Registrar;
  readonly spreader: Spreader;
  readonly allocation: Allocation;
  readonly feed: Feed;
  readonly profiles: Profiles;
  readonly brake: Brake;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly breathe: () => Promise<void>;
}

/** A device that passed all checks. */
interface Accepted {
  readonly index: number;
  readonly record: DeviceRecord;
  readonly key: Uint8Array;
  readonly siting: Siting;
}

/** What checking a device costs, and what taking it in. */
const [CHECK_WORK, TAKE_WORK] = [4 * NAME_WORK, 3 * NAME_WORK];

/** How devices are to be brought in. */
export interface ImportTerms extends Omit<DeviceBatch, "devices"> {
  /** The brake has been asked already, for all that comes with them. */
  readonly judged?: true;
}

/**
 * Adds devices to the fleet or gives known ones new credentials (B1); these keep their state. Bad ones are reported, and
 * the rest taken.
 * @throws ChangeHeld if more live names would change than the brake lets through: then nothing was taken
 */
export async function importDevices(
  parts: ImportOptions,
  inputs: readonly DeviceInput[],
  terms: ImportTerms,
): Promise<Omit<DeviceBatchReply, "warnings">> {
  const { storage, clock, registrar, fleet, brake, breathe } = parts;
  const rejected: { index: number; reason: string }[] = [];
  const accepted: Accepted[] = [];
  const slices = new Slices(breathe);
  for (const [index, input] of inputs.entries()) {
    if (slices.spend(CHECK_WORK)) await slices.rest();
    try {
      accepted.push(check(parts, input, index));
    } catch (error) {
      rejected.push({ index, reason: errorText(error) });
    }
  }
  const renamed = accepted.filter(({ record }) => {
    const known = fleet.byEndpoint(record.endpoint);
    return known !== undefined && renames(known, record);
  }).length;
  if (terms.plan) return { inserted: 0, updated: 0, rejected, renamed };
  if (!terms.judged) askBrake(parts, renamed, terms);
  const records = accepted.map(({ record }) => record);
  const stored = await storage.devices.import(records, clock.now());
  // Of several with one endpoint the last counts, as in the database.
  const latest = new Map(accepted.map((each) => [each.record.endpoint, each]));
  for (const { endpoint, reason } of stored.rejected) {
    rejected.push({ index: latest.get(endpoint)?.index ?? 0, reason });
    latest.delete(endpoint);
  }
  const taken: Device[] = [];
  for (const each of latest.values()) {
    if (slices.spend(TAKE_WORK)) await slices.rest();
    taken.push(takeIn(parts, each));
  }
  await parts.spreader.place(taken);
  await registrar.save();
  if (!terms.judged && !terms.confirm && !brake.isConfirmed(WHAT)) brake.passed(WHAT, renamed);
  return { inserted: stored.inserted, updated: stored.updated, rejected: rejected.sort((a, b) => a.index - b.index) };
}

/** What the brake calls it. */
const WHAT = "import";

/** @throws ChangeHeld */
function askBrake({ fleet, brake }: ImportOptions, renamed: number, { renames: announced = 0, confirm }: ImportTerms): void {
  const part = Math.max(announced, renamed + brake.lately(WHAT));
  if (announced + renamed === 0) return;
  const stroke: Stroke = {
    what: WHAT,
    trigger: "operator",
    does: "it would give devices other names, as it changes their secrets",
    shares: [{ part, whole: fleet.named, of: "devices with names" }],
    once: true,
  };
  if (confirm) {
    brake.override(stroke);
    return;
  }
  if (brake.allows(stroke)) return;
  throw new ChangeHeld(
    `held, and nothing of it was taken: it would give ${part} of ${fleet.named} devices with names other ones, as it changes their secrets; if that is meant, import it again with --confirm`,
  );
}

/** Whether live names of a known device would be others with this record. */
export function renames(known: Device, record: Parameters<typeof nameSecretOf>[0]): boolean {
  return isNamed(known) && toHex(nameSecretOf(record)) !== (known.secret ?? known.psk);
}

function check({ publisher, epochs, profiles, allocation }: ImportOptions, input: DeviceInput, index: number): Accepted {
  const device = parseDevice(input);
  const record = { ...device, profile: profiles.choose(device.endpoint, device.profile) };
  const key = publisher.keyFor(device.endpoint, nameSecretOf(device), epochs.wanted[0] ?? {});
  return { index, record, key, siting: allocation.siter.siting(device) };
}

const NO_ATTRIBUTES: Readonly<Record<string, string>> = {};

/** What the fleet keeps of a stored device. What most devices have in common is kept once. */
export function factsOf(record: DeviceRecord, siting: Siting): DeviceFacts {
  const { endpoint, mode, identity, psk, publicKey, secret, profile, group, attributes } = record;
  // A raw public key makes names too: the fleet needs it for nothing else.
  const nameSecret = secret ?? publicKey;
  return {
    endpoint,
    mode,
    identity: identity === endpoint ? endpoint : identity,
    psk: psk === undefined ? undefined : toHex(psk),
    secret: nameSecret === undefined ? undefined : toHex(nameSecret),
    profile,
    group,
    siting,
    attributes: Object.keys(attributes).length === 0 ? NO_ATTRIBUTES : attributes,
  };
}

function takeIn({ fleet, publisher, feed, instances, registrar }: ImportOptions, { record, key, siting }: Accepted): Device {
  const known = fleet.byEndpoint(record.endpoint);
  if (known === undefined) {
    const device = fleet.add(factsOf(record, siting));
    publisher.learn(device.row, key);
    return device;
  }
  // Its names change with its secret: the old ones go before the key they are made of is gone.
  publisher.drop(known);
  publisher.learn(known.row, key);
  fleet.update(known, factsOf(record, siting));
  if (known.progress.state === "completed") return known;
  registrar.rename(known);
  feed.assign(instances.at(known.progress.home)?.id, known);
  return known;
}
