import { spawnSync } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { decode, encode } from "dns-packet";
import type { TsigAlgorithm, TsigKey } from "../../src/dns/index.ts";
import { freePort } from "./loopback.ts";
import { Program } from "./program.ts";
import { until } from "./until.ts";

/** The zone that all configuration in docs/dns is about. */
export const ZONE = "bs.example.com";

/** Configuration as a user is told to write it. */
const DOCS: string = fileURLToPath(new URL("../../docs/dns/", import.meta.url));

/** Of servers, gone at the latest when the test file ends. */
const folders: Set<string> = new Set();
process.on("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Where a server listens, UDP and TCP. */
export interface DnsPlace {
  readonly address: string;
  readonly port: number;
}

/** How one of the servers of docs/dns is started. */
export interface DnsServerPlan {
  /** Folder in docs/dns whose files the server gets unchanged, such as `bind/update`. */
  readonly docs: string;
  /** What the test adds: file name -> text. */
  readonly files: (place: DnsPlace) => Readonly<Record<string, string>>;
  /** Programs that are run to their end before the first start, in the server's folder. */
  readonly prepare?: readonly (readonly string[])[];
  /** Program and arguments; it stays in the foreground, in the folder with the files. */
  readonly command: readonly string[];
  /** It is up when it serves the zone, or, as a secondary that has nothing yet, when it says anything at all. */
  readonly upWhen: "serves" | "answers";
}

/** What a server says of a name. */
export interface Said {
  /** Such as NOERROR, NXDOMAIN. */
  readonly status: string;
  /** Records as `A 30 127.0.0.11`. */
  readonly answers: readonly string[];
  /** Serial of the zone where an SOA stands in the answer. */
  readonly serial: number | undefined;
}

/** A key as a test and a server share it. */
export function newKey(algorithm: TsigAlgorithm = "hmac-sha256"): TsigKey {
  return { name: "berth", algorithm, secret: new Uint8Array(randomBytes(32)) };
}

/** Asks a server over UDP, by a codec that is not ours; undefined if it says nothing within a second. */
export function askServer({ address, port }: DnsPlace, name: string, type: string): Promise<Said | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    const done = (said: Said | undefined): void => {
      clearTimeout(timer);
      socket.close();
      resolve(said);
    };
    const timer = setTimeout(() => done(undefined), 1000);
    socket.on("error", () => done(undefined));
    socket.on("message", (bytes) => done(readAnswer(bytes)));
    const question = { type: "query" as const, id: randomInt(0x1_0000), questions: [{ name, type: type as "A" }] };
    socket.send(encode(question), port, address);
  });
}

function readAnswer(bytes: Buffer): Said {
  const packet = decode(bytes);
  const { rcode = "" } = packet as { rcode?: string };
  const records = packet.answers ?? [];
  const soa = records.find((record) => record.type === "SOA");
  return {
    status: rcode,
    answers: records.map(
      (record) => `${record.type} ${"ttl" in record ? record.ttl : ""} ${"data" in record ? record.data : ""}`,
    ),
    serial: soa?.data.serial,
  };
}

/** A real DNS server on loopback, in a folder of its own. It does not outlive the test file. */
export class DnsServer implements DnsPlace {
  readonly address: string;
  readonly port: number;
  readonly folder: string;
  readonly #plan: DnsServerPlan;
  #program: Program;
  /** What it wrote in its lives before this one. */
  #before = "";

  private constructor(plan: DnsServerPlan, place: DnsPlace, folder: string) {
    this.address = place.address;
    this.port = place.port;
    this.folder = folder;
    this.#plan = plan;
    this.#program = this.#start();
  }

  /** Starts it and waits until it is up. @param place where, unless anywhere */
  static async start(plan: DnsServerPlan, place?: DnsPlace): Promise<DnsServer> {
    const folder = mkdtempSync(join(tmpdir(), "berth-dns-"));
    folders.add(folder);
    cpSync(join(DOCS, plan.docs), folder, { recursive: true });
    const where = place ?? (await newPlace());
    for (const [name, text] of Object.entries(plan.files(where))) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text, { mode: 0o600 });
    }
    for (const [command = "", ...args] of plan.prepare ?? []) {
      const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: "utf8" });
      if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stdout}${stderr}`);
    }
    const server = new DnsServer(plan, where, folder);
    await server.#up();
    return server;
  }

  /** As it stands in Berth's configuration. */
  get endpoint(): string {
    return `${this.address}:${this.port}`;
  }

  get pid(): number {
    return this.#program.pid;
  }

  /** All that it wrote on stdout and stderr. */
  get log(): string {
    return this.#before + this.#program.stdout + this.#program.stderr;
  }

  /** What it says over UDP; undefined if nothing within a second. */
  ask(name: string, type: string = "A"): Promise<Said | undefined> {
    return askServer(this, name, type);
  }

  /** Serial that it serves the zone with; undefined if it does not. */
  async serial(): Promise<number | undefined> {
    return (await this.ask(ZONE, "SOA"))?.serial;
  }

  /** Holds it still (SIGSTOP): the kernel goes on accepting connections, nobody answers. */
  freeze(): void {
    this.#program.kill("SIGSTOP");
  }

  /** Lets it go on. */
  thaw(): void {
    this.#program.kill("SIGCONT");
  }

  /** Ends it without warning. */
  async kill(): Promise<void> {
    await this.#program.stop("SIGKILL");
  }

  /** Starts it again, where it was and with what it had, and waits until it is up. */
  async restart(): Promise<void> {
    await this.#program.stop();
    this.#before = this.log;
    this.#program = this.#start();
    await this.#up();
  }

  async stop(): Promise<void> {
    this.#program.kill("SIGCONT");
    await this.#program.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #start(): Program {
    const [command = "", ...args] = this.#plan.command;
    return new Program(command, args, { cwd: this.folder, input: "" });
  }

  async #up(): Promise<void> {
    let ended = false;
    const program = this.#program;
    void program.ended.then(() => {
      ended = true;
    });
    const isUp = async (): Promise<boolean> => {
      if (ended) throw new Error(`${this.#plan.docs} ended: ${this.log}`);
      const said = await this.ask(ZONE, "SOA");
      return this.#plan.upWhen === "answers" ? said !== undefined : said?.serial !== undefined;
    };
    await until(isUp, `${this.#plan.docs} is up`, 30).catch((error: Error) => {
      throw new Error(`${error.message}: ${this.log}`);
    });
  }
}

/** An address and port on loopback that are free. */
export async function newPlace(): Promise<DnsPlace> {
  // Not elsewhere in 127.0.0.0/8: BIND listens on addresses that an interface really has.
  const address = "127.0.0.1";
  return { address, port: await freePort(address) };
}
