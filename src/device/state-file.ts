import { closeSync, fchmodSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { BerthError, errorText } from "../lib/errors.ts";
import type { DeviceState, DeviceStore } from "./state.ts";
import { parseState, stateText } from "./state-text.ts";

/** A state file cannot be read, or what is in it is damaged. Code `state-unreadable`. */
export class StateUnreadable extends BerthError {
  constructor(message: string) {
    super("state-unreadable", message);
  }
}

/** A state file cannot be written; there still is what was there before. Code `state-not-saved`. */
export class StateNotSaved extends BerthError {
  constructor(message: string) {
    super("state-not-saved", message);
  }
}

/** A device's state in a file, keys and all: readable by its owner only. One process at a time may use it. */
export class StateFile implements DeviceStore {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * What was saved last; undefined where there is no such file.
   * @throws StateUnreadable for one that is not as it was saved; it is left as it is
   */
  load(): DeviceState | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw new StateUnreadable(`${this.#path}: ${errorText(error)}`);
    }
    try {
      return parseState(text, this.#path);
    } catch (error) {
      if (!(error instanceof BerthError)) throw error;
      throw new StateUnreadable(`${error.message}; move the file away to start as the device left the factory`);
    }
  }

  /**
   * Writes another file, makes sure that it is on the disk, and gives it the name: whenever the power fails, there is the
   * old state or the new one.
   * @throws StateNotSaved
   */
  save(state: DeviceState): void {
    const folder = dirname(this.#path);
    const next = join(folder, `.${basename(this.#path)}.new`);
    try {
      // What a loss of power has left behind; and a file made here belongs to this user, whatever was there.
      rmSync(next, { force: true });
      withDescriptor(next, "wx", (descriptor) => {
        fchmodSync(descriptor, 0o600);
        writeFileSync(descriptor, stateText(state));
        fsyncSync(descriptor);
      });
      renameSync(next, this.#path);
      syncFolder(folder);
    } catch (error) {
      discard(next);
      throw new StateNotSaved(`${this.#path}: ${errorText(error)}`);
    }
  }
}

/** Room on a full disk; if there is more wrong, the first error says it. */
function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {}
}

/** The new name is in the folder, which has to be on the disk as well. Windows has no such thing. */
function syncFolder(folder: string): void {
  if (process.platform !== "win32") withDescriptor(folder, "r", fsyncSync);
}

function withDescriptor(path: string, flags: string, use: (descriptor: number) => void): void {
  const descriptor = openSync(path, flags, 0o600);
  try {
    use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
