import { readdirSync } from "node:fs";

/**
 * `npm run bench`, `npm run bench -- NAME [flags]`. Each `bench/NAME.bench.ts` exports
 * `run(args): Promise<Record<string, unknown>>`, prints for people on stderr and returns its figures; with
 * `--json` the figures are one JSON object on the last line of stdout.
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
const figures: Record<string, unknown> = {};
for (const name of named === undefined ? known : [named]) {
  console.error(`\n== ${name}`);
  const bench = (await import(`./${name}.bench.ts`)) as Bench;
  figures[name] = await bench.run(flags);
}
const result = named === undefined ? figures : figures[named];
console.log(args.includes("--json") ? JSON.stringify(result) : JSON.stringify(result, null, 2));
