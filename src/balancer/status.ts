import type { FleetStatus } from "../control/index.ts";
import type { Balancer } from "./balancer.ts";

/** The state of the whole fleet, as an operator sees it. */
export function statusOf(balancer: Balancer): FleetStatus {
  const { fleet, instances, epochs, publisher, brake } = balancer;
  return {
    zone: balancer.zone,
    devices: fleet.counts,
    instances: instances.serving().length,
    admission: instances.admission,
    epochs: epochs.views(),
    collisions: publisher.collisions,
    publication: balancer.publication?.view() ?? null,
    held: brake.held,
    warnings: warningsOf(balancer),
  };
}

/** What an operator should know of the fleet as it is now. */
export function warningsOf({ instances, epochs }: Balancer): string[] {
  const names = epochs.views().reduce((sum, epoch) => sum + epoch.names, 0);
  if (names === 0 || instances.serving().length > 0) return [];
  return [`no instance serves: ${names} names stay as they are, though nobody may answer there, until one registers`];
}
