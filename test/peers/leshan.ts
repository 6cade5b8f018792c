import { existsSync, mkdirSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../support/program.ts";
import { needs } from "../support/tools.ts";

/** For `{ skip: noLeshan }`: what to install. */
export const noLeshan: string | false = needs("mvn", "maven") || needs("javac", "default-jdk-headless");

const SOURCES = fileURLToPath(new URL("leshan", import.meta.url));
/** Kept between runs, as it takes Maven a while to get it. */
const BUILD = resolve("node_modules/.cache/leshan-peer");
const LIBRARIES = join(BUILD, "lib");

/** Gets Leshan from Maven Central and compiles `LeshanPeer.java` with it. */
export async function buildLeshan(): Promise<void> {
  mkdirSync(BUILD, { recursive: true });
  if (!existsSync(LIBRARIES)) {
    await mustRun("mvn", ["-q", "-B", "-f", SOURCES, "dependency:copy-dependencies", `-DoutputDirectory=${LIBRARIES}`]);
  }
  await mustRun("javac", ["-cp", join(LIBRARIES, "*"), "-d", BUILD, join(SOURCES, "LeshanPeer.java")]);
}

/** Lets Leshan's client bootstrap; what it printed, by path. Keys are hex. */
export async function leshan(...args: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const output = await mustRun("java", ["-cp", [BUILD, join(LIBRARIES, "*")].join(delimiter), "LeshanPeer", ...args]);
  const lines = output.split("\n").filter((line) => line.includes(" = "));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(" = ")), line.slice(line.indexOf(" = ") + 3)]));
}

async function mustRun(command: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(command, args);
  if (code !== 0) throw new Error(`${command}: ${stderr}${stdout}`);
  return stdout;
}
