import { randomBytes } from "node:crypto";
import { z } from "zod";
import { toHex } from "../../lib/bytes.ts";
import type { Milliseconds } from "../../lib/clock.ts";
import { BerthError, errorText } from "../../lib/errors.ts";
import { type JsonAnswer, JsonClient, type JsonClientOptions } from "../../net/index.ts";
import type { SecurityEntry, SecurityStore, Undo } from "../security-store.ts";

/** Options of {@link LeshanSecurityStore}. */
export interface LeshanSecurityStoreOptions extends Pick<JsonClientOptions, "token" | "ca" | "certificate" | "key"> {
  /** The collection, such as `https://lwm2m.example.com/api/security/clients`. */
  readonly url: string;
  /** How long each call may take; 5 s if not given. A put makes two, and a third to take back one that failed. */
  readonly timeout?: Milliseconds;
}

/**
 * The store could not be reached or trusted (`security-store-unreachable`), failed (`security-store-failed`, a 5xx), answered
 * otherwise than it should (`security-store-refused`), or may have a key it could not be rid of (`security-store-left-open`).
 */
export class SecurityStoreError extends BerthError {}

/** A device waits meanwhile; Wakaama for 15 s at most. */
const TIMEOUT: Milliseconds = 5000;
/** A list of 300,000 clients. */
const LARGEST_LIST = 64 * 1024 * 1024;
/** Leshan's demo has 200 threads for all it does. */
const CONNECTIONS = 8;
/** What is told of an answer that is a refusal. */
const MAX_WORDS = 200;

/** One client as Leshan's API says it; what else it holds is given back as it came. */
interface Client {
  readonly endpoint: string;
}

/** A client with a pre-shared key: in `psk` as Leshan 1.x reads it, and 2.0 before M6, in `tls` as those after it do. */
interface PskClient extends Client {
  readonly psk: { readonly identity: string; readonly key: string };
  readonly tls: { readonly mode: "psk"; readonly details: { readonly identity: string; readonly key: string } };
}

const ClientsSchema: z.ZodType<readonly Client[]> = z.array(z.looseObject({ endpoint: z.string() }));

/**
 * The security store of an Eclipse Leshan server, through the REST API of its demo: GET and PUT on the collection, DELETE
 * on a client. The API cannot be asked for one client, so what was there before is looked up in the list of all; puts
 * that wait for it share one list.
 */
export class LeshanSecurityStore implements SecurityStore {
  readonly #client: JsonClient;
  /** The list being fetched, and the one that is fetched after it, for puts that came too late for the first. */
  #fetching: Promise<ReadonlyMap<string, Client>> | undefined;
  #next: Promise<ReadonlyMap<string, Client>> | undefined;

  /** @throws InvalidInput for a URL that is none, or is without TLS to another host */
  constructor({ timeout = TIMEOUT, ...options }: LeshanSecurityStoreOptions) {
    this.#client = new JsonClient({ ...options, timeout, largestAnswer: LARGEST_LIST, connections: CONNECTIONS });
  }

  /** @throws SecurityStoreError */
  async put(entry: SecurityEntry, signal?: AbortSignal): Promise<Undo> {
    const { endpoint, identity } = entry;
    // As the last part of a path these would name the collection, or what it is in.
    if (/^\.{0,2}$/.test(endpoint)) {
      throw new SecurityStoreError("security-store-refused", `security store: "${endpoint}" cannot be named in a path`);
    }
    const before = (await unlessAborted(this.#list(), signal)).get(endpoint);
    const undo = once(() => (before === undefined ? this.#remove(endpoint, identity) : this.#add(before)));
    try {
      await this.#add(pskClient(endpoint, identity, entry.key), signal, toHex(entry.key));
    } catch (error) {
      if (error instanceof SecurityStoreError && error.code === "security-store-refused") throw error;
      // It may have been taken all the same: a gateway says 502 or 504 of what has arrived, and a store can fail after the fact.
      await undo().catch((more: unknown) => {
        const words = `${errorText(error)}, and it may hold a key: ${errorText(more)}`;
        throw new SecurityStoreError("security-store-left-open", words, { cause: error });
      });
      throw error;
    }
    return undo;
  }

  /** Closes the connections. */
  close(): void {
    this.#client.close();
  }

  async #remove(endpoint: string, identity: string): Promise<void> {
    const answer = await this.#call("DELETE", [endpoint]);
    // Leshan 1.x answers 404 where there is nothing to delete, 2.0 answers 200.
    if (answer.status === 404) return;
    // Jetty 12, in Leshan since 2.0.0-M18, takes no name with / or % in a path. What can be done is a key nobody knows.
    if (answer.status === 400) await this.#add(pskClient(endpoint, identity, randomBytes(32)));
    else check(answer, "DELETE");
  }

  async #add(client: Client, signal?: AbortSignal, secret?: string): Promise<void> {
    check(await this.#call("PUT", [], client, signal), "PUT", secret);
  }

  /** The clients there are, by endpoint, as of after this call. */
  #list(): Promise<ReadonlyMap<string, Client>> {
    if (this.#fetching === undefined) {
      this.#fetching = this.#fetch().finally(() => {
        this.#fetching = undefined;
      });
      return this.#fetching;
    }
    this.#next ??= this.#fetching
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#list();
      });
    return this.#next;
  }

  async #fetch(): Promise<ReadonlyMap<string, Client>> {
    const answer = await this.#call("GET", []);
    check(answer, "GET");
    const parsed = ClientsSchema.safeParse(jsonOf(answer.text));
    // What does not fit the schema may hold keys, so it is not told.
    if (!parsed.success)
      throw new SecurityStoreError("security-store-refused", "the security store's answer to GET is no list of clients");
    return new Map(parsed.data.map((client) => [client.endpoint, client]));
  }

  async #call(method: string, path: readonly string[], body?: Client, signal?: AbortSignal): Promise<JsonAnswer> {
    try {
      return await this.#client.call(method, path, { body, signal });
    } catch (error) {
      throw new SecurityStoreError("security-store-unreachable", `security store: ${errorText(error)}`, { cause: error });
    }
  }
}

function pskClient(endpoint: string, identity: string, key: Uint8Array): PskClient {
  const psk = { identity, key: toHex(key) };
  return { endpoint, psk, tls: { mode: "psk", details: psk } };
}

/** @throws SecurityStoreError unless the answer is a success; with the store's own words, but never `secret` */
function check({ status, text }: JsonAnswer, method: string, secret?: string): void {
  if (status >= 200 && status < 300) return;
  const words = status === 400 && !text.includes("<") ? text.trim().slice(0, MAX_WORDS) : "";
  const told = words !== "" && (secret === undefined || !text.toLowerCase().includes(secret)) ? `: ${words}` : "";
  throw new SecurityStoreError(
    status >= 500 ? "security-store-failed" : "security-store-refused",
    `the security store answered ${method} with HTTP status ${status}${told}`,
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What `promise` gives, unless the signal comes first: what others wait for too goes on. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(new SecurityStoreError("security-store-unreachable", "security store: the call was cancelled"));
    };
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
  });
}

/** Runs `work` at the first call; later ones have part in it. After a rejection it can be tried again. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work().catch((error: unknown) => {
      done = undefined;
      throw error;
    });
    return done;
  };
}
