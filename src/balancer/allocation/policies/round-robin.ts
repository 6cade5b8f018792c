import type { SpreadPolicy } from "../facts.ts";
import { even } from "./even.ts";

/** Names are dealt to the instances in turn; at each epoch anew, so that a device meets another instance each time. */
export const roundRobin: SpreadPolicy = { ...even, name: "round-robin", deals: true };
