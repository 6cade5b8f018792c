import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

/**
 * `npm run bench`, `npm run bench -- NAME [flags]`. Each `bench/NAME.bench.ts` exports
 * `run(args): Promise<Record<string, unknown>>`, prints for people on stderr and returns its figures; with
 * `--json` the figures are one JSON object on the last line of stdout. All benches together run each in a process of
 * its own, so that none measures the memory of those before it.
 */
interface Bench {
  run(args: readonly string[]): Promise<Record<string, unknown>>;
}

const args = process.argv.slice(2);
const known = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith(".bench.ts"))
  .map((name) => name.replace(".bench.ts", ""))
  .sort();
const named = args[0] !== undefined && !args[0].startsWith("-") ? args.shift() : undefined;
if (named !== undefined && !known.includes(named)) {
  console.error(`no bench "${named}"; there are: ${known.join(", ")}`);
  process.exit(2);
}
const flags = args.filter((arg) => arg !== "--json");

/** The figures of one bench, from a process of its own. */
function apart(name: string): unknown {
  const command = [...process.execArgv, process.argv[1] ?? "", name, ...flags, "--json"];
  const { status, stdout } = spawnSync(process.execPath, command, { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });
  if (status !== 0) process.exit(status ?? 1);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}

async function here(name: string): Promise<unknown> {
  console.error(`\n== ${name}`);
  const bench = (await import(`./${name}.bench.ts`)) as Bench;
  return bench.run(flags);
}

const figures = named === undefined ? Object.fromEntries(known.map((name) => [name, apart(name)])) : await here(named);
console.log(args.includes("--json") ? JSON.stringify(figures) : JSON.stringify(figures, null, 2));
