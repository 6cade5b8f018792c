import type { Command } from "commander";
import { BootstrapClient, describeTree, factoryTree, systemEnvironment } from "../../device/index.ts";
import { fromHex } from "../../lib/bytes.ts";
import { InvalidInput } from "../../lib/errors.ts";
import { openImpairedUdp, systemRandom } from "../../net/index.ts";
import { readText } from "../config.ts";
import { type DeviceSideOptions, deviceSide, deviceSideOptions } from "../device-options.ts";
import { parseCounter, parseLimit } from "../numbers.ts";
import { print, say } from "../terminal.ts";

interface DeviceCommandOptions extends DeviceSideOptions {
  readonly endpoint: string;
  readonly identity?: string;
  readonly psk?: string;
  readonly pskFile?: string;
  readonly secret?: string;
  readonly counter?: string;
  readonly attempts: number;
  readonly json?: true;
}

/** Longer than until an instance sends its Finish a second time, ms. */
const LINGER = 2000;

/** `berth device`: plays one device. */
export function addDevice(program: Command): void {
  deviceSideOptions(program.command("device"))
    .description("play one LwM2M device: bootstrap it and print the objects it ends with")
    .requiredOption("--endpoint <name>", "endpoint client name")
    .option("--identity <text>", "PSK identity (default: the endpoint client name)")
    .option("--psk <hex>", "pre-shared key; not needed with coap:")
    .option("--psk-file <file>", "the same from a file, out of sight of others on this host")
    .option("--secret <hex>", "what names are made of (default: the key)")
    .option("--counter <n>", "for recipes that count: the lowest number not used yet")
    .option("--attempts <n>", "give up after so many", parseLimit, 10)
    .option("--json", "print the result as one JSON object")
    .action(async (options: DeviceCommandOptions) => {
      const { uri, recipe, resolvers, clockOffset, impairment } = deviceSide(options);
      const { endpoint, identity = endpoint, attempts } = options;
      const psk = keyOf(options);
      if (psk === undefined && /^coaps:/i.test(uri)) throw new InvalidInput("--psk: coaps: needs the device's pre-shared key");
      const world = systemEnvironment({ clockOffset, ...(resolvers === undefined ? {} : { resolvers }) });
      const client = new BootstrapClient(
        {
          endpoint,
          tree: factoryTree({ uri, identity, ...(psk === undefined ? {} : { psk }) }),
          maxAttempts: attempts,
          ...(recipe === undefined ? {} : { recipe }),
          ...(options.secret === undefined ? {} : { secret: fromHex(options.secret, "--secret") }),
          ...(options.counter === undefined ? {} : { counter: parseCounter(options.counter) }),
        },
        impairment === undefined
          ? world
          : { ...world, openSocket: (socket) => openImpairedUdp(socket, impairment, systemRandom) },
        {
          attempt: ({ number, address, port, kind }) => say(`attempt ${number}: ${kind} name, ${address} port ${port}`),
          failed: ({ attempt, cause, detail, retryIn }) =>
            say(
              `attempt ${attempt} failed: ${cause}${detail ? ` (${detail})` : ""}${retryIn === undefined ? "" : `; next in ${(retryIn / 1000).toFixed(1)} s`}`,
            ),
        },
      );
      const result = await client.bootstrap();
      // It goes on answering what the instance repeats, for as long as repeats come on a network that loses nothing.
      if (impairment === undefined) setTimeout(() => client.stop(), LINGER).unref();
      const tree = describeTree(result.tree);
      const { number, address, port, elapsed } = result;
      if (options.json) {
        print(
          JSON.stringify({
            endpoint,
            completed: true,
            attempts: number,
            instance: `${address}:${port}`,
            milliseconds: Math.round(elapsed),
            tree,
          }),
        );
      } else {
        say(`bootstrapped by ${address} port ${port} in ${Math.round(elapsed)} ms`);
        for (const [path, value] of Object.entries(tree)) print(`${path} = ${value}`);
      }
    });
}

function keyOf({ psk, pskFile }: DeviceCommandOptions): Uint8Array | undefined {
  if (psk !== undefined && pskFile !== undefined) throw new InvalidInput("give --psk or --psk-file, not both");
  if (pskFile !== undefined) return fromHex(readText(pskFile).trim(), pskFile);
  return psk === undefined ? undefined : fromHex(psk, "--psk");
}
