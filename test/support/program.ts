import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "./until.ts";

/** The program as a user starts it; it runs what is in dist/. */
const BERTH: string = fileURLToPath(new URL("../../bin/berth.js", import.meta.url));

/** How a program ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a program is started. */
export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** What it reads on standard input; open until the test writes more where absent. */
  readonly input?: string;
  /** How bytes it writes become text: `latin1` keeps them apart. */
  readonly encoding?: "utf8" | "latin1";
}

const alive: Set<ChildProcess> = new Set();
process.on("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

/** A program that runs, with what it has written. It does not outlive the test file. */
export class Program {
  readonly #child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";

  constructor(command: string, args: readonly string[], { env, cwd, input, encoding = "utf8" }: ProgramOptions = {}) {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    alive.add(child);
    child.stdout.setEncoding(encoding).on("data", (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding(encoding).on("data", (text: string) => {
      this.stderr += text;
    });
    // One that ends before it has read everything is no fault of the test.
    child.stdin.on("error", () => {});
    if (input !== undefined) child.stdin.end(input);
    this.ended = once(child, "close").then(([code]) => {
      alive.delete(child);
      return { code: code as number | null, stdout: this.stdout, stderr: this.stderr };
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Writes to its standard input. */
  write(bytes: Uint8Array): void {
    this.#child.stdin?.write(bytes);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it, at once if it does not end when asked, and gives what it wrote. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Ended> {
    const force = setTimeout(() => this.#child.kill("SIGKILL"), 15_000);
    this.#child.kill(signal);
    const ended = await this.ended;
    clearTimeout(force);
    return ended;
  }

  /** Waits until it has written something, on stdout or stderr. */
  async says(pattern: RegExp, seconds: number = 60): Promise<void> {
    await until(
      () => {
        if (pattern.test(this.stdout) || pattern.test(this.stderr)) return true;
        if (this.#child.exitCode !== null) throw new Error(`it ended without saying ${pattern}: ${this.stdout}${this.stderr}`);
        return false;
      },
      `${pattern}`,
      seconds,
    );
  }
}

/** Starts `berth ...args`. */
export function startBerth(args: readonly string[], options?: ProgramOptions): Program {
  return new Program(process.execPath, [BERTH, ...args], options);
}

/** Runs `berth ...args` to its end; at most three minutes. */
export async function berth(args: readonly string[], options?: ProgramOptions): Promise<Ended> {
  return run(process.execPath, [BERTH, ...args], options);
}

/** Runs `berth ...args` for each of several argument lists, one after the other in one process, which saves its start. */
export async function berthMany(lists: readonly (readonly string[])[]): Promise<Ended[]> {
  const driver = fileURLToPath(new URL("many.mjs", import.meta.url));
  const { code, stdout, stderr } = await run(process.execPath, [driver], { input: JSON.stringify(lists) });
  if (code !== 0) throw new Error(`many.mjs: ${stderr}`);
  return JSON.parse(stdout) as Ended[];
}

/** Runs a program to its end; at most three minutes. */
export async function run(command: string, args: readonly string[], options: ProgramOptions = {}): Promise<Ended> {
  const program = new Program(command, args, { input: "", ...options });
  const tooLong = setTimeout(() => program.kill("SIGKILL"), 180_000);
  const ended = await program.ended;
  clearTimeout(tooLong);
  return ended;
}
