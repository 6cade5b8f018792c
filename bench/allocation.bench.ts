import { parseArgs } from "node:util";
import { type BalancedFigures, measureBalanced } from "./allocation/balanced.ts";
import type { Stateless } from "./allocation/hashing.ts";
import { maglev } from "./allocation/maglev.ts";
import type { Figures } from "./allocation/measures.ts";
import { rendezvous } from "./allocation/rendezvous.ts";
import { ring } from "./allocation/ring.ts";
import { measureStateless, namesOf } from "./allocation/stateless.ts";

const NAMES = [10_000, 100_000, 1_000_000];
const INSTANCES = [3, 8, 64];
/** The balancer's policies, by the names of their figures. */
const POLICIES = { even: "even", roundRobin: "round-robin", leastConnections: "least-connections", weighted: "weighted" };
/** Allocations of the textbook, which remember nothing. */
const REFERENCES: Readonly<Record<string, Stateless>> = { rendezvous, maglev, ring };

/**
 * How even each allocation policy is, how many names move when one instance leaves and when it joins again, as a share of
 * all names, and the CPU time of the leave; for `--names N` (default 10^4, 10^5, 10^6) and `--instances N` (default 3, 8,
 * 64). Beside them what is in the textbooks, over the same names.
 *
 * Policies are measured through the whole balancer, from the word that the instance leaves to the last name in DNS;
 * with the textbook's nothing happens but that all homes are worked out anew. Weights are 1 to 4 in turn; the instance
 * that leaves has 1. Least connections is measured at rest, where it is even. All combinations take some five minutes,
 * most of it the start of twelve fleets of a million.
 */
export async function run(args: readonly string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({ args: [...args], options: { names: { type: "string" }, instances: { type: "string" } } });
  await measure(10_000, 3); // warms the compiler up
  const results: Combination[] = [];
  for (const names of values.names === undefined ? NAMES : [Number(values.names)]) {
    for (const instances of values.instances === undefined ? INSTANCES : [Number(values.instances)]) {
      const combination = await measure(names, instances);
      print(combination);
      results.push(combination);
    }
  }
  const [only] = results;
  return only !== undefined && results.length === 1 ? { ...only } : { combinations: results };
}

/** The figures of each policy and reference by its name, beside names and instances. */
interface Combination extends Record<string, number | Figures> {
  readonly names: number;
  readonly instances: number;
  readonly ideal: number;
}

async function measure(names: number, instances: number): Promise<Combination> {
  const figures: Record<string, Figures> = {};
  for (const [name, policy] of Object.entries(POLICIES)) figures[name] = await measureBalanced(policy, names, instances);
  const hashes = namesOf(names);
  for (const [name, reference] of Object.entries(REFERENCES))
    figures[name] = await measureStateless(reference, hashes, instances);
  return { names, instances, ideal: 1 / instances, ...figures };
}

function print({ names, instances, ideal, ...figures }: Combination): void {
  const row = (...cells: string[]): void =>
    console.error(`  ${cells.map((cell, place) => (place === 0 ? cell.padEnd(17) : cell.padStart(11))).join("")}`);
  console.error(`\n${names} names, ${instances} instances: the ideal is that ${percent(ideal)} of the names move`);
  row("", "max/mean", "leave", "join", "CPU ms", "stall ms");
  for (const [name, value] of Object.entries(figures)) {
    if (typeof value === "number") continue;
    const { maxOverMean, movedOnLeave, movedOnJoin, ms } = value;
    const { longestStallMs = "", ideal: own = ideal } = value as Partial<BalancedFigures>;
    const note = own === ideal ? [] : [`  (ideal ${percent(own)})`];
    row(name, maxOverMean.toFixed(5), percent(movedOnLeave), percent(movedOnJoin), ms.toFixed(1), `${longestStallMs}`, ...note);
  }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(3)} %`;
}
