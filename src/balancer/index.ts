export { Balancer, type BalancerOptions } from "./balancer.ts";
export { controlHandlers } from "./handlers.ts";
export type { CheckedProfile, ReadProfile } from "./profiles.ts";
export { checkTiming, type Timing } from "./timing.ts";
