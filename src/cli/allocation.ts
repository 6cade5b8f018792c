import { pathToFileURL } from "node:url";
import { type AllocationOptions, type OwnPolicy, PolicyHook } from "../balancer/index.ts";
import type { Milliseconds } from "../lib/clock.ts";
import { BerthError, errorText, InvalidInput } from "../lib/errors.ts";
import { pause } from "../net/index.ts";
import type { AllocationConfig, OwnPolicyConfig } from "./allocation-schema.ts";
import { readHttpCredentials } from "./http-credentials.ts";

/**
 * Opens the allocation of the configuration: a policy of the user's own is loaded.
 * @throws InvalidInput naming the key
 */
export async function openAllocation({ policy, ...siting }: AllocationConfig): Promise<AllocationOptions> {
  if (typeof policy === "string") return { ...siting, policy };
  const { fallback, attributes } = policy;
  return { ...siting, policy: fallback, own: { policy: await openPolicy(policy), attributes } };
}

async function openPolicy(config: OwnPolicyConfig): Promise<OwnPolicy> {
  if ("module" in config) return loadModule(config.module, config.timeout);
  const { hook: url, timeout } = config;
  try {
    return new PolicyHook({ url, timeout, ...readHttpCredentials("allocation.policy", config) });
  } catch (error) {
    throw new InvalidInput(`allocation.policy.hook: ${errorText(error)}`, { cause: error });
  }
}

/** A module that exports `choose(devices, instances)`, which gives a list of ids or a promise of one. */
async function loadModule(path: string, timeout: Milliseconds): Promise<OwnPolicy> {
  let loaded: { readonly choose?: unknown };
  try {
    loaded = (await import(pathToFileURL(path).href)) as { readonly choose?: unknown };
  } catch (error) {
    throw new InvalidInput(`allocation.policy.module: ${path}: ${errorText(error)}`, { cause: error });
  }
  const { choose } = loaded;
  if (typeof choose !== "function") {
    throw new InvalidInput(`allocation.policy.module: ${path} does not export a function choose(devices, instances)`);
  }
  const late = async (): Promise<never> => {
    await pause(timeout);
    throw new BerthError("policy-failed", `the allocation policy did not answer in ${timeout} ms`);
  };
  return {
    choose: async (devices, instances) =>
      (await Promise.race([choose(devices, instances), late()])) as readonly (string | null)[],
  };
}
