import type { Command } from "commander";
import type { AdmissionLoad } from "../../control/index.ts";
import { type ConnectOptions, connect } from "../connect.ts";
import { connectOptions } from "../options.ts";
import { print, table } from "../terminal.ts";

/** `berth instances`: the instances and what they do. */
export function addInstances(program: Command): void {
  connectOptions(program.command("instances"))
    .description("list the bootstrap server instances with their devices and load")
    .option("--json", "print them as JSON")
    .action(async (options: ConnectOptions & { json?: true }) => {
      const client = connect(options);
      const { instances } = await client.call("instances", {});
      client.close();
      if (options.json) return print(JSON.stringify(instances));
      if (instances.length === 0) return print("no instance has registered yet");
      print(
        table(
          instances.map(({ id, state, addresses, pending, commenced, completed, load }) => ({
            instance: id,
            state,
            address: [addresses.ipv4, addresses.ipv6].filter((address) => address !== undefined).join(" "),
            pending,
            commenced,
            completed,
            sessions: load.sessions,
            admission: admissionText(load.admission),
            "turned away": load.admission.turnedAway,
            handshakes: load.handshakes,
            "cpu %": Math.round(load.cpu * 100),
          })),
        ),
      );
    });
}

/** Whether it takes more, and how many new handshakes a second at most. */
function admissionText({ full, handshakesPerSecond }: AdmissionLoad): string {
  return `${full ? "full" : "open"}, ${Math.round(handshakesPerSecond)}/s`;
}
