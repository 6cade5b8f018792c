import { createHash } from "node:crypto";
import type { DeviceInput } from "../../control/index.ts";
import type { Milliseconds } from "../../lib/clock.ts";
import { JsonClient, type JsonClientOptions } from "../../net/index.ts";
import { NAME_WORK, Slices } from "../slices.ts";
import { jsonElements } from "./json-elements.ts";
import { readLeshanClient, type SourceTerms } from "./leshan-client.ts";
import { type RejectedEntry, type SecretSource, type SourceAnswer, SourceError } from "./source.ts";

/** Options of {@link LeshanSource}. */
export interface LeshanSourceOptions extends Pick<JsonClientOptions, "token" | "ca" | "certificate" | "key"> {
  /** As the configuration calls it. */
  readonly name: string;
  /** The collection, such as `https://lwm2m.example.com/api/security/clients`. */
  readonly url: string;
  /** What its devices get. */
  readonly terms: SourceTerms;
  /** How long a call may take; a minute if not given. */
  readonly timeout?: Milliseconds;
  /** Lets others run between two slices of long work. */
  readonly breathe: () => Promise<void>;
}

/** A long list over a slow line. */
const TIMEOUT: Milliseconds = 60_000;
/** A list of half a million clients. */
const LARGEST_LIST = 128 * 1024 * 1024;
/** Characters that are hashed at a stretch, which takes less than a millisecond. */
const STRETCH = 1 << 18;
/** What reading one client costs. */
const READ_WORK = NAME_WORK;
/** Begins tags that are no ETag, but made of what was answered. */
const OF_CONTENT = "content:";

/**
 * The clients of an Eclipse Leshan server, or of any other that answers GET as its REST API does. Where the server sends an ETag it
 * is asked with that; where it sends none, an answer equals another by its SHA-256.
 */
export class LeshanSource implements SecretSource {
  readonly name: string;
  readonly #options: LeshanSourceOptions;
  readonly #client: JsonClient;

  /** @throws InvalidInput for a URL that is none, or is without TLS to another host */
  constructor(options: LeshanSourceOptions) {
    const { name, url, token, ca, certificate, key, timeout = TIMEOUT } = options;
    this.name = name;
    this.#options = options;
    this.#client = new JsonClient({
      url,
      timeout,
      largestAnswer: LARGEST_LIST,
      connections: 1,
      ...(token === undefined ? {} : { token }),
      ...(ca === undefined ? {} : { ca }),
      ...(certificate === undefined ? {} : { certificate }),
      ...(key === undefined ? {} : { key }),
    });
  }

  /** @throws SourceError, HttpFailure */
  async poll(previousTag: string | undefined, signal: AbortSignal): Promise<SourceAnswer> {
    const ifNoneMatch = previousTag?.startsWith(OF_CONTENT) ? undefined : previousTag;
    const { status, text, etag } = await this.#client.call("GET", [], { signal, ifNoneMatch });
    if (status === 304 && ifNoneMatch !== undefined) return { unchanged: true };
    if (status >= 500) throw new SourceError("source-failed", `it answered with HTTP status ${status}`);
    if (status !== 200) throw new SourceError("source-refused", `it answered with HTTP status ${status}`);
    const tag = etag ?? OF_CONTENT + (await this.#hash(text));
    if (tag === previousTag) return { unchanged: true };
    return { unchanged: false, tag, ...(await this.#read(text)) };
  }

  close(): void {
    this.#client.close();
  }

  async #hash(text: string): Promise<string> {
    const hash = createHash("sha256");
    for (let at = 0; at < text.length; at += STRETCH) {
      hash.update(text.slice(at, at + STRETCH), "utf16le");
      await this.#options.breathe();
    }
    return hash.digest("hex");
  }

  /** One element that is no JSON makes the whole answer nonsense; one that is no client is rejected. */
  async #read(text: string): Promise<{ devices: readonly DeviceInput[]; rejected: readonly RejectedEntry[] }> {
    const { breathe, terms } = this.#options;
    const slices = new Slices(breathe);
    const devices: DeviceInput[] = [];
    const rejected: RejectedEntry[] = [];
    const seen: Set<string> = new Set();
    for (const element of jsonElements(text)) {
      if (slices.spend(READ_WORK)) await slices.rest();
      const client = readLeshanClient(element, terms);
      const { endpoint } = client;
      if (endpoint !== undefined && seen.has(endpoint)) rejected.push({ endpoint, reason: "its endpoint name comes twice" });
      else if ("reason" in client) rejected.push(client);
      else devices.push(client);
      if (endpoint !== undefined) seen.add(endpoint);
    }
    return { devices, rejected };
  }
}
