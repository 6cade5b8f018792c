import { type ChildProcess, fork } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { addressQuery, responseCode } from "../dns/query.ts";

/** Queries a second: a hundredth of what a core answers, so that they find out about waiting without causing it. */
const RATE = 2000;
const NOERROR = 0;
const NXDOMAIN = 3;
/** Answers that come later than this are lost, ms. */
const PATIENCE = 5000;

/** What came of some queries; times in ms, from the query on the wire to the answer at hand. */
export interface Answers {
  readonly asked: number;
  readonly lost: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What the asking process is told: whom to ask for what, when to begin, when to end. */
type ToAsker =
  | { readonly type: "prepare"; readonly port: number; readonly live: readonly string[]; readonly madeUp: readonly string[] }
  | { readonly type: "begin" }
  | { readonly type: "end" };
type FromAsker = { readonly type: "ready" } | { readonly type: "ended"; readonly answers: Answers };

/** A process that asks a nameserver on loopback at a steady rate, half for live names and half for made-up ones. */
export class DnsLoad {
  readonly #asker: ChildProcess = fork(import.meta.filename);

  /** Gets the queries ready. */
  async prepare(port: number, live: readonly string[], madeUp: readonly string[]): Promise<void> {
    await this.#tell({ type: "prepare", port, live, madeUp });
  }

  /** Asks while some work is done. @throws Error if an answer is wrong */
  async during(work: () => Promise<unknown>): Promise<Answers> {
    await this.#tell({ type: "begin" });
    await work();
    const reply = await this.#tell({ type: "end" });
    if (reply.type !== "ended") throw new Error("the asking process did not end");
    return reply.answers;
  }

  stop(): void {
    this.#asker.disconnect();
  }

  async #tell(message: ToAsker): Promise<FromAsker> {
    const failed = once(this.#asker, "exit").then(() => {
      throw new Error("the asking process failed");
    });
    const reply = once(this.#asker, "message").then(([answer]) => answer as FromAsker);
    this.#asker.send(message);
    return Promise.race([reply, failed]);
  }
}

/** The asking process. */
async function ask(): Promise<void> {
  const socket = createSocket({ type: "udp4", lookup: (name, _options, done) => done(null, name, 4), recvBufferSize: 4 << 20 });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const sentAt = new Float64Array(0x1_0000);
  const answered = new Uint8Array(0x1_0000);
  let queries: readonly Buffer[] = [];
  let port = 0;
  let times: number[] = [];
  let asked = 0;
  let begin = 0;
  let timer: NodeJS.Timeout | undefined;
  const sendDue = (): void => {
    for (const due = ((performance.now() - begin) * RATE) / 1000; asked < due; asked++) {
      const id = asked % 0x1_0000;
      const query = queries[asked % queries.length] ?? Buffer.alloc(0);
      query.writeUInt16BE(id, 0);
      answered[id] = 0;
      sentAt[id] = performance.now();
      socket.send(query, port, "127.0.0.1");
    }
  };
  socket.on("message", (answer) => {
    const id = answer.readUInt16BE(0);
    if (answered[id] === 1) return;
    // Live and made-up names are asked for by turns.
    if (responseCode(answer) !== (id % 2 === 0 ? NOERROR : NXDOMAIN)) throw new Error(`a wrong answer: ${responseCode(answer)}`);
    answered[id] = 1;
    times.push(performance.now() - (sentAt[id] ?? 0));
  });
  const end = async (): Promise<Answers> => {
    clearInterval(timer);
    const patience = performance.now() + PATIENCE;
    while (times.length < asked && performance.now() < patience) await new Promise((resolve) => setTimeout(resolve, 10));
    times.sort((a, b) => a - b);
    const at = (share: number): number => Math.round((times[Math.floor((times.length - 1) * share)] ?? 0) * 100) / 100;
    return { asked, lost: asked - times.length, p50: at(0.5), p99: at(0.99), max: at(1) };
  };
  const reply = (message: FromAsker): void => void process.send?.(message);
  process.on("message", (message: ToAsker) => {
    if (message.type === "end") {
      void end().then((answers) => reply({ type: "ended", answers }));
      return;
    }
    if (message.type === "prepare") {
      // Sent data must not change while it is on its way, so each query is used but once in a while.
      queries = message.live.flatMap((host, index) => [addressQuery(0, host), addressQuery(0, message.madeUp[index] ?? host)]);
      port = message.port;
    } else {
      [times, asked, begin] = [[], 0, performance.now()];
      timer = setInterval(sendDue, 1);
    }
    reply({ type: "ready" });
  });
  process.on("disconnect", () => process.exit(0));
}

if (process.argv[1] === import.meta.filename) await ask();
