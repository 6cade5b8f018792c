import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo, Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A CA and what it signed, PEM; made by openssl. */
export interface Certificates {
  readonly ca: string;
  /** For `localhost` and 127.0.0.1. */
  readonly server: Pair;
  /** For `elsewhere.example`. */
  readonly elsewhere: Pair;
  readonly client: Pair;
  /** A CA of somebody else. */
  readonly strangerCa: string;
}

export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/** Makes certificates that hold for a day. */
export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), "berth-tls-"));
  const openssl = (...args: string[]): void => void execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const read = (file: string): string => readFileSync(join(folder, file), "utf8");
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const makeCa = (name: string): void =>
    openssl("req", "-x509", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.pem`, "-days", "1", "-subj", `/CN=${name}`);
  const sign = (name: string, san: string): Pair => {
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${san}\n`);
    openssl("req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1"];
    openssl("x509", "-req", "-in", `${name}.csr`, ...by, "-out", `${name}.pem`, "-extfile", `${name}.ext`);
    return { certificate: read(`${name}.pem`), key: read(`${name}.key`) };
  };
  try {
    makeCa("ca");
    makeCa("stranger");
    return {
      ca: read("ca.pem"),
      strangerCa: read("stranger.pem"),
      server: sign("server", "DNS:localhost,IP:127.0.0.1"),
      elsewhere: sign("elsewhere", "DNS:elsewhere.example"),
      client: sign("client", "DNS:client.example"),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A request as the script sees it. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly body: string;
}

/** Answers a request: with status and body, or by doing something to the response itself. */
export type Script = (request: Seen, response: ServerResponse) => Answer | undefined;

interface Answer {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An HTTP(S) server on 127.0.0.1 that does as it is told. */
export class ScriptedServer {
  readonly seen: Seen[] = [];
  connections = 0;
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set();
  readonly url: string;

  private constructor(server: Server, scheme: "https" | "http") {
    this.#server = server;
    this.url = `${scheme}://localhost:${(server.address() as AddressInfo).port}`;
    server.on("connection", (socket: Socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  /** @param tls plain HTTP if absent */
  static async start(script: Script, tls?: ServerOptions): Promise<ScriptedServer> {
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const { method = "", url: path = "", headers } = request;
        const { authorization, "if-none-match": ifNoneMatch } = headers;
        const seen: Seen = { method, path, authorization, ifNoneMatch, body: Buffer.concat(parts).toString() };
        scripted.seen.push(seen);
        const answer = script(seen, response);
        if (answer === undefined) return;
        response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers }).end(answer.body ?? "");
      });
    };
    const server = tls === undefined ? createHttpServer(handle) : createServer(tls, handle);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const scripted = new ScriptedServer(server, tls === undefined ? "http" : "https");
    return scripted;
  }

  /** Closes the connections that are open, as a server does that has had enough of idle ones. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.dropConnections();
    await closed;
  }
}
