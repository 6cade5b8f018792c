export {
  type AllocationOptions,
  type AskedDevice,
  type InstanceFacts,
  type OwnPolicy,
  POLICIES,
  PolicyHook,
  type SitingColumns,
  type SitingRule,
} from "./allocation/index.ts";
export { Balancer, type BalancerOptions } from "./balancer.ts";
export { fencedStorage } from "./fenced-storage.ts";
export { controlHandlers } from "./handlers.ts";
export { Lease, type LeaseOptions } from "./lease.ts";
export type { CheckedProfile, ReadProfile } from "./profiles.ts";
export { SourceFollower, type SourceFollowerOptions } from "./sources/follower.ts";
export { LeshanSource, type LeshanSourceOptions } from "./sources/leshan.ts";
export { checkTiming, type Timing } from "./timing.ts";
