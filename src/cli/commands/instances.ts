import type { Command } from "commander";
import type { AdmissionLoad, InstanceView, OverrideChange } from "../../control/index.ts";
import { BerthError, InvalidInput } from "../../lib/errors.ts";
import { type ControlClient, pause } from "../../net/index.ts";
import { type ConnectOptions, connect } from "../connect.ts";
import { connectOptions } from "../options.ts";
import { print, table } from "../terminal.ts";

/** How often it is asked whether an instance is drained, ms. */
const LOOK_EVERY = 1000;

/** `berth instances`: the instances and what they do; and what an operator has to say of them. */
export function addInstances(program: Command): void {
  const instances = connectOptions(program.command("instances"))
    .description("list the bootstrap server instances with their devices and load, or override one")
    .option("--json", "print them as JSON")
    .action(async (options: ConnectOptions & { json?: true }) => {
      const client = connect(options);
      const { instances } = await client.call("instances", {});
      client.close();
      if (options.json) return print(JSON.stringify(instances));
      if (instances.length === 0) return print("no instance has registered yet");
      print(table(instances.map(rowOf)));
    });
  connectOptions(instances.command("drain <id>"))
    .description("give an instance no names any more, and its pending devices to others; its sessions go on")
    .option("--wait", "return when it has no session and no resolver leads to it any more")
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<ConnectOptions & { wait?: true }>();
      await override(options, id, { draining: true }, async (client) => {
        if (options.wait) await untilDrained(client, id);
      });
    });
  connectOptions(instances.command("undrain <id>"))
    .description("let an instance have devices again")
    .action((id: string, _: unknown, command: Command) => override(command.optsWithGlobals(), id, { draining: false }));
  connectOptions(instances.command("weight <id> <n>"))
    .description("set how many devices an instance is to have relative to the others: 0 is none; auto, as declared or measured")
    .action((id: string, n: string, _: unknown, command: Command) =>
      override(command.optsWithGlobals(), id, { weight: parseWeight(n) }),
    );
}

async function override(
  options: ConnectOptions,
  id: string,
  body: OverrideChange,
  then: (client: ControlClient) => Promise<void> = async () => {},
): Promise<void> {
  const client = connect(options);
  try {
    const { instance, moved, warning } = await client.call("overrideInstance", { params: { id }, body });
    print(`${id} is ${instance.state}, weight ${weightText(instance)}; devices moved: ${moved}`);
    if (warning !== null) print(`warning: ${warning}`);
    await then(client);
  } finally {
    client.close();
  }
}

/** @throws BerthError if somebody ends it meanwhile */
async function untilDrained(client: ControlClient, id: string): Promise<void> {
  for (;;) {
    const { instances } = await client.call("instances", {});
    const state = instances.find((instance) => instance.id === id)?.state;
    if (state === "drained" || state === "left" || state === "lost") return print(`${id} is ${state}`);
    if (state !== "draining")
      throw new BerthError("not-draining", `${id} is ${state ?? "not known"}: it is not drained any more`);
    await pause(LOOK_EVERY);
  }
}

function parseWeight(text: string): number | null {
  if (text === "auto") return null;
  const weight = Number(text);
  if (text === "" || !(weight >= 0 && Number.isFinite(weight)))
    throw new InvalidInput(`weight: "${text}" is neither auto nor a number from 0 on`);
  return weight;
}

function rowOf(view: InstanceView): Readonly<Record<string, string | number>> {
  const { id, state, addresses, declared, pending, commenced, completed, load } = view;
  return {
    instance: id,
    state,
    address: [addresses.ipv4, addresses.ipv6, addresses.prefix].filter((address) => address !== undefined).join(" "),
    weight: weightText(view),
    region: declared.region ?? "-",
    pending,
    commenced,
    completed,
    sessions: load.sessions,
    admission: admissionText(load.admission),
    "turned away": load.admission.turnedAway,
    handshakes: load.handshakes,
    "cpu %": Math.round(load.cpu * 100),
  };
}

/** The weight in force; in brackets what it would be without an operator's word. */
function weightText({ declared: { weight = 1 }, override }: InstanceView): string {
  return override.weight === null ? String(weight) : `${override.weight} (${weight})`;
}

/** Whether it takes more, and how many new handshakes a second at most. */
function admissionText({ full, handshakesPerSecond }: AdmissionLoad): string {
  return `${full ? "full" : "open"}, ${Math.round(handshakesPerSecond)}/s`;
}
