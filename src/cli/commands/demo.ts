import { isIP } from "node:net";
import { join } from "node:path";
import { type Command, Option } from "commander";
import type { InstanceView } from "../../control/index.ts";
import { type FleetResult, type FleetSummary, percentile, runFleet } from "../../device/index.ts";
import type { RegistryKind } from "../../dns/index.ts";
import { BerthError, InvalidInput } from "../../lib/errors.ts";
import { silentLogger } from "../../lib/log.ts";
import { CannotListen, type ControlClient, openUdp, pause, ResolveError, resolveHost } from "../../net/index.ts";
import { loadConfig } from "../config.ts";
import { connect } from "../connect.ts";
import { layOutDemo } from "../demo-folder.ts";
import { type DemoRegistry, demoRegistry, untilPublished } from "../demo-registry.ts";
import { resolversOf } from "../device-options.ts";
import { readFleet } from "../fleet-file.ts";
import { KillOne, type KillReport } from "../kill-one.ts";
import { parseLimit, parsePort } from "../numbers.ts";
import { areUp, isUp, Supervisor } from "../supervisor.ts";
import { ProgressBar, print, say, table } from "../terminal.ts";
import { untilTold } from "../until-told.ts";
import { importFile } from "./import.ts";

interface DemoOptions {
  readonly devices: number;
  readonly instances: number;
  readonly firstAddress: string;
  readonly port: number;
  readonly dnsPort: number;
  readonly controlPort: number;
  readonly folder: string;
  readonly registry: RegistryKind;
  readonly exit?: true;
  readonly json?: true;
  readonly killOne?: true;
}

/** Share of the devices that are done when `--kill-one` strikes. */
const KILL_AT = 0.3;
/** How long instances may take to close the last associations, ms. */
const CLOSING = 1000;
/** The last byte of an address goes no further. */
const LAST_HOST = 254;

/** `berth demo`: all of Berth on loopback, with a fleet that bootstraps. */
export function addDemo(program: Command): void {
  program
    .command("demo")
    .description("run all of it on this host: balancer, nameserver, 3 instances, and 200 devices that bootstrap over DTLS")
    .option("--devices <n>", "how many devices", parseLimit, 200)
    .option("--instances <n>", "how many instances, each on an address of its own", parseLimit, 3)
    .addOption(
      new Option(
        "--registry <kind>",
        "whose DNS devices ask: Berth's own, a BIND that takes updates, or a Knot that transfers the zone",
      )
        .choices(["embedded", "rfc2136", "primary"])
        .default("embedded"),
    )
    .option("--kill-one", "kill an instance in the middle; all devices still complete")
    .option("--exit", "end when all devices are done, instead of staying up until Ctrl-C")
    .option("--json", "print the summary as one JSON object")
    .option("--first-address <address>", "loopback address of the first instance, the others follow", "127.0.0.11")
    .option("--port <port>", "of the instances", parsePort, 5684)
    .option("--dns-port <port>", "of the nameserver on 127.0.0.1", parsePort, 8653)
    .option("--control-port <port>", "of the control API on 127.0.0.1", parsePort, 8690)
    .option("--folder <path>", "where it keeps its files; emptied at each start", join(".berth", "demo"))
    .action(async (options: DemoOptions) => {
      if (options.killOne && options.instances < 2) throw new InvalidInput("--kill-one: needs 2 instances or more");
      await demo(options);
    });
}

async function demo(options: DemoOptions): Promise<void> {
  const instances = instancesOf(options);
  for (const { address } of instances) await checkFree(address, options.port);
  await checkFree("127.0.0.1", options.dnsPort);
  const registry = await demoRegistry(options.registry, options.folder, options.dnsPort);
  const { config, fleet, logs } = layOutDemo({ ...options, instances, dns: registry.yaml });
  const supervisor = new Supervisor(logs);
  const client = connect({ config });
  const told = untilTold(silentLogger).then(() => "told" as const);
  try {
    say(`Starting a balancer with its nameserver, and ${instances.length} instances. Their logs are in ${logs}`);
    await registry.start(supervisor);
    supervisor.start("balancer", ["balancer", "--config", config]);
    await supervisor.until(() => isUp(client));
    for (const { id, address } of instances)
      supervisor.start(id, ["instance", "--config", config, "--id", id, "--listen", address]);
    await supervisor.until(() => areUp(client, instances.length));
    await importFile(client, fleet);
    await untilPublished(client);
    const [{ id, address } = { id: "", address: "" }] = instances;
    const { nameserver } = registry;
    const kill = (): void => supervisor.signal(id, "SIGKILL");
    const played = play(
      { ...options, nameserver },
      config,
      fleet,
      client,
      () => new KillOne({ id, address, nameserver, client, kill }),
    );
    if ((await Promise.race([played, told])) === "told") return;
    const { summary, views, results, killed } = await played;
    const counts = Object.fromEntries(views.map((view) => [view.id, timesAt(view, results, options.port).length]));
    const seconds = Number((summary.elapsed / 1000).toFixed(2));
    if (options.json)
      print(
        JSON.stringify({
          devices: summary.devices,
          completed: summary.completed,
          failed: summary.failed,
          seconds,
          instances: counts,
          ...(killed === undefined ? {} : { killed }),
        }),
      );
    else print(`${summary.completed} of ${summary.devices} devices completed in ${seconds} s`);
    if (summary.failed > 0) process.exitCode = 1;
    if (options.exit) return;
    say(hints(config, fleet, nameserver));
    await told;
  } finally {
    client.close();
    await supervisor.stop();
  }
}

/** @throws InvalidInput if the addresses do not suffice */
function instancesOf({ firstAddress, instances }: DemoOptions): { readonly id: string; readonly address: string }[] {
  const [, net, host] = /^(127\.\d+\.\d+\.)(\d+)$/.exec(isIP(firstAddress) === 4 ? firstAddress : "") ?? [];
  if (net === undefined) throw new InvalidInput(`--first-address: "${firstAddress}" is no address of 127.0.0.0/8`);
  const room = LAST_HOST + 1 - Number(host);
  if (instances > room) throw new InvalidInput(`--instances: at most ${room} from ${firstAddress} on`);
  return Array.from({ length: instances }, (_, index) => ({ id: `bs-${index + 1}`, address: `${net}${Number(host) + index}` }));
}

/** How a run went. */
interface Played {
  readonly summary: FleetSummary;
  readonly views: readonly InstanceView[];
  readonly results: readonly FleetResult[];
  readonly killed: KillReport | undefined;
}

function inWords({ instance, affected, outOfDnsSeconds, lastCompletedSeconds }: KillReport): string {
  const dns = outOfDnsSeconds === null ? "still in DNS when all was over" : `out of DNS ${outOfDnsSeconds} s after the kill`;
  const last =
    lastCompletedSeconds === null ? "not all of them completed" : `the last of them completed ${lastCompletedSeconds} s after it`;
  return `${instance} was killed with ${affected} devices: ${dns}, ${last}.`;
}

/** Lets the fleet bootstrap, and shows how it goes. */
async function play(
  options: DemoOptions & Pick<DemoRegistry, "nameserver">,
  configPath: string,
  fleetFile: string,
  client: ControlClient,
  killOne: () => KillOne,
): Promise<Played> {
  const config = loadConfig(configPath);
  const devices = await readFleet(fleetFile);
  const sample = devices[0]?.endpoint ?? "";
  const name = (await client.call("device", { params: { endpoint: sample }, query: { names: true } })).names?.[0] ?? "";
  say(
    `\n${sample} is pending. Its name in this hour, which it computes itself:\n  ${name}\n${await asDigSeesIt(name, options.nameserver)}\n`,
  );
  const bar = new ProgressBar("bootstrapping", devices.length);
  const results: FleetResult[] = [];
  let victim: KillOne | undefined;
  const run = runFleet(
    {
      devices,
      uri: config.uri,
      recipe: config.recipe,
      resolvers: resolversOf(config),
      burst: Math.min(5000, devices.length * 8),
      deadline: 300_000,
    },
    (result) => {
      results.push(result);
      bar.show(results.length, `${results.length} of ${devices.length}`);
      if (result.ok) victim?.completed(result.endpoint);
      if (!options.killOne || victim !== undefined || results.length < devices.length * KILL_AT) return;
      victim = killOne();
      for (const { ok, endpoint } of results) if (ok) victim.completed(endpoint);
      say("\nkilled bs-1");
    },
  );
  const summary = await run.done;
  bar.end();
  // Devices of the killed instance would wait for it to close their association.
  await Promise.race([run.closed, pause(CLOSING)]);
  run.stop();
  const views = await settled(client, summary.completed);
  say(`\n${table(views.map((view) => tableRow(view, timesAt(view, results, options.port))))}\n`);
  await untilPublished(client);
  say(`${sample} is completed, so its name is gone:\n${await asDigSeesIt(name, options.nameserver)}\n`);
  const killed = await victim?.report();
  if (killed !== undefined) say(`${inWords(killed)}\n`);
  return { summary, views, results, killed };
}

/**
 * The instances once the balancer has heard of all completions, which reach it a moment after the devices know. It never
 * hears of those an instance did not live to tell.
 */
async function settled(client: ControlClient, completed: number): Promise<readonly InstanceView[]> {
  let heard = -1;
  for (let quiet = 0; quiet < 20; quiet++) {
    const { devices } = await client.call("status", {});
    if (devices.completed >= completed) break;
    if (devices.completed !== heard) quiet = 0;
    heard = devices.completed;
    await pause(100);
  }
  return (await client.call("instances", {})).instances;
}

/** How long the devices took that completed at an instance, sorted. */
function timesAt({ addresses }: InstanceView, results: readonly FleetResult[], port: number): number[] {
  return results
    .filter(({ ok, server }) => ok && server === `${addresses.ipv4}:${port}`)
    .map(({ elapsed }) => elapsed)
    .sort((a, b) => a - b);
}

function tableRow(view: InstanceView, times: readonly number[]): Record<string, string | number> {
  return {
    instance: view.id,
    address: view.addresses.ipv4 ?? "",
    state: view.state,
    devices: times.length,
    "p50 ms": Math.round(percentile(times, 0.5)),
    "p99 ms": Math.round(percentile(times, 0.99)),
    handshakes: view.load.handshakes,
  };
}

async function asDigSeesIt(name: string, nameserver: string): Promise<string> {
  const [address, port] = nameserver.split(":");
  const command = `  $ dig @${address} -p ${port} +noall +answer +comments ${name}`;
  try {
    const { ipv4 } = await resolveHost(name, [nameserver]);
    return `${command}\n  status: NOERROR, A ${ipv4.join(" ")}`;
  } catch (error) {
    if (error instanceof ResolveError) return `${command}\n  status: NXDOMAIN`;
    throw error;
  }
}

/** @throws BerthError saying what to do where an address is missing or taken */
async function checkFree(address: string, port: number): Promise<void> {
  try {
    await (await openUdp({ address, port, onDatagram: () => {} })).close();
  } catch (error) {
    if (!(error instanceof CannotListen)) throw error;
    if (error.code === "address-not-available") {
      const command =
        process.platform === "darwin" ? `sudo ifconfig lo0 alias ${address} up` : `sudo ip address add ${address}/8 dev lo`;
      throw new BerthError(error.code, `this host has no ${address}; add it with: ${command}`);
    }
    throw new BerthError(error.code, `${error.message}; is another demo running?`);
  }
}

function hints(config: string, fleet: string, nameserver: string): string {
  const [address, port] = nameserver.split(":");
  return `Everything stays up until Ctrl-C. In another terminal:
  npx berth instances --config ${config}
  npx berth devices --config ${config} --state completed --limit 5
Add a device of your own and bootstrap it:
  printf 'endpoint,psk,server_key\\nurn:dev:mine,%s,%s\\n' 000102030405060708090a0b0c0d0e0f 101112131415161718191a1b1c1d1e1f > mine.csv
  npx berth import mine.csv --config ${config}
  npx berth uri --config ${config} --endpoint urn:dev:mine --secret 000102030405060708090a0b0c0d0e0f
  dig @${address} -p ${port} <the name it printed>
  npx berth device --config ${config} --endpoint urn:dev:mine --psk 000102030405060708090a0b0c0d0e0f
The devices of this demo are in ${fleet}`;
}
