import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { DeviceView, FleetStatus } from "../../src/control/index.ts";
import { ControlClient } from "../../src/net/index.ts";
import { copyDatabase } from "./database.ts";
import { freePort, loopbackNet } from "./loopback.ts";
import { berth, type Ended, type Program, startBerth } from "./program.ts";
import { until } from "./until.ts";

/** A device as its factory made it. */
export interface TestDevice {
  readonly endpoint: string;
  /** 16 printable characters, as libcoap's client takes keys as text only. */
  readonly key: string;
}

/** What a system is made of. */
export interface SystemOptions {
  readonly instances?: number;
  readonly devices?: number;
  /** More of `berth.yaml`: whole lines. */
  readonly yaml?: string;
  /** Of the names, with one label more in the URI. */
  readonly zone?: string;
  /** `dns.negativeTtl`; 20s if not given. */
  readonly negativeTtl?: string;
  /** More of section `dns` of it, as in `registry: primary, brake: 50%`. */
  readonly dns?: string;
  /** Files beside it: name -> text. */
  readonly files?: Readonly<Record<string, string>>;
  /** Of the balancer's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly recipe?: unknown;
  /** All in one `berth serve`, instead of a process that the test starts for each part. */
  readonly serve?: true;
  readonly nosec?: true;
  /** Where each instance is, as YAML such as `address: "::1"`; given `127.a.b.`. An IPv4 address each if not given. */
  readonly whereabouts?: (net: string) => readonly string[];
  /** More options of `berth instance`, by its id. */
  readonly instanceOptions?: Readonly<Record<string, readonly string[]>>;
}

const ZONE = "fleet.berth.test";

/** Devices `urn:test:0001` and up. */
export function testDevices(count: number): TestDevice[] {
  return Array.from({ length: count }, (_, index) => {
    const endpoint = `urn:test:${String(index + 1).padStart(4, "0")}`;
    return { endpoint, key: createHash("sha256").update(endpoint).digest("hex").slice(0, 16) };
  });
}

/** A PSK as files and options have it. */
export function hexOf({ key }: TestDevice): string {
  return Buffer.from(key).toString("hex");
}

/** A CSV file of devices. */
export function csvOf(devices: readonly TestDevice[]): string {
  const rows = devices.map((device) => `${device.endpoint},${hexOf(device)},00112233445566778899aabbccddeeff`);
  return `endpoint,psk,server_key\n${rows.join("\n")}\n`;
}

/** Balancer, nameserver and instances as processes, on addresses and in a folder of their own. */
export class System {
  readonly folder: string;
  readonly config: string;
  readonly fleetFile: string;
  readonly devices: readonly TestDevice[];
  readonly client: ControlClient;
  /** Where the nameserver listens. */
  readonly dns: { readonly address: string; readonly port: number };
  readonly controlPort: number;
  /** Port of the instances. */
  readonly port: number;
  readonly addresses: ReadonlyMap<string, string>;
  readonly programs: Map<string, Program> = new Map();
  readonly #nosec: boolean;
  readonly #listens: boolean;
  readonly #env: Readonly<Record<string, string>>;
  readonly #instanceOptions: Readonly<Record<string, readonly string[]>>;

  private constructor(options: SystemOptions, net: string, ports: readonly [number, number, number]) {
    const {
      whereabouts,
      devices = 0,
      yaml = "",
      recipe = "berth-1",
      zone = ZONE,
      negativeTtl = "20s",
      dns = "",
      files = {},
    } = options;
    const given = whereabouts?.(net);
    const { instances = given?.length ?? 2 } = options;
    this.#env = options.env ?? {};
    this.#listens = given === undefined;
    const address = `${net}1`;
    [this.port, this.controlPort] = ports;
    this.dns = { address, port: ports[2] };
    this.#nosec = options.nosec === true;
    this.#instanceOptions = options.instanceOptions ?? {};
    this.addresses = new Map(Array.from({ length: instances }, (_, index) => [`bs-${index + 1}`, `${net}${index + 11}`]));
    this.devices = testDevices(devices);
    this.folder = mkdtempSync(join(tmpdir(), "berth-system-"));
    const at = (name: string, content: string): string => {
      writeFileSync(join(this.folder, name), content, { mode: 0o600 });
      return join(this.folder, name);
    };
    const token = randomBytes(32).toString("hex");
    at("operator.token", token);
    at("instance.token", randomBytes(32).toString("hex"));
    at("berth.key", randomBytes(32).toString("hex"));
    for (const [name, text] of Object.entries(files)) at(name, text);
    this.fleetFile = at("fleet.csv", csvOf(this.devices));
    const local = [...this.addresses].map(([id, ip], index) => `{ id: ${id}, ${given?.[index] ?? `address: ${ip}`} }`);
    this.config = at(
      "berth.yaml",
      `uri: coaps://bs.${zone}:${this.port}
recipe: ${JSON.stringify(recipe)}
profiles: { default: ${JSON.stringify(resolve("examples/profile.yaml"))} }
dns: { listen: ["${address}:${this.dns.port}"], ttl: 30s, negativeTtl: ${negativeTtl}${dns === "" ? "" : `, ${dns}`} }
storage: { folder: data, key: berth.key }
control: { listen: "${address}:${this.controlPort}", operatorToken: operator.token, instanceToken: instance.token }
instances: { local: [${local.join(", ")}] }
${yaml}`,
    );
    this.client = new ControlClient({ url: `http://${address}:${this.controlPort}`, token });
  }

  /** Starts it and imports its devices. Whoever calls this calls {@link stop} in the end. */
  static async start(options: SystemOptions): Promise<System> {
    const net = loopbackNet();
    const control = await freePort(`${net}1`);
    const system = new System(options, net, [await freePort(`${net}11`), control, await freePort(`${net}1`)]);
    try {
      await system.#start(options);
      return system;
    } catch (error) {
      await system.stop();
      throw error;
    }
  }

  async #start(options: SystemOptions): Promise<void> {
    await copyDatabase(join(this.folder, "data"));
    if (options.serve) this.programs.set("serve", startBerth(["serve", "--config", this.config]));
    else {
      this.startBalancer();
      for (const id of this.addresses.keys()) this.startInstance(id);
    }
    await this.isUp();
    if (this.devices.length === 0) return;
    const { code, stderr } = await this.berth("import", this.fleetFile);
    if (code !== 0) throw new Error(`import: ${stderr}`);
  }

  startBalancer(): Program {
    const program = startBerth(["balancer", "--config", this.config], { env: this.#env });
    this.programs.set("balancer", program);
    return program;
  }

  startInstance(id: string): Program {
    const nosec = this.#nosec ? ["--nosec"] : [];
    const listen = this.#listens ? ["--listen", this.address(id)] : [];
    const more = [...listen, ...nosec, ...(this.#instanceOptions[id] ?? [])];
    const program = startBerth(["instance", "--config", this.config, "--id", id, ...more]);
    this.programs.set(id, program);
    return program;
  }

  /** Waits until balancer and instances are up. */
  async isUp(): Promise<void> {
    await until(async () => {
      for (const [name, program] of this.programs) {
        const ended = await Promise.race([program.ended, undefined]);
        if (ended !== undefined) throw new Error(`${name} ended: ${ended.stderr}`);
      }
      try {
        const { instances } = await this.client.call("instances", {});
        return instances.filter(({ state }) => state === "up").length === this.addresses.size;
      } catch {
        return false;
      }
    }, "everything is up");
  }

  address(id: string): string {
    const address = this.addresses.get(id);
    if (address === undefined) throw new Error(`no instance ${id}`);
    return address;
  }

  program(name: string): Program {
    const program = this.programs.get(name);
    if (program === undefined) throw new Error(`no program ${name}`);
    return program;
  }

  /** Runs a command with this system's configuration. */
  berth(...args: readonly string[]): Promise<Ended> {
    return berth([...args, "--config", this.config]);
  }

  status(): Promise<FleetStatus> {
    return this.client.call("status", {});
  }

  /** A device as the balancer sees it, with its live names. */
  device(endpoint: string): Promise<DeviceView> {
    return this.client.call("device", { params: { endpoint }, query: { names: true } });
  }

  /** What all programs have logged. */
  get logs(): string {
    return [...this.programs.values()].map(({ stderr }) => stderr).join("\n");
  }

  async stop(): Promise<void> {
    this.client.close();
    const [first, ...others] = this.programs.values();
    await Promise.all(others.map((program) => program.stop()));
    await first?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
