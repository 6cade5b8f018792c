import type { Assignment, AssignmentEvent } from "../control/index.ts";
import { lowestLive } from "./counting.ts";
import type { Device } from "./device.ts";
import { Slices } from "./slices.ts";

/** Writes events to an instance; resolves when there is room for more. */
type Write = (...events: readonly AssignmentEvent[]) => Promise<void>;

/** Devices in one `assign` or `revoke` event. */
const BATCH = 200;

/** What an instance is told of a device. */
export function assignmentOf(device: Device): Assignment {
  const { endpoint, kind, identity, psk, secret, attributes, progress } = device;
  const counter = lowestLive(progress);
  return {
    endpoint,
    mode: kind.mode,
    identity,
    profile: kind.profile,
    attributes,
    ...(psk === undefined ? {} : { psk }),
    ...(secret === undefined ? {} : { secret }),
    ...(counter === 0 ? {} : { counter }),
  };
}

/** An event that waits, to which the next of its kind may be added. */
type Waiting =
  | { readonly type: "assign"; readonly assignments: Assignment[] }
  | { readonly type: "revoke"; readonly endpoints: string[] }
  | Exclude<AssignmentEvent, { type: "assign" | "revoke" }>;

/**
 * One instance's stream of assignments. Events are written in the order they were decided; while the instance reads
 * slowly they wait here.
 */
class Stream {
  readonly #write: Write;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  constructor(write: Write) {
    this.#write = write;
  }

  assign(device: Device): void {
    const last = this.#waiting.at(-1);
    if (last?.type === "assign" && last.assignments.length < BATCH) last.assignments.push(assignmentOf(device));
    else this.push({ type: "assign", assignments: [assignmentOf(device)] });
  }

  revoke(endpoint: string): void {
    const last = this.#waiting.at(-1);
    if (last?.type === "revoke" && last.endpoints.length < BATCH) last.endpoints.push(endpoint);
    else this.push({ type: "revoke", endpoints: [endpoint] });
  }

  push(event: Waiting): void {
    this.#waiting.push(event);
    this.#writing ??= this.#drain();
  }

  /** Resolves when what was pushed has gone out. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #drain(): Promise<void> {
    // What is pushed in the same turn of the event loop goes out in one write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const events = this.#waiting;
      this.#waiting = [];
      // An instance that has gone lets the write resolve at once; its stream is closed by its own signal.
      await this.#write(...events);
    }
    this.#writing = undefined;
  }
}

/** What {@link Feed.open} opens a stream with. */
export interface Opening {
  readonly id: string;
  readonly write: Write;
  readonly signal: AbortSignal;
  /** What the instance has to know before the first device. */
  readonly preface: readonly Exclude<AssignmentEvent, { type: "assign" | "revoke" }>[];
  /** All devices; looked at in slices, so each is told as it is when its turn comes. */
  readonly devices: Iterable<Device | undefined>;
  /** Which of them the instance is to serve. */
  readonly isTheirs: (device: Device) => boolean;
  readonly breathe: () => Promise<void>;
}

/** The streams of assignments of all instances that have one open. */
export class Feed {
  readonly #streams: Map<string, Stream> = new Map();

  /**
   * Opens an instance's stream: the preface first, then its devices, then `synced`; what changes meanwhile keeps its
   * place. A stream that was open before is forgotten.
   */
  async open({ id, write, signal, preface, devices, isTheirs, breathe }: Opening): Promise<void> {
    if (signal.aborted) return;
    const stream = new Stream(write);
    const gone = (): boolean => this.#streams.get(id) !== stream;
    this.#streams.set(id, stream);
    signal.addEventListener("abort", () => {
      if (!gone()) this.forget(id);
    });
    for (const event of preface) stream.push(event);
    const slices = new Slices(breathe);
    let told = 0;
    for (const device of devices) {
      if (slices.spend(1)) await slices.rest();
      if (gone()) return;
      if (device === undefined || !isTheirs(device)) continue;
      stream.assign(device);
      if (++told % BATCH === 0) await stream.settled();
    }
    if (!gone()) stream.push({ type: "synced" });
  }

  /** Forgets a stream, so that nothing waits for an instance that does not read. */
  forget(id: string): void {
    this.#streams.delete(id);
  }

  /** Gives a device to an instance. */
  assign(id: string | undefined, device: Device): void {
    if (id !== undefined) this.#streams.get(id)?.assign(device);
  }

  /** Takes a device from an instance. */
  revoke(id: string | undefined, endpoint: string): void {
    if (id !== undefined) this.#streams.get(id)?.revoke(endpoint);
  }

  /** Takes a device from all instances: any may have asked for it. */
  revokeFromAll(endpoint: string): void {
    for (const stream of this.#streams.values()) stream.revoke(endpoint);
  }

  /** Tells all instances. */
  tellAll(event: Opening["preface"][number]): void {
    for (const stream of this.#streams.values()) stream.push(event);
  }
}
