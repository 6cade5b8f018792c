import assert from "node:assert/strict";
import type { SecurityEntry, SecurityStore, Undo } from "../../src/bootstrap/index.ts";
import { toHex } from "../../src/lib/bytes.ts";
import { decodeContent, resourceValue } from "../../src/lwm2m/index.ts";
import { PROFILE, World, type WorldOptions } from "./lockstep.ts";

/** One server whose key is made on the spot. */
export const FRESH: Readonly<Record<string, unknown>> & { readonly servers: readonly Readonly<Record<string, unknown>>[] } = {
  ...PROFILE,
  servers: [
    {
      uri: "coaps://lwm2m.example.com:5684",
      shortServerId: 101,
      security: { mode: "fresh-psk", identity: "{endpoint}", securityStore: "main" },
    },
  ],
};

/** A security store that answers when the test says so, and writes down what it is asked. */
export class Shelf implements SecurityStore {
  readonly lines: string[] = [];
  /** Whether it answers at once. */
  prompt = true;
  failure: Error | undefined;
  undoFailure: Error | undefined;
  /** Whether a call that is ended early ends. */
  obedient = true;
  held: SecurityEntry | undefined;
  readonly #waiting: (() => void)[] = [];

  async put(entry: SecurityEntry, signal?: AbortSignal): Promise<Undo> {
    this.lines.push(`put ${entry.endpoint}`);
    await this.#turn(signal);
    if (this.failure !== undefined) throw this.failure;
    const before = this.held;
    this.held = entry;
    return async () => {
      this.lines.push(`undo ${entry.endpoint}`);
      await this.#turn();
      if (this.undoFailure !== undefined) throw this.undoFailure;
      this.held = before;
    };
  }

  /** Answers the calls that wait. */
  answers(): void {
    for (const answer of this.#waiting.splice(0)) answer();
  }

  #turn(signal?: AbortSignal): Promise<void> {
    if (this.prompt) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      if (this.obedient) signal?.addEventListener("abort", () => reject(new Error("ended early")));
    });
  }
}

export function worldWith(stores: Record<string, SecurityStore>, options: WorldOptions = {}): World {
  return new World({
    profiles: { default: FRESH },
    ...options,
    service: { ...options.service, securityStores: new Map(Object.entries(stores)) },
  });
}

/** Lets promises that are done run what waits for them. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** The key in a write of /0/10, in TLV. */
export function keyIn(payload: Uint8Array): string {
  const [instance] = decodeContent(11542, [0, 10], payload);
  assert.ok(instance !== undefined);
  return toHex(resourceValue(instance, 5, "opaque") ?? new Uint8Array());
}
