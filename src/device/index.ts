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
  type SystemEnvironmentOptions,
  systemEnvironment,
} from "./environment.ts";
export { FLEET_LIMITS, FLEET_RETRY, type FleetDevice, type FleetOptions, type FleetRun, runFleet } from "./fleet.ts";
export { type FleetResult, type FleetSummary, percentile } from "./fleet-summary.ts";
export { type OperationRequest, type OperationResult, performOperation } from "./operations.ts";
export { DEFAULT_RETRY, type RetryOptions, retryDelay } from "./retry.ts";
export { DEFAULT_LIMITS, type Failure, type FailureCause, type SessionLimits } from "./session.ts";
export { ObjectTree } from "./tree.ts";
