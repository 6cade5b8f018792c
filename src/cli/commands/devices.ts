import { type Command, Option } from "commander";
import { DEVICE_STATES, type DeviceState, type DeviceView } from "../../control/index.ts";
import { type ConnectOptions, connect } from "../connect.ts";
import { parseLimit } from "../numbers.ts";
import { connectOptions } from "../options.ts";
import { print, say, table } from "../terminal.ts";

interface DevicesOptions extends ConnectOptions {
  readonly state?: DeviceState;
  readonly limit: number;
  readonly names?: true;
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
    .option("--json", "print them as JSON")
    .action(async (endpoints: string[], options: DevicesOptions) => {
      const client = connect(options);
      const names = options.names === true;
      const devices: DeviceView[] = [];
      for (const endpoint of endpoints) devices.push(await client.call("device", { params: { endpoint }, query: { names } }));
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
      const { pending, commenced, completed } = status.devices;
      say(`${devices.length} shown; in all ${pending} pending, ${commenced} commenced, ${completed} completed`);
    });
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
