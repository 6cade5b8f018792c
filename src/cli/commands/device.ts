import type { Command } from "commander";
import {
  BootstrapClient,
  type BootstrapResult,
  type DeviceState,
  describeTree,
  factoryTree,
  isConfigured,
  type ObjectTree,
  StateFile,
  systemEnvironment,
  withoutBootstrapAccount,
} from "../../device/index.ts";
import { fromHex } from "../../lib/bytes.ts";
import type { Instant } from "../../lib/clock.ts";
import { InvalidInput } from "../../lib/errors.ts";
import { openImpairedUdp, systemClock, systemRandom } from "../../net/index.ts";
import { type CredentialOptions, credentialOptions, credentialSettings } from "../credential-options.ts";
import { type DeviceSide, type DeviceSideOptions, deviceSide, deviceSideOptions, staticUriOf } from "../device-options.ts";
import { parseCounter, parseLimit } from "../numbers.ts";
import { print, say } from "../terminal.ts";

interface DeviceCommandOptions extends DeviceSideOptions, CredentialOptions {
  readonly endpoint: string;
  readonly secret?: string;
  readonly counter?: string;
  readonly attempts: number;
  readonly state?: string;
  readonly again?: true;
  readonly json?: true;
}

/** Longer than until an instance sends its Finish a second time, ms. */
const LINGER = 2000;

const EPILOGUE = `
With --state the device is one that outlives its process, as in the field: server, recipe, credential, secret and counter
are written into it at its first start, and are read from the file from then on.`;

/** `berth device`: plays one device. */
export function addDevice(program: Command): void {
  const command = program
    .command("device")
    .description("play one LwM2M device: bootstrap it and print the objects it ends with")
    .requiredOption("--endpoint <name>", "endpoint client name")
    .option("--attempts <n>", "give up after so many", parseLimit, 10)
    .option("--json", "print the result as one JSON object")
    .option("--state <file>", "keep what the device holds in this file, over restarts and loss of power")
    .option("--again", "with --state: bootstrap even if it is configured already");
  deviceSideOptions(command)
    .optionsGroup("What its names are made of:")
    .option("--secret <hex>", "in place of the pre-shared or raw public key")
    .option("--counter <n>", "for recipes that count: the lowest number not used yet");
  credentialOptions(command)
    .addHelpText("after", EPILOGUE)
    .action((options: DeviceCommandOptions) => play(options));
}

async function play(options: DeviceCommandOptions): Promise<void> {
  if (options.again !== undefined && options.state === undefined)
    throw new InvalidInput("--again: has no meaning without --state");
  const side = deviceSide(options);
  const file = options.state === undefined ? undefined : new StateFile(options.state);
  const kept = file && current(file, systemClock.now() + side.clockOffset);
  if (kept !== undefined) {
    say(`${options.state}: the device as it was left`);
    if (isConfigured(kept.tree) && options.again === undefined) {
      say("it is configured already; --again bootstraps it once more");
      return tell(options, kept.tree);
    }
  }
  const state = kept ?? { tree: factoryTreeOf(options, side) };
  const client = deviceClient(options, side, state, file);
  if (kept === undefined) file?.save(state);
  const result = await client.bootstrap();
  // It goes on answering what the instance repeats, for as long as repeats come on a network that loses nothing.
  if (side.impairment === undefined) setTimeout(() => client.stop(), LINGER).unref();
  tell(options, result.tree, result);
}

/** What the file holds now: an account whose time was over while nothing ran is purged. */
function current(file: StateFile, now: Instant): DeviceState | undefined {
  const state = file.load();
  if (state?.accountExpires === undefined || state.accountExpires > now) return state;
  const purged = { tree: withoutBootstrapAccount(state.tree) };
  file.save(purged);
  return purged;
}

function factoryTreeOf(options: DeviceCommandOptions, side: DeviceSide): ObjectTree {
  const { endpoint, secret, counter } = options;
  const uri = staticUriOf(side);
  return factoryTree({
    uri,
    ...credentialSettings(options, endpoint, uri),
    ...(side.recipe === undefined ? {} : { recipe: side.recipe }),
    ...(secret === undefined ? {} : { secret: fromHex(secret, "--secret") }),
    ...(counter === undefined ? {} : { counter: parseCounter(counter) }),
  });
}

function deviceClient(
  { endpoint, attempts }: DeviceCommandOptions,
  { resolvers, clockOffset, impairment, behaviour }: DeviceSide,
  state: DeviceState,
  store: StateFile | undefined,
): BootstrapClient {
  const world = systemEnvironment({ clockOffset, ...(resolvers === undefined ? {} : { resolvers }) });
  const client: BootstrapClient = new BootstrapClient(
    { endpoint, ...state, ...behaviour, maxAttempts: attempts, ...(store === undefined ? {} : { store }) },
    impairment === undefined ? world : { ...world, openSocket: (socket) => openImpairedUdp(socket, impairment, systemRandom) },
    {
      attempt: ({ number, address, port, kind }) => say(`attempt ${number}: ${kind} name, ${address} port ${port}`),
      failed: ({ attempt, cause, detail, retryIn }) => {
        const why = detail === undefined ? cause : `${cause} (${detail})`;
        say(`attempt ${attempt} failed: ${why}${retryIn === undefined ? "" : `; next in ${(retryIn / 1000).toFixed(1)} s`}`);
      },
      // The process does not wait until an account is to be purged; the state file knows when.
      lingered: () => client.stop(),
    },
  );
  return client;
}

/** Tells what the device holds, and how it came by it if that was now. */
function tell({ endpoint, json }: DeviceCommandOptions, held: ObjectTree, result?: BootstrapResult): void {
  const tree = describeTree(held);
  if (json) {
    const { number: attempts = 0 } = result ?? {};
    print(JSON.stringify({ endpoint, completed: true, attempts, ...(result && whereAndHowLong(result)), tree }));
    return;
  }
  if (result !== undefined) say(`bootstrapped by ${result.address} port ${result.port} in ${Math.round(result.elapsed)} ms`);
  for (const [path, value] of Object.entries(tree)) print(`${path} = ${String(value).replaceAll(/\p{Cc}/gu, "?")}`);
}

function whereAndHowLong({ address, port, elapsed }: BootstrapResult): { instance: string; milliseconds: number } {
  return { instance: `${address}:${port}`, milliseconds: Math.round(elapsed) };
}
