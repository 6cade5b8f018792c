export { Balancer, type BalancerOptions } from "./balancer.ts";
export { checkTiming, type Timing } from "./epochs.ts";
export { controlHandlers } from "./handlers.ts";
