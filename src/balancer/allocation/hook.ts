import { z } from "zod";
import { JsonClient, type JsonClientOptions } from "../../net/index.ts";
import type { InstanceFacts } from "./facts.ts";
import { type AskedDevice, type OwnPolicy, PolicyFailed } from "./own-policy.ts";

/** Longer than the ids of a thousand instances. */
const LARGEST_ANSWER = 1024 * 1024;

const AnswerSchema: z.ZodType<{ readonly instances: readonly (string | null)[] }> = z.strictObject({
  instances: z.array(z.string().max(63).nullable()),
});

/**
 * A policy that is asked over HTTP: `POST {devices, instances}`, answered by `{instances: [id or null, ...]}` in the order of
 * the devices. docs/allocation.md has an example.
 */
export class PolicyHook implements OwnPolicy {
  readonly #client: JsonClient;

  /** @throws InvalidInput for a URL that is none, or is without TLS to another host */
  constructor(options: Omit<JsonClientOptions, "largestAnswer" | "connections">) {
    this.#client = new JsonClient({ ...options, largestAnswer: LARGEST_ANSWER, connections: 1 });
  }

  /** @throws HttpFailure, PolicyFailed */
  async choose(devices: readonly AskedDevice[], instances: readonly InstanceFacts[]): Promise<readonly (string | null)[]> {
    // To ask changes nothing, so it may be asked again over another connection.
    const { status, text } = await this.#client.call("POST", [], { body: { devices, instances } });
    if (status !== 200) throw new PolicyFailed("policy-failed", `the policy answered with HTTP status ${status}`);
    const parsed = AnswerSchema.safeParse(jsonOf(text));
    if (!parsed.success) throw new PolicyFailed("policy-failed", "the policy's answer is not {instances: [id or null, ...]}");
    return parsed.data.instances;
  }

  /** Closes the connection. */
  close(): void {
    this.#client.close();
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
