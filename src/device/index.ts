export { isConfigured, withoutBootstrapAccount } from "./account.ts";
export type { CandidateKind } from "./candidates.ts";
export {
  type Attempt,
  BootstrapClient,
  BootstrapFailed,
  type BootstrapResult,
  type DeviceEvents,
  type DeviceOptions,
} from "./client.ts";
export { NoBootstrapAccount } from "./credential.ts";
export { describeTree } from "./describe.ts";
export type { DialogueOptions } from "./dialogue.ts";
export {
  type DeviceEnvironment,
  type SystemEnvironmentOptions,
  systemEnvironment,
} from "./environment.ts";
export { type FactorySettings, factoryTree, type KeyMaterial } from "./factory.ts";
export type { Failure, FailureCause } from "./failure.ts";
export { FLEET_LIMITS, FLEET_RETRY, type FleetDevice, type FleetOptions, type FleetRun, runFleet } from "./fleet.ts";
export { type FleetResult, type FleetSummary, percentile } from "./fleet-summary.ts";
export { deviceObjects } from "./objects.ts";
export {
  type LwM2mVersion,
  type OperationContext,
  type OperationRequest,
  type OperationResult,
  performOperation,
} from "./operations.ts";
export { applyPack } from "./pack.ts";
export { DEFAULT_RETRY, type RetryOptions, retryDelay } from "./retry.ts";
export { DEFAULT_LIMITS, type SessionLimits } from "./session.ts";
export type { DeviceState, DeviceStore } from "./state.ts";
export { StateFile, StateNotSaved, StateUnreadable } from "./state-file.ts";
export { ObjectTree } from "./tree.ts";
