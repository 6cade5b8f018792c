import { Agent, type ClientRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { isLoopback } from "../lib/address.ts";
import type { Milliseconds } from "../lib/clock.ts";
import { BerthError, errorText, InvalidInput } from "../lib/errors.ts";
import { responseTo, sendRequest } from "./http-request.ts";

/** Options of {@link JsonClient}. */
export interface JsonClientOptions {
  /** `https:` anywhere, or `http:` on this host. */
  readonly url: string;
  /** A bearer token (RFC 6750), or, with a colon in it, user and password for Basic (RFC 7617). */
  readonly token?: string;
  /** PEM of the CAs that may have signed the server's certificate; the system's if absent. */
  readonly ca?: string;
  /** PEM of a certificate chain and its key by which the server knows this client. */
  readonly certificate?: string;
  readonly key?: string;
  /** How long a call may take, from its beginning to the last byte of its answer. */
  readonly timeout: Milliseconds;
  /** The longest answer that is read, bytes. */
  readonly largestAnswer: number;
  /** Connections at a time; further calls wait. */
  readonly connections: number;
}

/** An answer, whatever its status. Redirects are answers too: nothing secret is sent to where somebody else points. */
export interface JsonAnswer {
  readonly status: number;
  readonly text: string;
  /** The ETag of what was answered, where the server says one (RFC 9110 section 8.8.3). */
  readonly etag?: string;
}

/** What a call may say beside method and path. */
export interface CallOptions {
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** The answer is 304, without text, where what is asked for still has this ETag (RFC 9110 section 13.1.2). */
  readonly ifNoneMatch?: string | undefined;
}

/** A call as it is made: its body is JSON already, and its signal ends it in time. */
interface Call {
  readonly method: string;
  readonly path: readonly string[];
  readonly body: string | undefined;
  readonly signal: AbortSignal;
  readonly ifNoneMatch: string | undefined;
}

/**
 * No whole answer came. Code `http-unreachable`, `http-untrusted` for a server whose certificate does not hold,
 * `http-timeout`, `http-cancelled`, `http-too-long`.
 */
export class HttpFailure extends BerthError {}

/**
 * Calls the JSON API of another party by idempotent methods, over connections that are kept. A call is made once; on a
 * kept connection that breaks, once more on another (RFC 9110 section 9.2.2).
 */
export class JsonClient {
  readonly #options: JsonClientOptions;
  readonly #agent: Agent;
  /** The URL as errors say it. */
  readonly #where: string;

  /** @throws InvalidInput for a URL that is none, says user and password, or is without TLS to another host */
  constructor(options: JsonClientOptions) {
    const url = checkedUrl(options.url);
    const { ca, certificate, key, connections } = options;
    const keep = { keepAlive: true, maxSockets: connections };
    this.#options = options;
    this.#where = `${url.origin}${url.pathname}`;
    this.#agent =
      url.protocol === "http:"
        ? new Agent(keep)
        : new HttpsAgent({
            ...keep,
            // Said, so that no variable of the environment can unsay it.
            rejectUnauthorized: true,
            ...(ca === undefined ? {} : { ca }),
            ...(certificate === undefined ? {} : { cert: certificate }),
            ...(key === undefined ? {} : { key }),
          });
  }

  /**
   * Makes a call by GET, PUT or DELETE.
   * @param path parts that are appended to the URL's path, each percent-encoded; none of them empty, `.` or `..`
   * @throws HttpFailure
   */
  async call(method: string, path: readonly string[], options: CallOptions = {}): Promise<JsonAnswer> {
    const { signal, ifNoneMatch } = options;
    const body = options.body === undefined ? undefined : asciiJson(options.body);
    const timeout = AbortSignal.timeout(this.#options.timeout);
    const ended = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    try {
      return await this.#send({ method, path, body, signal: ended, ifNoneMatch });
    } catch (error) {
      if (signal?.aborted) throw this.#failure("http-cancelled", "the call was cancelled", error);
      if (timeout.aborted) throw this.#failure("http-timeout", `no answer in ${this.#options.timeout} ms`, error);
      if (error instanceof HttpFailure) throw error;
      const untrusted = isCertificateFault(error);
      throw this.#failure(untrusted ? "http-untrusted" : "http-unreachable", errorText(error), error);
    }
  }

  /** Closes the connections. */
  close(): void {
    this.#agent.destroy();
  }

  async #send(call: Call): Promise<JsonAnswer> {
    for (;;) {
      const request = this.#request(call);
      try {
        const response = await responseTo(request);
        const { etag } = response.headers;
        const answer = { status: response.statusCode ?? 0, text: await this.#textOf(response) };
        return etag === undefined ? answer : { ...answer, etag };
      } catch (error) {
        // Most often the server had closed it before, for having been idle. A new connection cannot get here.
        const stale = request.reusedSocket && (error as NodeJS.ErrnoException).code === "ECONNRESET" && !call.signal.aborted;
        if (!stale) throw error;
      }
    }
  }

  #request({ method, path, body, signal, ifNoneMatch }: Call): ClientRequest {
    const { url, token } = this.#options;
    const target = new URL(url);
    target.pathname = [target.pathname.replace(/\/+$/, ""), ...path.map(encodeURIComponent)].join("/");
    const authorization = token === undefined ? {} : { authorization: authorizationOf(token) };
    return sendRequest(target, {
      method,
      agent: this.#agent,
      headers: {
        accept: "application/json",
        ...authorization,
        ...(ifNoneMatch === undefined ? {} : { "if-none-match": ifNoneMatch }),
      },
      body,
      signal,
    });
  }

  async #textOf(response: IncomingMessage): Promise<string> {
    const { largestAnswer } = this.#options;
    const parts: Buffer[] = [];
    let length = 0;
    for await (const part of response as AsyncIterable<Buffer>) {
      length += part.length;
      if (length > largestAnswer) throw this.#failure("http-too-long", `the answer is longer than ${largestAnswer} bytes`);
      parts.push(part);
    }
    return Buffer.concat(parts).toString("utf8");
  }

  #failure(code: string, why: string, cause?: unknown): HttpFailure {
    return new HttpFailure(code, `${this.#where}: ${why}`, { cause });
  }
}

/** JSON of ASCII characters, as not every server reads UTF-8 where its host's character set is another. */
function asciiJson(body: unknown): string {
  const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(body).replaceAll(/[\u0080-\uffff]/g, escaped);
}

function checkedUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["https:", "http:"].includes(url.protocol)) {
    throw new InvalidInput(`url: "${text}" is no https URL`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new InvalidInput(
      `url: user and password do not belong into the URL of ${url.host}; give them as token, "user:password"`,
    );
  }
  if (url.protocol === "http:" && url.hostname !== "localhost" && !isLoopback(url.hostname.replace(/^\[(.*)\]$/, "$1"))) {
    throw new InvalidInput(`url: ${url.origin} is without TLS and not on this host; keys travel over it, so use https`);
  }
  return url;
}

/** A bearer token holds no colon (RFC 6750 section 2.1), and Basic needs one (RFC 7617 section 2). */
function authorizationOf(token: string): string {
  return token.includes(":") ? `Basic ${Buffer.from(token, "utf8").toString("base64")}` : `Bearer ${token}`;
}

/** OpenSSL's and node's codes for a certificate that does not hold; connection faults have codes of the system. */
function isCertificateFault(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && /CERT|SELF_SIGNED|ERR_TLS_|UNABLE_TO_|HOSTNAME|CRL|INVALID_PURPOSE|INVALID_CA/.test(code);
}
