// Compiles src/ to dist/. Run by `npm ci` (prepare), and before tests that start processes, which run what is in dist/.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));
// Incremental, so that files that did not change are not written under a process that is just starting.
const incremental = ["--incremental", "--tsBuildInfoFile", join("dist", ".tsbuildinfo")];
const command = [join(typescript, "bin", "tsc"), "-p", "tsconfig.build.json", ...incremental];
const { status } = spawnSync(process.execPath, command, { stdio: "inherit" });
process.exit(status ?? 1);
