// Runs node:test over test/**/*.test.ts through tsx. Arguments narrow it: `npm test -- naming dns/wire`.
// `npm run peers` runs the *.peer.ts instead: other projects' clients, which have to be downloaded or built.
// With BERTH_NO_SKIP=1, where every tool is installed, a skipped test is a failure.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const peers = process.argv.includes("--peers");
const wanted = process.argv.slice(2).filter((argument) => argument !== "--peers");
const files = readdirSync("test", { recursive: true })
  .map((name) => join("test", String(name)))
  .filter((name) => name.endsWith(peers ? ".peer.ts" : ".test.ts"))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(" ")}`);
  process.exit(1);
}
const run = (...args) => {
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
};
// These start processes, which run what is in dist/.
if (files.some((name) => /^test.(e2e|cli|fuzz|peers)\b/.test(name))) run("scripts/build.mjs");
const reporters = ["--test-reporter=spec", "--test-reporter-destination=stdout"];
if (process.env.BERTH_NO_SKIP) reporters.push("--test-reporter=./scripts/no-skip.mjs", "--test-reporter-destination=stdout");
run("--expose-gc", "--import", "tsx", "--test", "--test-concurrency=2", ...reporters, ...files);
