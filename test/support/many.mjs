// Runs the command line several times in this one process, as starting it for each would cost more than it does: argument
// lists as JSON on stdin, what came of each on stdout.
import { readFileSync } from "node:fs";
import { main } from "../../dist/cli/main.js";

const write = { stdout: process.stdout.write, stderr: process.stderr.write };
const results = [];
for (const args of JSON.parse(readFileSync(0, "utf8"))) {
  const result = { code: 0, stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"]) {
    process[stream].write = (text) => {
      result[stream] += text;
      return true;
    };
  }
  process.exitCode = undefined;
  result.code = await main(args);
  results.push(result);
}
Object.assign(process.stdout, { write: write.stdout });
process.exitCode = 0;
process.stdout.write(JSON.stringify(results));
