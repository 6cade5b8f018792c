// Compiles src/ to dist/. Run by `npm ci` (prepare) and before the demo, so that `npx berth` runs what is in src/.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));
const { status } = spawnSync(process.execPath, [join(typescript, "bin", "tsc"), "-p", "tsconfig.build.json"], {
  stdio: "inherit",
});
process.exit(status ?? 1);
