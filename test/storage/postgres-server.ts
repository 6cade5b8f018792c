import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import pg from "pg";
import { temporaryFolder } from "./samples.ts";

export const INSTALL_HINT = "no PostgreSQL server here; to run these tests: apt-get install postgresql";

export interface PostgresServer {
  /** The URL of a new, empty database. */
  newDatabase(): Promise<string>;
  stop(): Promise<void>;
}

/** The folder of initdb and postgres, or undefined if none is installed. */
export function findPostgres(): string | undefined {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...(process.env.PATH ?? "").split(":"), ...versions.map((version) => join(debian, version, "bin"))];
  return folders.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")));
}

/** Starts a server of our own on a free port of 127.0.0.1, its files in a temporary folder. PostgreSQL refuses to run as root. */
export async function startPostgres(binaries: string): Promise<PostgresServer> {
  const folder = temporaryFolder();
  const data = join(folder.path, "data");
  const user = ordinaryUser();
  if (user !== undefined) chownSync(folder.path, user.uid, user.gid);
  chmodSync(folder.path, 0o700);
  const options = { ...user, cwd: folder.path };
  const made = spawnSync(join(binaries, "initdb"), ["-D", data, "-U", "berth", "-A", "trust", "--no-sync"], {
    ...options,
    encoding: "utf8",
  });
  if (made.status !== 0) throw new Error(`initdb: ${made.error?.message ?? made.stderr}`);
  const port = await freePort();
  const sockets = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"];
  const server = spawn(join(binaries, "postgres"), ["-D", data, "-p", String(port), ...sockets], { ...options, stdio: "ignore" });
  const urlOf = (database: string): string => `postgres://berth@127.0.0.1:${port}/${database}`;
  await untilReady(urlOf("postgres"), server);
  let databases = 0;
  return {
    async newDatabase() {
      const name = `test_${++databases}`;
      await runSql(urlOf("postgres"), `create database ${name}`);
      return urlOf(name);
    },
    async stop() {
      const ended = once(server, "exit");
      // Immediate shutdown: the files are thrown away.
      server.kill("SIGQUIT");
      await ended;
      folder.remove();
    },
  };
}

/** Runs one statement on a connection of its own. */
export async function runSql(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as unknown[];
  } finally {
    await client.end();
  }
}

function ordinaryUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (flag: string): number => Number(spawnSync("id", [flag, "nobody"], { encoding: "utf8" }).stdout);
  return { uid: idOf("-u"), gid: idOf("-g") };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function untilReady(url: string, server: ChildProcess): Promise<void> {
  for (;;) {
    if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}`);
    try {
      await runSql(url, "select 1");
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
