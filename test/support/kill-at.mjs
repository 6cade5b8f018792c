// Loaded into a process under test (`node --import`): kills it with SIGKILL at the BERTH_TEST_KILL_AT-th call that changes
// something in the folder BERTH_TEST_KILL_IN; when that call writes, in the middle of the writing.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const nth = Number(process.env.BERTH_TEST_KILL_AT);
const folder = process.env.BERTH_TEST_KILL_IN;
const opened = new Map();
let calls = 0;

const kill = () => {
  process.kill(process.pid, "SIGKILL");
  // The signal arrives some instructions later; none of them are to be of the process.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
};

for (const name of ["rmSync", "openSync", "fchmodSync", "writeFileSync", "fsyncSync", "closeSync", "renameSync"]) {
  const original = fs[name];
  fs[name] = (target, ...rest) => {
    const path = opened.get(target) ?? String(target);
    const counts = path === folder || path.startsWith(`${folder}/`);
    if (counts && ++calls === nth) {
      if (name === "writeFileSync") original(target, String(rest[0]).slice(0, String(rest[0]).length / 2));
      kill();
    }
    const result = original(target, ...rest);
    if (name === "openSync" && counts) opened.set(result, path);
    if (name === "closeSync") opened.delete(target);
    return result;
  };
}
syncBuiltinESMExports();
