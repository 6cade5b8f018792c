import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { RegistryKind } from "../dns/index.ts";
import { BerthError } from "../lib/errors.ts";
import { CannotListen, type ControlClient, openUdp, pause } from "../net/index.ts";
import type { Supervisor } from "./supervisor.ts";

/** The how-tos that come with Berth, with the servers' configuration. */
const DOCS = fileURLToPath(new URL("../../docs/dns/", import.meta.url));

/** A DNS server of others in the demo. */
interface Peer {
  readonly name: string;
  readonly program: string;
  readonly aptPackage: string;
  /** Script that starts it, in docs/dns. */
  readonly script: string;
  readonly port: number;
  /** Folder it runs in if somebody started it by hand. */
  readonly folder: string;
}

const PEERS: Readonly<Record<Exclude<RegistryKind, "embedded">, Peer>> = {
  rfc2136: { name: "BIND", program: "named", aptPackage: "bind9", script: "bind/start", port: 8753, folder: ".berth/bind" },
  primary: { name: "Knot", program: "knotd", aptPackage: "knot", script: "knot/start", port: 8763, folder: ".berth/knot" },
};
/** How the key's file is called in the folder of either. */
const KEY_FILE = "berth.key";
const STARTS_WITHIN = 20_000;
const PUBLISHED_WITHIN = 30_000;

/** The DNS of a demo. */
export interface DemoRegistry {
  /** `address:port` of the name server that devices ask. */
  readonly nameserver: string;
  /** More of section `dns` of the configuration. */
  readonly yaml: string;
  /** Starts the other server, if nobody has. */
  start(supervisor: Supervisor): Promise<void>;
}

/**
 * Chooses the DNS of a demo.
 * @param folder of the demo
 * @param dnsPort of Berth's own nameserver
 */
export async function demoRegistry(kind: RegistryKind, folder: string, dnsPort: number): Promise<DemoRegistry> {
  if (kind === "embedded") return { nameserver: `127.0.0.1:${dnsPort}`, yaml: "", start: async () => {} };
  const peer = PEERS[kind];
  const nameserver = `127.0.0.1:${peer.port}`;
  const runs = await isTaken("127.0.0.1", peer.port);
  const own = resolve(folder, peer.script.split("/")[0] ?? "");
  const key = resolve(runs ? peer.folder : own, KEY_FILE);
  const role =
    kind === "rfc2136"
      ? `update: { server: "${nameserver}", key: berth, owner: demo }`
      : `transfer: { key: berth, secondaries: ["${nameserver}"] }`;
  return {
    nameserver,
    // What an earlier demo left in the zone goes without a question.
    yaml: `, registry: ${kind}, keys: { berth: { file: ${JSON.stringify(key)} } }, ${role}, brake: 100%`,
    start: async (supervisor) => {
      if (runs) return;
      supervisor.startProgram(peer.name, resolve(DOCS, peer.script), kind === "primary" ? [own, String(dnsPort)] : [own]);
      for (
        const deadline = Date.now() + STARTS_WITHIN;
        !exists(key) || !(await isTaken("127.0.0.1", peer.port));
        await pause(100)
      ) {
        if (supervisor.hasEnded(peer.name) || Date.now() > deadline) {
          throw new BerthError(
            "peer-missing",
            `${peer.name} does not start: is it installed (apt-get install ${peer.aptPackage})? Its log is in ${resolve(folder, "logs", `${peer.name}.log`)}`,
          );
        }
      }
    },
  };
}

/** Waits until all that the balancer has decided is at the servers that devices ask. */
export async function untilPublished(client: ControlClient): Promise<void> {
  for (const deadline = Date.now() + PUBLISHED_WITHIN; ; await pause(50)) {
    const { publication } = await client.call("status", {});
    if (publication === null) return;
    const { state, waiting, servers, explanation } = publication;
    if (state === "following" && waiting === 0 && servers.every(({ lag }) => lag === 0)) return;
    if (Date.now() < deadline) continue;
    const problems = servers.flatMap(({ server, problem }) => (problem === null ? [] : [`${server}: ${problem}`]));
    throw new BerthError("not-published", `names do not get into DNS: ${[explanation ?? state, ...problems].join("; ")}`);
  }
}

function exists(file: string): boolean {
  try {
    return readFileSync(file).length > 0;
  } catch {
    return false;
  }
}

async function isTaken(address: string, port: number): Promise<boolean> {
  try {
    await (await openUdp({ address, port, onDatagram: () => {} })).close();
    return false;
  } catch (error) {
    if (error instanceof CannotListen && error.code === "address-in-use") return true;
    throw error;
  }
}
