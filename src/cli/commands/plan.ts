import { type Command, InvalidArgumentError } from "commander";
import type { InstancePlan, PlanReply } from "../../control/index.ts";
import { type ConnectOptions, connect } from "../connect.ts";
import { connectOptions } from "../options.ts";
import { print, say, table } from "../terminal.ts";

interface PlanOptions extends ConnectOptions {
  readonly without: readonly string[];
  readonly weight: Readonly<Record<string, number>>;
  readonly json?: true;
}

/** What each reason is to a person. */
const WORDS: Readonly<Record<PlanReply["reasons"][number]["reason"], string>> = {
  unserved: "their instance may not serve them (any more)",
  joined: "an instance is to get its share",
  levelled: "instances are levelled",
  dealt: "names are dealt anew, in turn",
  chosen: "your policy chose so",
  nobody: "nobody may serve them",
};

/** `berth plan`: what would change, before it does. */
export function addPlan(program: Command): void {
  connectOptions(program.command("plan"))
    .description("show which names the next regeneration would add, remove and move, without changing anything")
    .option("--without <id>", "instead: what would move at once if this instance were gone; may be repeated", collect, [])
    .option("--weight <id=n>", "instead: what would move at once if this instance had this weight; may be repeated", weigh, {})
    .option("--json", "print the plan as JSON")
    .action(async ({ without, weight, json, ...options }: PlanOptions) => {
      const client = connect(options);
      const plan = await client.call("plan", { body: { without, weights: weight } });
      client.close();
      if (json) return print(JSON.stringify(plan));
      if (plan.instances.length > 0) print(table(plan.instances.map(row)));
      for (const { reason, devices } of plan.reasons) print(`${devices} devices move: ${WORDS[reason]}`);
      say(`${summary(plan, without.length > 0 || Object.keys(weight).length > 0)}. Nothing was changed.`);
    });
}

function summary({ at, added, removed, moved }: PlanReply, supposed: boolean): string {
  if (supposed) return `${moved} devices would move at once`;
  const when = at === null ? "At the next rotation" : `At ${new Date(at).toISOString()}`;
  return `${when}: ${added} names added, ${moved} devices moved, ${removed} names removed by then`;
}

function row({ id, before, after, arriving, leaving, added, removed }: InstancePlan): Record<string, string | number> {
  return {
    instance: id,
    before,
    after,
    arriving,
    leaving,
    "names added": added,
    "names removed": removed,
  };
}

function collect(id: string, ids: readonly string[]): readonly string[] {
  return [...ids, id];
}

function weigh(text: string, weights: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const [, id, weight] = /^([^=]+)=(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  if (id === undefined) throw new InvalidArgumentError(`"${text}" is not ID=WEIGHT; write for example bs-1=2`);
  return { ...weights, [id]: Number(weight) };
}
