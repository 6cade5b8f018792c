import { type ChildProcess, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { join } from "node:path";
import { BerthError } from "../lib/errors.ts";
import { type ControlClient, pause } from "../net/index.ts";

/** The command line that started this process, to start others of the same program. */
const PROGRAM = [...process.execArgv, process.argv[1] ?? ""];
const READY_WITHIN = 60_000;
const STOP_WITHIN = 10_000;

/** Runs other Berth commands as processes of their own, and ends them by their own pid. */
export class Supervisor {
  readonly #children: Map<string, ChildProcess> = new Map();
  readonly #logs: string | undefined;

  /** @param logs folder for the processes' logs; on this process's stderr if absent */
  constructor(logs?: string) {
    this.#logs = logs;
  }

  /** Starts `berth ...args`. `name` also names its log. */
  start(name: string, args: readonly string[]): void {
    const stderr = this.#logs === undefined ? "inherit" : openSync(join(this.#logs, `${name}.log`), "a");
    // Its own process group: Ctrl-C reaches this process only, which then stops the others in order. The channel tells
    // the other when this process is gone without having said so.
    const child = spawn(process.execPath, [...PROGRAM, ...args], { stdio: ["ignore", "ignore", stderr, "ipc"], detached: true });
    this.#children.set(name, child);
  }

  /** Starts another program, which goes on in the foreground, in the same way. */
  startProgram(name: string, command: string, args: readonly string[]): void {
    const output = this.#logs === undefined ? "inherit" : openSync(join(this.#logs, `${name}.log`), "a");
    const child = spawn(command, args, { stdio: ["ignore", output, output], detached: true });
    // A program that is not there has ended.
    child.on("error", () => {});
    this.#children.set(name, child);
  }

  /** Whether a process that was started is over. */
  hasEnded(name: string): boolean {
    const child = this.#children.get(name);
    return child?.pid === undefined || child.exitCode !== null || child.signalCode !== null;
  }

  /** Sends a signal to a process. */
  signal(name: string, signal: NodeJS.Signals): void {
    this.#children.get(name)?.kill(signal);
  }

  /** Waits for `ready` to say yes. @throws BerthError if a process ends before, or it takes a minute */
  async until(ready: () => Promise<boolean>): Promise<void> {
    for (const deadline = Date.now() + READY_WITHIN; Date.now() < deadline; await pause(50)) {
      for (const [name, { exitCode, signalCode }] of this.#children) {
        if (exitCode === null && signalCode === null) continue;
        const where = this.#logs === undefined ? "" : `; see ${join(this.#logs, `${name}.log`)}`;
        throw new BerthError(
          "process-ended",
          `${name} ended while starting, with ${signalCode ?? `exit code ${exitCode}`}${where}`,
        );
      }
      if (await ready()) return;
    }
    throw new BerthError("not-ready", `not everything was up within ${READY_WITHIN / 1000} s`);
  }

  /** Resolves when a process ends that was not stopped, with its name. */
  ended(): Promise<string> {
    return new Promise((resolve) => {
      for (const [name, child] of this.#children) child.once("exit", () => resolve(name));
    });
  }

  /** Stops everything and waits for it to end: what was started first last, as the others take leave of it. */
  async stop(): Promise<void> {
    const [first, ...others] = this.#children.values();
    await Promise.all(others.map(end));
    if (first !== undefined) await end(first);
    this.#children.clear();
  }
}

function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const force = setTimeout(() => child.kill("SIGKILL"), STOP_WITHIN);
    child.once("exit", () => {
      clearTimeout(force);
      resolve();
    });
    child.kill("SIGTERM");
  });
}

/** Whether the balancer answers. */
export async function isUp(client: ControlClient): Promise<boolean> {
  try {
    return (await client.call("health", {})).status === "ok";
  } catch {
    return false;
  }
}

/** Whether so many instances are registered and alive. */
export async function areUp(client: ControlClient, count: number): Promise<boolean> {
  const { instances } = await client.call("instances", {});
  return instances.filter(({ state }) => state !== "lost" && state !== "left").length >= count;
}
