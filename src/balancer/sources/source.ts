import type { DeviceInput } from "../../control/index.ts";
import { BerthError } from "../../lib/errors.ts";

/** Where the secrets of devices come from, beside what operators import (B1). */
export interface SecretSource {
  /** As the configuration calls it. */
  readonly name: string;
  /**
   * Asks for all devices there are.
   * @param previousTag that of the last answer, if all of it was taken
   * @throws BerthError where there is no whole answer that can be trusted; without a word of what was answered
   */
  poll(previousTag: string | undefined, signal: AbortSignal): Promise<SourceAnswer>;
  /** Closes what was opened. */
  close(): void;
}

/** What a source has. */
export type SourceAnswer =
  /** The same as when it gave the tag that it was asked with. */
  | { readonly unchanged: true }
  | {
      readonly unchanged: false;
      /** Stands for this answer; never to be shown, as it may be made of keys. */
      readonly tag?: string;
      readonly devices: readonly DeviceInput[];
      readonly rejected: readonly RejectedEntry[];
    };

/** An entry of a source that is no use, and why; its secrets are not told. */
export interface RejectedEntry {
  /** If that can be read at all: a device of this name is there, so it is not taken for one that has gone. */
  readonly endpoint?: string;
  readonly reason: string;
}

/**
 * A source failed (`source-failed`, a 5xx), refused to answer (`source-refused`), or answered what nobody can read
 * (`source-malformed`).
 */
export class SourceError extends BerthError {}
