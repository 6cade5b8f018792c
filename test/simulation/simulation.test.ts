import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../support/program.ts";
import { simulate } from "./command.ts";
import { INVARIANTS } from "./invariants.ts";
import { SABOTAGE } from "./sabotage.ts";

interface Ran {
  readonly code: number;
  readonly out: string[];
  readonly err: string[];
}

async function ran(args: string, tamper?: (typeof SABOTAGE)["found"]): Promise<Ran> {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await simulate(args.split(" "), { out: (line) => out.push(line), err: (line) => err.push(line) }, tamper);
  return { code, out, err };
}

/** All of the summary but how long it took. */
function figures({ out }: Ran): Record<string, unknown> {
  return { ...JSON.parse(out.at(-1) ?? ""), seconds: 0 };
}

test("a small day: all complete, no invariant breaks, and the same seed gives the same day", async () => {
  const first = await ran("--devices 500 --epochs 3 --seed 31 --json");
  assert.equal(first.code, 0, first.err.join("\n"));
  assert.match(first.err[0] ?? "", /500 devices, 3 epochs, seed 31/);
  const { broken, completed, rearmed, crashed, paused, balancerRestarts } = figures(first) as Record<string, number>;
  assert.equal(broken, null);
  assert.ok((rearmed ?? 0) > 0 && (crashed ?? 0) > 0 && (paused ?? 0) > 0 && (balancerRestarts ?? 0) > 0, "little happened");
  assert.equal(completed, 500 + (rearmed ?? 0));
  assert.deepEqual(figures(await ran("--devices 500 --epochs 3 --seed 31 --json")), figures(first));
  assert.notDeepEqual(figures(await ran("--devices 500 --epochs 3 --seed 32 --json")), figures(first));
});

for (const [name, sabotage] of Object.entries(SABOTAGE)) {
  test(`a balancer that is spoiled breaks an invariant, which is named: ${name}`, async () => {
    const args = "--devices 500 --epochs 3 --seed 5";
    const { code, out, err } = await ran(`${args} --json`, sabotage);
    assert.equal(code, 1);
    assert.equal(JSON.parse(out.at(-1) ?? "").broken, name, err.join("\n"));
    assert.ok(
      err.some((line) => line.includes(INVARIANTS[name as keyof typeof INVARIANTS])),
      err.join("\n"),
    );
    assert.ok(
      err.some((line) => line.includes(args)),
      "how to run it again",
    );
  });
}

test("wrong usage is told, with exit code 2", async () => {
  for (const args of ["--devices 0", "--devices many", "--epochs 1.5", "--seed -1", "--speed 3", "more"]) {
    const { code, out, err } = await ran(args);
    assert.deepEqual([code, out.length, err.length], [2, 0, 1], args);
  }
  const help = await ran("--help");
  assert.equal(help.code, 0);
  for (const flag of ["--devices", "--epochs", "--seed", "--json"]) assert.match(help.out.join("\n"), new RegExp(flag));
});

test("as a program: the summary is the last line of stdout, and the exit code counts", async () => {
  const program = ["--import", "tsx", "test/simulation/main.ts"];
  const good = await run(process.execPath, [...program, ..."--devices 50 --epochs 1 --seed 3 --json".split(" ")]);
  assert.equal(good.code, 0, good.stderr);
  assert.equal(JSON.parse(good.stdout.trim().split("\n").at(-1) ?? "").broken, null);
  assert.equal((await run(process.execPath, [...program, "--devices", "none"])).code, 2);
});
