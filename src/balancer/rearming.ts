import type { RearmingReply, Rearming as RearmingRequest } from "../control/index.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import { formatDuration } from "../lib/duration.ts";
import type { Logger } from "../lib/log.ts";
import type { Audit } from "./audit.ts";
import { type Device, nextProgress } from "./device.ts";
import type { Fleet } from "./fleet.ts";
import type { Registrar } from "./registrar.ts";
import { NAME_WORK, Slices } from "./slices.ts";
import type { Spreader } from "./spreader.ts";
import type { Turns } from "./turns.ts";

/** Devices that completed this long ago are pending again; `0` means at once. */
export interface RearmRule {
  /** Only devices of this group; absent: all. */
  readonly group?: string | undefined;
  readonly after: Milliseconds;
}

/** What re-arming works on. */
export interface RearmingOptions {
  readonly rules: readonly RearmRule[];
  readonly fleet: Fleet;
  readonly registrar: Registrar;
  readonly spreader: Spreader;
  readonly turns: Turns;
  readonly audit: Audit;
  readonly clock: Clock;
  /** Never goes back: scans are timed by it. */
  readonly time: Clock;
  readonly breathe: () => Promise<void>;
  readonly log: Logger;
}

/** How often all devices are looked at for those that a rule says are due. */
const SCAN_EVERY: Milliseconds = 60_000;
/** Devices re-armed in one turn. */
const CHUNK = 1000;

/** Lets completed devices bootstrap again: by hand, by rule, or as soon as they completed (B14). */
export class Rearming {
  readonly #parts: RearmingOptions;
  #nextScan: Instant;
  /** Devices re-armed as soon as they completed, since the last scan. */
  #atOnce = 0;

  constructor(parts: RearmingOptions) {
    this.#parts = parts;
    this.#nextScan = parts.time.now();
  }

  /** Re-arms the devices that every condition of the request selects. */
  async byHand({ endpoints, group, completedBefore, reason }: RearmingRequest): Promise<RearmingReply> {
    const { fleet, audit, log } = this.#parts;
    const wanted = (device: Device): boolean =>
      (group === undefined || device.kind.group === group) &&
      (completedBefore === undefined || (device.progress.completedAt ?? Number.POSITIVE_INFINITY) < completedBefore);
    const unknown = new Set(endpoints?.filter((endpoint) => fleet.byEndpoint(endpoint) === undefined));
    const rearmed = await this.#rearm(endpoints?.map((endpoint) => fleet.byEndpoint(endpoint)) ?? fleet.rows, wanted);
    log.info({ reason, group, rearmed }, "devices are re-armed");
    const [subject = null] = endpoints?.length === 1 ? endpoints : [];
    audit.note({ kind: "rearming", trigger: "operator", subject, reason, counts: { rearmed } });
    return { rearmed, unknown: [...unknown] };
  }

  /** Whether it is time for {@link scan}. */
  get due(): boolean {
    return this.#parts.rules.length > 0 && this.#parts.time.now() >= this.#nextScan;
  }

  /** Re-arms the devices that completed as long ago as a rule says. */
  async scan(): Promise<void> {
    const { rules, clock, time, audit, log } = this.#parts;
    this.#nextScan = time.now() + SCAN_EVERY;
    if (this.#atOnce > 0) {
      audit.note({ kind: "rearming", trigger: "rule", reason: "at once", counts: { rearmed: this.#atOnce } });
      this.#atOnce = 0;
    }
    for (const rule of rules) {
      const rearmed = await this.#rearm(
        this.#parts.fleet.rows,
        ({ kind, progress }) =>
          appliesTo(rule, kind.group) && progress.completedAt !== null && progress.completedAt + rule.after <= clock.now(),
      );
      if (rearmed === 0) continue;
      const reason = `${formatDuration(rule.after)} after completion${rule.group === undefined ? "" : `, group ${rule.group}`}`;
      log.info({ reason, rearmed }, "devices are re-armed");
      audit.note({ kind: "rearming", trigger: "rule", reason, counts: { rearmed } });
    }
  }

  /** Devices have just completed: some are re-armed at once. Called in turn. */
  async completed(devices: Iterable<Device>): Promise<void> {
    const rules = this.#parts.rules.filter(({ after }) => after <= 0);
    if (rules.length === 0) return;
    const due = [...devices].filter(
      ({ kind, progress }) => progress.state === "completed" && rules.some((rule) => appliesTo(rule, kind.group)),
    );
    await this.#change(due);
    this.#atOnce += due.length;
  }

  /** Returns how many were completed and are pending now, which is stored. */
  async #rearm(devices: Iterable<Device | undefined>, wanted: (device: Device) => boolean): Promise<number> {
    const { fleet, registrar, turns, breathe } = this.#parts;
    const slices = new Slices(breathe);
    const isDue = (device: Device): boolean => fleet.has(device) && device.progress.state === "completed" && wanted(device);
    let rearmed = 0;
    let chunk: Device[] = [];
    const flush = (): Promise<void> => {
      const found = chunk;
      chunk = [];
      return turns.run(async () => {
        // It may have changed until its turn came, or stand twice among those asked for.
        const due = [...new Set(found)].filter(isDue);
        await this.#change(due);
        await registrar.save();
        rearmed += due.length;
      });
    };
    for (const device of devices) {
      if (slices.spend(1)) await slices.rest();
      if (device === undefined || !isDue(device)) continue;
      if (chunk.push(device) === CHUNK) await flush();
    }
    if (chunk.length > 0) await flush();
    while (rearmed > 0 && registrar.unsaved > 0) await turns.run(() => registrar.save());
    return rearmed;
  }

  /** Its names are live as soon as it has an instance. */
  async #change(devices: readonly Device[]): Promise<void> {
    const { registrar, spreader, breathe } = this.#parts;
    if (devices.length === 0) return;
    const slices = new Slices(breathe);
    for (const device of devices) {
      if (slices.spend(NAME_WORK)) await slices.rest();
      registrar.change(device, nextProgress(device.progress, { kind: "rearmed" }));
    }
    await spreader.place(devices);
  }
}

function appliesTo(rule: RearmRule, group: string | null): boolean {
  return rule.group === undefined || rule.group === group;
}
