import { type Command, Option } from "commander";
import { DEVICE_STATES, type DeviceState, type DeviceView } from "../../control/index.ts";
import { formatDuration } from "../../lib/duration.ts";
import { InvalidInput } from "../../lib/errors.ts";
import { type ConnectOptions, connect } from "../connect.ts";
import { parseLimit } from "../numbers.ts";
import { connectOptions } from "../options.ts";
import { print, say, table } from "../terminal.ts";

interface DevicesOptions extends ConnectOptions {
  readonly state?: DeviceState;
  readonly limit: number;
  readonly names?: true;
  readonly history?: true;
  readonly json?: true;
}

/** `berth devices`: the devices and where they stand. */
export function addDevices(program: Command): void {
  connectOptions(program.command("devices"))
    .description("list devices with their state, or show those named")
    .argument("[endpoint...]", "endpoint client names")
    .addOption(new Option("--state <state>", "only those in this state").choices(DEVICE_STATES))
    .option("--limit <n>", "at most so many", parseLimit, 50)
    .option("--names", "show the live temporary host names too; they are secrets")
    .option("--history", "show the last bootstraps of the devices named")
    .option("--json", "print them as JSON")
    .action(async (endpoints: string[], options: DevicesOptions) => {
      const names = options.names === true;
      const history = options.history === true;
      if (history && endpoints.length === 0) throw new InvalidInput("--history: name the devices whose bootstraps it is to show");
      const client = connect(options);
      const devices: DeviceView[] = [];
      for (const endpoint of endpoints)
        devices.push(await client.call("device", { params: { endpoint }, query: { names, history } }));
      if (endpoints.length === 0) {
        let after: string | null = "";
        while (after !== null && devices.length < options.limit) {
          const limit = Math.min(1000, options.limit - devices.length);
          const query = {
            limit,
            names,
            ...(options.state === undefined ? {} : { state: options.state }),
            ...(after === "" ? {} : { after }),
          };
          const page: { devices: readonly DeviceView[]; next: string | null } = await client.call("devices", { query });
          devices.push(...page.devices);
          after = page.next;
        }
      }
      const status = await client.call("status", {});
      client.close();
      if (options.json) return print(JSON.stringify(devices));
      if (devices.length > 0) print(table(devices.map(row)));
      const past = devices.flatMap(pastRows);
      if (history && past.length > 0) print(`\n${table(past)}`);
      for (const warning of status.warnings) say(`warning: ${warning}`);
      for (const { what, explanation } of status.held) say(`held: ${what}: ${explanation}; see berth confirm`);
      const { pending, commenced, completed } = status.devices;
      say(`${devices.length} shown; in all ${pending} pending, ${commenced} commenced, ${completed} completed`);
    });
}

/** One line for each bootstrap. */
function pastRows({ endpoint, history = [] }: DeviceView): Record<string, string>[] {
  return history.map(({ at, instance, name, duration, outcome }) => ({
    endpoint,
    commenced: new Date(at).toISOString(),
    instance: instance ?? "-",
    "name hash": name ?? "-",
    took: formatDuration(duration),
    outcome,
  }));
}

function row({
  endpoint,
  mode,
  state,
  instance,
  profile,
  failures,
  lastFailure,
  names,
}: DeviceView): Record<string, string | number> {
  return {
    endpoint,
    mode,
    state,
    instance: instance ?? "-",
    profile,
    failures,
    "last failure": lastFailure ?? "-",
    ...(names === undefined ? {} : { names: names.join(" ") || "-" }),
  };
}
