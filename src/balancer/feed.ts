import type { Assignment, AssignmentEvent } from "../control/index.ts";
import type { Device } from "./device.ts";

/** Writes events to an instance; resolves when there is room for more. */
type Write = (...events: readonly AssignmentEvent[]) => Promise<void>;

/** Devices in one `assign` event of the opening snapshot. */
const BATCH = 200;

/** What an instance is told of a device. */
export function assignmentOf(device: Device): Assignment {
  const { endpoint, identity, psk, secret, profile, attributes } = device;
  return { endpoint, identity, psk, profile, attributes, ...(secret === undefined ? {} : { secret }) };
}

/**
 * One instance's stream of assignments. Events are written in the order they were decided; while the instance reads
 * slowly they wait here.
 */
class Stream {
  readonly #write: Write;
  #waiting: AssignmentEvent[] = [];
  #writing: Promise<void> | undefined;

  constructor(write: Write) {
    this.#write = write;
  }

  push(event: AssignmentEvent): void {
    const last = this.#waiting.at(-1);
    if (event.type === "assign" && last?.type === "assign" && last.assignments.length < BATCH) {
      this.#waiting[this.#waiting.length - 1] = { type: "assign", assignments: [...last.assignments, ...event.assignments] };
    } else this.#waiting.push(event);
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

/** The streams of assignments of all instances that have one open. */
export class Feed {
  readonly #streams: Map<string, Stream> = new Map();

  /**
   * Opens an instance's stream: `opening` first, then its devices, then `synced`; what changes meanwhile keeps its place.
   * A stream that was open before is forgotten.
   * @param devices those assigned to it; read in slices, so each is told as it is when its turn comes
   */
  async open(
    id: string,
    write: Write,
    signal: AbortSignal,
    opening: readonly AssignmentEvent[],
    devices: Iterable<Device>,
    breathe: () => Promise<void>,
  ): Promise<void> {
    const stream = new Stream(write);
    this.#streams.set(id, stream);
    signal.addEventListener("abort", () => {
      if (this.#streams.get(id) === stream) this.#streams.delete(id);
    });
    for (const event of opening) stream.push(event);
    let batch: Assignment[] = [];
    for (const device of devices) {
      batch.push(assignmentOf(device));
      if (batch.length < BATCH) continue;
      stream.push({ type: "assign", assignments: batch });
      batch = [];
      await stream.settled();
      await breathe();
      if (signal.aborted) return;
    }
    stream.push({ type: "assign", assignments: batch });
    stream.push({ type: "synced" });
  }

  /** Tells one instance, if its stream is open. */
  tell(id: string, event: AssignmentEvent): void {
    this.#streams.get(id)?.push(event);
  }

  /** Tells all instances. */
  tellAll(event: AssignmentEvent): void {
    for (const stream of this.#streams.values()) stream.push(event);
  }
}
