import type { DeviceBatchReply, DeviceInput } from "../control/index.ts";
import { fromHex, toHex } from "../lib/bytes.ts";
import type { Clock } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import type { DeviceRecord, Storage } from "../storage/index.ts";
import type { Device } from "./device.ts";
import { assignmentOf, type Feed } from "./feed.ts";
import type { DeviceFacts, Fleet } from "./fleet.ts";
import type { Instances } from "./instances.ts";
import type { Publisher } from "./publisher.ts";
import type { Registrar } from "./registrar.ts";

/** What the import works on. */
export interface ImportOptions {
  readonly fleet: Fleet;
  readonly instances: Instances;
  readonly publisher: Publisher;
  readonly registrar: Registrar;
  readonly feed: Feed;
  readonly storage: Storage;
  readonly clock: Clock;
  /** Refuses a secret that names cannot be made of. */
  readonly checkSecret: (secret: Uint8Array) => void;
}

type Rejected = DeviceBatchReply["rejected"][number];

/** Adds devices to the fleet or gives known ones new credentials (B1). Bad ones are reported, and the rest taken. */
export async function importDevices(parts: ImportOptions, inputs: readonly DeviceInput[]): Promise<DeviceBatchReply> {
  const rejected: Rejected[] = [];
  const accepted = new Map<string, { readonly index: number; readonly record: DeviceRecord }>();
  for (const [index, input] of inputs.entries()) {
    try {
      const record = recordOf(input);
      parts.checkSecret(record.secret ?? record.psk);
      accepted.set(record.endpoint, { index, record });
    } catch (error) {
      rejected.push({ index, reason: errorText(error) });
    }
  }
  const stored = await parts.storage.devices.import(
    [...accepted.values()].map(({ record }) => record),
    parts.clock.now(),
  );
  for (const { endpoint, reason } of stored.rejected) {
    const index = accepted.get(endpoint)?.index;
    if (index !== undefined) rejected.push({ index, reason });
    accepted.delete(endpoint);
  }
  const fresh: Device[] = [];
  for (const { record } of accepted.values()) takeIn(parts, record, fresh);
  await parts.registrar.place(fresh);
  return { inserted: stored.inserted, updated: stored.updated, rejected: rejected.sort((a, b) => a.index - b.index) };
}

/** Keys are at most 64 bytes as that is what LwM2M servers must support; below 16 bytes they can be guessed. */
const [SHORTEST_KEY, LONGEST_KEY] = [16, 64];

function recordOf(input: DeviceInput): DeviceRecord {
  const { endpoint, identity = endpoint, profile = "default", group = null, attributes = {} } = input;
  const psk = fromHex(input.psk, "psk");
  if (psk.length < SHORTEST_KEY || psk.length > LONGEST_KEY) {
    throw new RangeError(`psk: ${psk.length} bytes; ${SHORTEST_KEY} to ${LONGEST_KEY} are allowed`);
  }
  const secret = input.secret === undefined ? {} : { secret: fromHex(input.secret, "secret") };
  return { endpoint, identity, psk, ...secret, profile, group, attributes };
}

/** What the fleet keeps of a stored device. */
export function factsOf({ endpoint, identity, psk, secret, profile, attributes }: DeviceRecord): DeviceFacts {
  return { endpoint, identity, psk: toHex(psk), secret: secret === undefined ? undefined : toHex(secret), profile, attributes };
}

function takeIn({ fleet, publisher, feed, instances }: ImportOptions, record: DeviceRecord, fresh: Device[]): void {
  const known = fleet.byEndpoint(record.endpoint);
  const secret = record.secret ?? record.psk;
  if (known === undefined) {
    const device = fleet.add(factsOf(record));
    publisher.learn(device.row, secret);
    fresh.push(device);
    return;
  }
  // Its names change with its secret: the old ones go before the key they are made of is gone.
  publisher.drop(known);
  publisher.learn(known.row, secret);
  fleet.update(known, factsOf(record));
  if (known.progress.state === "completed") return;
  publisher.name(known);
  const home = instances.at(known.progress.home);
  if (home !== undefined) feed.tell(home.id, { type: "assign", assignments: [assignmentOf(known)] });
}
