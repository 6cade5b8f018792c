import { Agent, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import {
  ASSIGNMENTS_PATH,
  type AssignmentEvent,
  AssignmentEventSchema,
  type ControlApi,
  ROUTES,
  type Route,
} from "../control/index.ts";
import type { Milliseconds } from "../lib/clock.ts";
import { BerthError, errorText } from "../lib/errors.ts";
import { parseWith } from "../lib/schema.ts";
import { responseTo, sendRequest } from "./http-request.ts";

/** The balancer could not be reached (`balancer-unreachable`), or answered with an error (its code). */
export class ControlError extends BerthError {}

/** Options of {@link ControlClient}. */
export interface ControlClientOptions {
  /** Base URL, such as `https://balancer.example.com:8690`. */
  readonly url: string;
  readonly token: string;
  /** PEM of the CA that signed the balancer's certificate; the system's CAs if absent. */
  readonly ca?: string;
  /** How long a call may take, ms. */
  readonly timeout?: Milliseconds;
}

/** Calls the control API. */
export class ControlClient {
  readonly #options: ControlClientOptions;
  readonly #agent: Agent;

  constructor(options: ControlClientOptions) {
    this.#options = options;
    const keep = { keepAlive: true, maxSockets: 16 };
    this.#agent = options.url.startsWith("https:")
      ? new HttpsAgent({ ...keep, ...(options.ca === undefined ? {} : { ca: options.ca }) })
      : new Agent(keep);
  }

  /**
   * Calls an operation and gives its reply, checked by its schema.
   * @throws ControlError
   */
  async call<Name extends keyof ControlApi>(
    name: Name,
    call: { params?: ControlApi[Name]["params"]; query?: ControlApi[Name]["query"]; body?: ControlApi[Name]["body"] },
  ): Promise<ControlApi[Name]["reply"]> {
    const route: Route<ControlApi[Name]> = ROUTES[name];
    const path = fillPath(route.path, call.params ?? {}) + queryText(call.query ?? {});
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const response = await this.#send(route.method, path, body);
    const text = await textOf(response);
    if (response.statusCode !== 200) throw this.#failure(response.statusCode ?? 0, text);
    return parseWith(route.reply, JSON.parse(text), `the balancer's reply to ${name}`);
  }

  /**
   * Opens the stream of assignments of instance `id` and gives its events until it ends.
   * @param silence the stream counts as broken after this long without a line, ms
   * @throws ControlError
   */
  async *assignments(id: string, silence: Milliseconds, signal: AbortSignal): AsyncGenerator<AssignmentEvent> {
    const response = await this.#send("GET", fillPath(ASSIGNMENTS_PATH, { id }), undefined);
    if (response.statusCode !== 200) throw this.#failure(response.statusCode ?? 0, await textOf(response));
    const stop = (): void => void response.destroy();
    signal.addEventListener("abort", stop);
    response.setTimeout(silence, () => response.destroy(new Error("the stream fell silent")));
    try {
      for await (const line of linesOf(response)) {
        yield parseWith(AssignmentEventSchema, JSON.parse(line), "the balancer's stream of assignments");
      }
    } catch (error) {
      if (!signal.aborted) throw this.#unreachable(error);
    } finally {
      signal.removeEventListener("abort", stop);
      response.destroy();
    }
  }

  /** Closes idle connections. */
  close(): void {
    this.#agent.destroy();
  }

  async #send(method: string, path: string, body: string | undefined): Promise<IncomingMessage> {
    const { url, token, timeout = 10_000 } = this.#options;
    const headers = { authorization: `Bearer ${token}` };
    const request = sendRequest(new URL(path, url), { method, agent: this.#agent, headers, body });
    request.setTimeout(timeout, () => request.destroy(new Error(`no answer in ${timeout} ms`)));
    try {
      return await responseTo(request);
    } catch (error) {
      throw this.#unreachable(error);
    }
  }

  #unreachable(error: unknown): ControlError {
    return new ControlError("balancer-unreachable", `no balancer at ${this.#options.url}: ${errorText(error)}`, { cause: error });
  }

  #failure(status: number, text: string): ControlError {
    try {
      const { code, message } = JSON.parse(text) as { code?: unknown; message?: unknown };
      if (typeof code === "string" && typeof message === "string") return new ControlError(code, message);
    } catch {
      // Not from Berth: a proxy's page, say. The status has to do.
    }
    return new ControlError("balancer-unreachable", `${this.#options.url} answered with HTTP status ${status}`);
  }
}

function fillPath(path: string, params: unknown): string {
  const given = params as Readonly<Record<string, string>>;
  return path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(given[name] ?? ""));
}

function queryText(query: unknown): string {
  const given = Object.entries(query as Record<string, unknown>).filter(([, value]) => value !== undefined);
  return given.length === 0 ? "" : `?${new URLSearchParams(given.map(([key, value]): [string, string] => [key, String(value)]))}`;
}

/** The lines of a response. node:readline would wait for ever when the response is destroyed under it. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  response.setEncoding("utf8");
  let rest = "";
  for await (const chunk of response as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") yield line;
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
}
