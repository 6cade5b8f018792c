export { type FactorySettings, factoryTree, NoBootstrapAccount } from "./account.ts";
export type { CandidateKind } from "./candidates.ts";
export {
  type Attempt,
  BootstrapClient,
  BootstrapFailed,
  type BootstrapResult,
  type DeviceEvents,
  type DeviceOptions,
} from "./client.ts";
export { describeTree } from "./describe.ts";
export {
  type DeviceEnvironment,
  type DeviceSocketOptions,
  type SystemEnvironmentOptions,
  systemEnvironment,
} from "./environment.ts";
export { type OperationRequest, type OperationResult, performOperation } from "./operations.ts";
export { DEFAULT_RETRY, type RetryOptions, retryDelay } from "./retry.ts";
export { DEFAULT_LIMITS, type Failure, type FailureCause, type SessionLimits } from "./session.ts";
export { ObjectTree } from "./tree.ts";
