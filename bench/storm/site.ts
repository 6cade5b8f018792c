import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InstanceView } from "../../src/control/index.ts";
import { ControlClient, openTcpServer, openUdp, pause } from "../../src/net/index.ts";
import { createKeyFile } from "../../src/storage/index.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const BERTH = join(ROOT, "bin", "berth.js");
const START_WITHIN = 60_000;

/** A device as the factory made it; keys in hex. */
export interface StormDevice {
  readonly endpoint: string;
  readonly psk: string;
  readonly server_key: string;
}

/** A balancer with its nameserver and instances, each a process of the compiled program, on loopback. */
export class Site {
  readonly #folder: string = mkdtempSync(join(tmpdir(), "berth-storm-"));
  readonly #processes: Map<string, ChildProcess> = new Map();
  #client: ControlClient | undefined;
  #uri = "";
  #resolver = "";

  /** Builds the program, starts it all and makes the devices known. */
  static async start(instances: number, devices: readonly StormDevice[]): Promise<Site> {
    execFileSync(process.execPath, [join(ROOT, "scripts", "build.mjs")], { cwd: ROOT, stdio: ["ignore", 2, 2] });
    const site = new Site();
    try {
      await site.#start(instances, devices);
    } catch (error) {
      await site.stop();
      throw error;
    }
    return site;
  }

  /** The static bootstrap URI. */
  get uri(): string {
    return this.#uri;
  }

  /** Where the nameserver is. */
  get resolver(): string {
    return this.#resolver;
  }

  async instances(): Promise<readonly InstanceView[]> {
    return this.#client === undefined ? [] : (await this.#client.call("instances", {})).instances;
  }

  /** Devices the balancer has as completed. */
  async completed(): Promise<number> {
    return this.#client === undefined ? 0 : (await this.#client.call("status", {})).devices.completed;
  }

  /** CPU time of the processes so far, by name, ms; empty where there is no /proc. */
  cpu(): ReadonlyMap<string, number> {
    return new Map([...this.#processes].flatMap(([name, { pid }]) => cpuOf(pid).map((spent): [string, number] => [name, spent])));
  }

  /** Ends the processes and removes the files. */
  async stop(): Promise<void> {
    this.#client?.close();
    const [balancer, ...others] = this.#processes.values();
    await Promise.all(others.map(end));
    if (balancer !== undefined) await end(balancer);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #start(instances: number, devices: readonly StormDevice[]): Promise<void> {
    const [port, dns, control] = [await freeUdpPort(), await freeUdpPort(), await freeTcpPort()];
    this.#uri = `coaps://bs.storm.berth.test:${port}`;
    this.#resolver = `127.0.0.1:${dns}`;
    const config = this.#layOut(dns, control);
    this.#run("balancer", ["balancer", "--config", config]);
    const token = readFileSync(join(this.#folder, "operator.token"), "utf8").trim();
    this.#client = new ControlClient({ url: `http://127.0.0.1:${control}`, token, timeout: 60_000 });
    const client = this.#client;
    await this.#until(async () => (await client.call("health", {})).status === "ok");
    for (let number = 1; number <= instances; number++) {
      this.#run(`bs-${number}`, ["instance", "--config", config, "--id", `bs-${number}`, "--listen", `127.0.0.${number}`]);
    }
    await this.#until(async () => (await this.instances()).filter(({ state }) => state === "up").length === instances);
    const file = join(this.#folder, "fleet.csv");
    const rows = devices.map(({ endpoint, psk, server_key }) => `${endpoint},${psk},${server_key}\n`);
    writeFileSync(file, `endpoint,psk,server_key\n${rows.join("")}`);
    execFileSync(process.execPath, [BERTH, "import", file, "--config", config], { stdio: "ignore" });
    await this.#until(async () => (await this.instances()).reduce((sum, { pending }) => sum + pending, 0) === devices.length);
    // The last of them are on their way to the instances and into DNS, and the processes come to rest.
    await pause(2000);
  }

  #layOut(dns: number, control: number): string {
    const file = (name: string): string => join(this.#folder, name);
    mkdirSync(file("logs"));
    createKeyFile(file("berth.key"));
    for (const role of ["operator", "instance"]) writeFileSync(file(`${role}.token`), randomBytes(32).toString("hex"));
    writeFileSync(
      file("berth.yaml"),
      `uri: ${this.#uri}
recipe: berth-1
profiles: { default: ${JSON.stringify(join(ROOT, "examples", "profile.yaml"))} }
dns: { listen: ["127.0.0.1:${dns}"] }
storage: { folder: data, key: berth.key }
control: { listen: "127.0.0.1:${control}", operatorToken: operator.token, instanceToken: instance.token }
`,
    );
    return file("berth.yaml");
  }

  #run(name: string, args: readonly string[]): void {
    const log = openSync(join(this.#folder, "logs", `${name}.log`), "a");
    // The channel tells it when this process is gone without having stopped it.
    this.#processes.set(name, fork(BERTH, [...args], { execArgv: [], stdio: ["ignore", "ignore", log, "ipc"] }));
  }

  async #until(ready: () => Promise<boolean>): Promise<void> {
    for (const deadline = Date.now() + START_WITHIN; Date.now() < deadline; await pause(50)) {
      for (const [name, { exitCode }] of this.#processes) {
        if (exitCode !== null)
          throw new Error(`${name} ended: ${readFileSync(join(this.#folder, "logs", `${name}.log`), "utf8")}`);
      }
      // It does not answer while it starts.
      if (await ready().catch(() => false)) return;
    }
    throw new Error("not everything was up within a minute");
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), 20_000);
  await ended;
  clearTimeout(force);
}

/** User and system time of a process, ms (proc(5): fields 14 and 15, in ticks of 10 ms); none where it cannot be told. */
function cpuOf(pid: number | undefined): [] | [number] {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return [(Number(fields[11]) + Number(fields[12])) * 10];
  } catch {
    return [];
  }
}

async function freeUdpPort(): Promise<number> {
  const socket = await openUdp({ address: "127.0.0.1", port: 0, onDatagram: () => {} });
  await socket.close();
  return socket.port;
}

async function freeTcpPort(): Promise<number> {
  const server = await openTcpServer({ address: "127.0.0.1", port: 0 }, (connection) => connection.destroy());
  await server.close();
  return server.port;
}
