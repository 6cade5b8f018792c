import { type NameState, NameTable, readNameStates } from "../dns/index.ts";

/** What one step of the zone's serial changed. */
interface Delta {
  readonly from: number;
  /** Packed states that names had before; a name may stand in it more than once, then the first counts. */
  readonly before: Uint8Array;
}

/**
 * How names were before they changed, step by step of the zone's serial: with the zone as it is now that gives the
 * differences since any serial it goes back to (RFC 1995). It is bounded: what is too old is forgotten, and who is
 * behind that has to transfer the zone whole. It lives in memory only.
 */
export class Journal {
  /** Oldest first; each begins where the one before it ended. */
  #deltas: Delta[] = [];
  #bytes = 0;

  /** Bytes that it holds. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Remembers a step.
   * @param from the serial before it; that of the step before led there
   * @param before packed states that the names had which it changed, in the order they were changed
   * @param limit bytes that the journal may have with it; older steps are forgotten, and this one too if it alone has more
   */
  append(from: number, before: Uint8Array, limit: number): void {
    this.#deltas.push({ from, before });
    this.#bytes += before.length;
    let forgotten = 0;
    while (this.#bytes > limit) this.#bytes -= (this.#deltas[forgotten++] as Delta).before.length;
    if (forgotten > 0) this.#deltas = this.#deltas.slice(forgotten);
  }

  /** Forgets everything. */
  clear(): void {
    this.#deltas = [];
    this.#bytes = 0;
  }

  /**
   * How the names were at a serial that have been changed since, each name once, whatever befell it meanwhile (RFC 1995 section
   * 5: condensed). It may be that a name is as it was.
   * @returns undefined if it does not go back so far; the states are views
   */
  since(serial: number): Iterable<NameState> | undefined {
    const first = this.#deltas.findIndex(({ from }) => from === serial);
    return first < 0 ? undefined : condensed(this.#deltas.slice(first));
  }
}

function* condensed(deltas: readonly Delta[]): Generator<NameState> {
  const seen = new NameTable(0);
  for (const { before } of deltas) {
    for (const state of readNameStates(before)) {
      if (seen.find(state.name, state.name.length) >= 0) continue;
      seen.insert(state.name, state.name.length);
      yield state;
    }
  }
}
