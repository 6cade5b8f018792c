import { createHash } from "node:crypto";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import {
  ASSIGNMENTS_PATH,
  type AssignmentEvent,
  type ControlApi,
  type Operation,
  openApiDocument,
  ROUTES,
  type Role,
  type Route,
} from "../control/index.ts";
import { equalInConstantTime } from "../lib/bytes.ts";
import { BerthError, errorText, InvalidInput } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { parseWith } from "../lib/schema.ts";
import { cannotListen } from "./udp.ts";

/** What runs an operation. */
export type Handler<Op extends Operation<unknown, unknown, unknown, unknown>> = (
  call: Omit<Op, "reply">,
) => Promise<Op["reply"]> | Op["reply"];

/** A handler for each operation of the control API, and one for the stream of assignments. */
export type ControlHandlers = { readonly [Name in keyof ControlApi]: Handler<ControlApi[Name]> } & {
  /**
   * Called when an instance opens its stream: gives what fills it, or throws NotFound. `signal` says that the instance
   * has gone.
   */
  readonly assignments: (id: string, signal: AbortSignal) => (write: AssignmentWriter) => void;
};

/** Writes events to the stream; resolves when there is room for more. */
export type AssignmentWriter = (...events: readonly AssignmentEvent[]) => Promise<void>;

/** A thing asked for by name is not known. Code `not-found`, HTTP 404. */
export class NotFound extends BerthError {
  constructor(message: string) {
    super("not-found", message);
  }
}

/** Options of {@link serveControl}. */
export interface ControlServerOptions {
  readonly address: string;
  readonly port: number;
  /** PEM of certificate chain and key; plain HTTP if absent. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly tokens: { readonly instance: string; readonly operator: string };
  readonly handlers: ControlHandlers;
  readonly log: Logger;
}

/** The running control API. */
export interface ControlServer {
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}

/** A batch of 5000 devices, each with a key or two and some attributes, bytes. */
const BODY_LIMIT = 16 * 1024 * 1024;
/** An endpoint client name of 252 bytes, all of them percent-encoded. */
const PARAMETER_LIMIT = 1000;

/**
 * Serves the control API: every request is checked for its role's token, parsed by its schema, and answered
 * in JSON; errors are `{code, message}`.
 * @throws CannotListen
 */
export async function serveControl(options: ControlServerOptions): Promise<ControlServer> {
  const { handlers, log } = options;
  const common = {
    bodyLimit: BODY_LIMIT,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: PARAMETER_LIMIT },
  } as const;
  const app: FastifyInstance =
    options.tls === undefined ? Fastify(common) : (Fastify({ ...common, https: options.tls }) as unknown as FastifyInstance);
  const authorised = tokenCheck(options.tokens);
  app.setErrorHandler((error, _request, reply) => fail(reply, error, log));
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ code: "not-found", message: "no such path; see /v1/openapi.json" }),
  );
  app.get("/v1/openapi.json", async () => openApiDocument());
  for (const [name, route] of Object.entries(ROUTES) as [
    keyof ControlApi,
    Route<Operation<unknown, unknown, unknown, unknown>>,
  ][]) {
    const handle = handlers[name] as Handler<Operation<unknown, unknown, unknown, unknown>>;
    app.route({
      method: route.method,
      url: route.path,
      handler: async (request, reply) => {
        if (!authorised(request, route.role)) return refuse(reply);
        const query = route.query === undefined ? {} : parseWith(route.query, request.query, "query");
        const body = route.body === undefined ? undefined : parseWith(route.body, request.body, "body");
        return handle({ params: request.params, query, body });
      },
    });
  }
  app.get<{ Params: { id: string } }>(ASSIGNMENTS_PATH, (request, reply) => {
    if (!authorised(request, "instance")) return refuse(reply);
    const gone = new AbortController();
    const stream = handlers.assignments(request.params.id, gone.signal);
    reply.hijack();
    reply.raw.writeHead(200, { "content-type": "application/x-ndjson" });
    reply.raw.flushHeaders();
    reply.raw.on("close", () => gone.abort());
    stream(lineWriter(reply.raw, gone.signal));
    return reply;
  });
  try {
    await app.listen({ host: options.address, port: options.port });
  } catch (error) {
    throw cannotListen(error as NodeJS.ErrnoException, "tcp", options);
  }
  const bound = app.server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : options.port;
  return { address: options.address, port, close: () => app.close() };
}

function lineWriter(raw: NodeJS.WritableStream, gone: AbortSignal): AssignmentWriter {
  return (...events) =>
    new Promise((resolve) => {
      const roomLeft = raw.write(events.map((event) => `${JSON.stringify(event)}\n`).join(""));
      if (roomLeft || gone.aborted) return resolve();
      const go = (): void => {
        gone.removeEventListener("abort", go);
        raw.removeListener("drain", go);
        resolve();
      };
      gone.addEventListener("abort", go);
      raw.once("drain", go);
    });
}

/** Compares digests, so that neither the length nor the bytes of a token show in the time taken. */
function tokenCheck(tokens: ControlServerOptions["tokens"]): (request: FastifyRequest, role: Role) => boolean {
  const digest = (token: string): Uint8Array => createHash("sha256").update(token).digest();
  const wanted = { instance: digest(tokens.instance), operator: digest(tokens.operator) };
  return (request, role) => {
    if (role === "public") return true;
    const given = /^Bearer (\S+)$/.exec(request.headers.authorization ?? "")?.[1];
    return given !== undefined && equalInConstantTime(digest(given), wanted[role]);
  };
}

function refuse(reply: FastifyReply): FastifyReply {
  return reply.code(401).send({ code: "unauthorized", message: "this needs the token of its role as a bearer token" });
}

function fail(reply: FastifyReply, error: unknown, log: Logger): FastifyReply {
  const status = (error as { statusCode?: number }).statusCode;
  if (error instanceof NotFound) return reply.code(404).send({ code: error.code, message: error.message });
  if (error instanceof BerthError && error.code === "held")
    return reply.code(409).send({ code: error.code, message: error.message });
  if (error instanceof InvalidInput) return reply.code(400).send({ code: error.code, message: error.message });
  if (status !== undefined && status < 500) return reply.code(status).send({ code: "invalid-input", message: errorText(error) });
  log.error({ error: errorText(error) }, "control API: a request failed");
  const code = error instanceof BerthError ? error.code : "internal";
  return reply
    .code(500)
    .send({ code, message: code === "internal" ? "internal error, see the balancer's log" : errorText(error) });
}
