// Loaded into a process under test (`node --import`), and so into its threads: Date.now() is off by as many milliseconds as the
// file BERTH_TEST_CLOCK says, which is read again every 200 ms.
import { readFileSync } from "node:fs";

const file = process.env.BERTH_TEST_CLOCK;
const real = Date.now;
let readAt = Number.NEGATIVE_INFINITY;
let shift = 0;

Date.now = () => {
  const now = real();
  if (now - readAt >= 200) {
    readAt = now;
    shift = Number(readFileSync(file, "utf8"));
  }
  return now + shift;
};
