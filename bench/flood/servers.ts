import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { addressQuery } from "../dns/query.ts";
import { address, host, ZONE } from "./zone.ts";

/** A running server of the bench, on 127.0.0.1. */
export interface FloodServer {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** Whether it holds back what is too much for one network: most of the flood gets no answer. */
  readonly limited?: boolean;
  /** Gives a live name another instance; undefined where the server has no way to be told. */
  readonly change?: (index: number, instance: number) => Promise<void>;
  stop(): Promise<void>;
}

/** What a server is started with. */
export interface Start {
  readonly folder: string;
  readonly zoneFile: string;
  readonly names: number;
  readonly port: number;
  /** The processor it may use. */
  readonly core: number;
}

/** Servers that are not installed, with the Debian package that has them. */
export const PACKAGES = { named: "bind9", knotd: "knot", nsd: "nsd", dnsperf: "dnsperf" } as const;

export function isInstalled(program: string): boolean {
  return spawnSync(program, ["-V"]).error === undefined;
}

/** Berth's own nameserver, in a process of its own. */
export function startBerth(start: Start): Promise<FloodServer> {
  return forkBerth(start, false);
}

/** The same with its limits, which do not hold for this host otherwise. */
export function startLimited(start: Start): Promise<FloodServer> {
  return forkBerth(start, true);
}

async function forkBerth({ names, core }: Start, limited: boolean): Promise<FloodServer> {
  const child = fork(join(import.meta.dirname, "berth-server.ts"), [String(names), ...(limited ? ["limited"] : [])]);
  const pid = child.pid ?? 0;
  pin(pid, core);
  const [port] = (await once(child, "message")) as [number];
  return {
    name: limited ? "berth with limits" : "berth",
    limited,
    port,
    pid,
    change: async (index, instance) => void child.send({ index, instance }),
    stop: () => ended(child, () => child.disconnect()),
  };
}

/** BIND with one worker, takes updates from here. */
export async function startBind(start: Start): Promise<FloodServer> {
  const { folder, zoneFile, port } = start;
  const config = `options {
  directory "${folder}"; pid-file none; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; minimal-responses yes; notify no; dnssec-validation no; session-keyfile none;
};
controls { };
logging { category default { null; }; category update { null; }; };
zone "${ZONE}" { type primary; file "${zoneFile}"; masterfile-format text; check-names ignore; allow-update { 127.0.0.1; }; };
`;
  await writeFile(join(folder, "named.conf"), config);
  return startProgram("BIND", "named", ["-g", "-n", "1", "-c", join(folder, "named.conf")], start, true);
}

/** Knot DNS with one worker for UDP, takes updates from here. */
export async function startKnot(start: Start): Promise<FloodServer> {
  const { folder, zoneFile, port } = start;
  const config = `server:
  rundir: "${folder}"
  listen: 127.0.0.1@${port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "${folder}"
control:
  listen: "${join(folder, "knot.sock")}"
acl:
  - id: here
    address: 127.0.0.1
    action: update
template:
  - id: default
    semantic-checks: off
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: ${ZONE}
    file: "${zoneFile}"
    acl: here
`;
  await writeFile(join(folder, "knot.conf"), config);
  return startProgram("Knot", "knotd", ["-c", join(folder, "knot.conf")], start, true);
}

/** NSD with one server process and its limit off. It has no updates. */
export async function startNsd(start: Start): Promise<FloodServer> {
  const { folder, zoneFile, port } = start;
  const config = `server:
  ip-address: 127.0.0.1@${port}
  server-count: 1
  username: ""
  zonesdir: "${folder}"
  database: ""
  zonelistfile: "${join(folder, "zone.list")}"
  xfrdfile: "${join(folder, "xfrd.state")}"
  xfrdir: "${folder}"
  pidfile: "${join(folder, "nsd.pid")}"
  logfile: "${join(folder, "nsd.log")}"
  minimal-responses: yes
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: ${ZONE}
  zonefile: "${zoneFile}"
`;
  await writeFile(join(folder, "nsd.conf"), config);
  return startProgram("NSD", "nsd", ["-d", "-c", join(folder, "nsd.conf")], start, false);
}

async function startProgram(
  name: string,
  program: string,
  args: readonly string[],
  { folder, core, port }: Start,
  updates: boolean,
): Promise<FloodServer> {
  await mkdir(folder, { recursive: true });
  const child = spawn("taskset", ["-c", String(core), program, ...args], { stdio: "ignore", cwd: folder });
  const server: FloodServer = {
    name,
    port,
    pid: child.pid ?? 0,
    ...(updates ? { change: (index: number, instance: number) => update(port, index, instance) } : {}),
    stop: () => ended(child, () => child.kill()),
  };
  for (let tries = 0; tries < 600 && child.exitCode === null; tries++) {
    if ((await ask(port, host(0)).catch(() => undefined)) === address(0)) return server;
    await pause(100);
  }
  await server.stop();
  throw new Error(`${name} does not answer`);
}

/** Ends a process and waits until it is gone. */
async function ended(child: ChildProcess, end: () => void): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = once(child, "exit");
  end();
  await gone;
}

function pin(pid: number, core: number): void {
  // All threads: V8's and libuv's are there already.
  const { status } = spawnSync("taskset", ["-a", "-c", "-p", String(core), String(pid)]);
  if (status !== 0) throw new Error("taskset failed");
}

/** Seconds of CPU that a process and its children have taken, user and system, all threads (proc(5)). */
export function cpuSeconds(pid: number): number {
  const processes = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const fields = readFileSync(`/proc/${name}/stat`, "utf8")
          .replace(/^.*\) /, "")
          .split(" ");
        return [{ pid: Number(name), parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }];
      } catch {
        return [];
      }
    });
  const ticksOf = (of: number): number =>
    processes.filter((one) => one.parent === of).reduce((sum, one) => sum + ticksOf(one.pid), 0) +
    (processes.find((one) => one.pid === of)?.ticks ?? 0);
  return ticksOf(pid) / 100;
}

/** The IPv4 address a server gives for a host; undefined if none. Rejects if there is no answer in a second. */
export async function ask(port: number, name: string): Promise<string | undefined> {
  const answer = await exchange(port, addressQuery(1, name));
  return answer.readUInt16BE(6) === 0 ? undefined : answer.subarray(-4).join(".");
}

/** Gives a name another address by a dynamic update (RFC 2136): its old ones are deleted, one is added. */
async function update(port: number, index: number, instance: number): Promise<void> {
  const zone = addressQuery(7, ZONE);
  const owner = Buffer.from(`\x12${host(index).slice(0, 18)}\xc0\x0c`, "latin1");
  const bytes = Buffer.concat([
    zone.subarray(0, -4),
    Buffer.from([0, 6, 0, 1]),
    owner,
    Buffer.from([0, 1, 0, 255, 0, 0, 0, 0, 0, 0]),
    owner,
    Buffer.from([0, 1, 0, 1, 0, 0, 0, 30, 0, 4, ...address(instance).split(".").map(Number)]),
  ]);
  bytes.writeUInt16BE(5 << 11, 2);
  bytes.writeUInt16BE(2, 8);
  const answer = await exchange(port, bytes);
  if ((answer.readUInt8(3) & 0x0f) !== 0) throw new Error(`update refused: ${answer.readUInt8(3) & 0x0f}`);
}

async function exchange(port: number, message: Uint8Array): Promise<Buffer> {
  const socket = createSocket("udp4");
  try {
    socket.send(message, port, "127.0.0.1");
    const [answer] = (await once(socket, "message", { signal: AbortSignal.timeout(2000) })) as [Buffer];
    return answer;
  } finally {
    socket.close();
  }
}
