import type { Zone, ZoneContents } from "../dns/index.ts";
import { wholeZone } from "./transfer-bodies.ts";

/** So many states of the zone are kept for transfers under way; each has the size of the zone on the wire. */
const MOST = 2;

/** The zone at one serial, as messages: made once, as far as somebody has asked for them. */
class Snapshot {
  readonly serial: number;
  readonly #made: Uint8Array[] = [];
  readonly #rest: Iterator<Uint8Array>;
  readers = 0;

  constructor(zone: Zone, serial: number, contents: ZoneContents) {
    this.serial = serial;
    this.#rest = wholeZone(zone, serial, contents.entries());
  }

  /** The message with this number; undefined behind the last. */
  message(index: number): Uint8Array | undefined {
    while (index >= this.#made.length) {
      const { value, done } = this.#rest.next();
      if (done === true) return undefined;
      this.#made.push(value);
    }
    return this.#made[index];
  }

  /** Makes all that is left. */
  finish(): void {
    while (this.message(this.#made.length) !== undefined);
  }
}

/** What goes out to who transfers the zone whole, while it goes on changing. All who begin at one serial share the work. */
export class Snapshots {
  readonly #zone: Zone;
  /** Oldest first. */
  #alive: readonly Snapshot[] = [];

  constructor(zone: Zone) {
    this.#zone = zone;
  }

  /**
   * The zone whole, at one serial: the present one, or, where too many are under way already, that of the youngest of these.
   * @returns the serial, and its messages, which can be drawn whenever there is time
   */
  begin(serial: number, contents: ZoneContents): { readonly serial: number; readonly messages: Iterable<Uint8Array> } {
    let snapshot = this.#alive.at(-1);
    if (snapshot === undefined || (snapshot.serial !== serial && this.#alive.length < MOST)) {
      snapshot = new Snapshot(this.#zone, serial, contents);
      this.#alive = [...this.#alive, snapshot];
    }
    return { serial: snapshot.serial, messages: this.#read(snapshot) };
  }

  /** To be called before names change: what is under way is made ready. */
  settle(): void {
    for (const snapshot of this.#alive) snapshot.finish();
  }

  *#read(snapshot: Snapshot): Generator<Uint8Array> {
    snapshot.readers++;
    try {
      for (let index = 0; ; index++) {
        const message = snapshot.message(index);
        if (message === undefined) return;
        yield message;
      }
    } finally {
      snapshot.readers--;
      if (snapshot.readers === 0) this.#alive = this.#alive.filter((other) => other !== snapshot);
    }
  }
}
