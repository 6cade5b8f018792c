#!/usr/bin/env node
import { main } from "../dist/cli/main.js";

// Whoever read the output has had enough, as in `berth devices | head`: that is no fault.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error) => {
    if (error.code !== "EPIPE") throw error;
    if (stream === process.stdout) process.exit(0);
  });
}
process.exitCode = await main(process.argv.slice(2));
