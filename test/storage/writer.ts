// A process of its own for the tests of crashes: opens the folder in its first argument and commits until it is killed,
// or, told `fill`, until the database refuses. It reports each commit on a line of its own, after the commit.
import { openStorage } from "../../src/storage/index.ts";
import { box, device, NOW, progress } from "./samples.ts";

const [folder = "", task] = process.argv.slice(2);
const BATCH = 40;
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const storage = await openStorage({ kind: "pglite", folder }, box);
say("open");
const attributes = task === "fill" ? { ballast: "x".repeat(10_000) } : {};
try {
  for (let start = (await storage.devices.countByState()).commenced; task !== "hold"; start += BATCH) {
    const numbers = Array.from({ length: BATCH }, (_, index) => start + index);
    const mark = { instance: "bs-1", bootId: "x", sequence: start + BATCH, updatedAt: NOW };
    await storage.devices.import(
      numbers.map((number) => device(number, { attributes })),
      NOW,
    );
    await storage.devices.saveProgress(
      numbers.map((number) => progress(number)),
      [mark],
    );
    say(String(start + BATCH));
  }
  // Held open until the process is killed.
  setInterval(() => {}, 1000);
} catch (error) {
  say(`refused ${(error as { code: string }).code}`);
  const counts = await storage.devices.countByState().catch((problem: { code: string }) => problem.code);
  say(`then ${JSON.stringify(counts)}`);
  await storage.close();
}
