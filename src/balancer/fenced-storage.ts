import { BerthError } from "../lib/errors.ts";
import type { Storage } from "../storage/index.ts";
import type { Lease } from "./lease.ts";

/**
 * The database as the one who leads sees it: what would change it rejects with `fenced` while the lease does not say that it may.
 * What is under way for longer than the lease is for the database to refuse (`OpenStorage.heldBy`).
 */
export function fencedStorage(storage: Storage, lease: Pick<Lease, "mayWrite">): Storage {
  const fenced =
    <Given extends unknown[], Result>(write: (...given: Given) => Promise<Result>) =>
    async (...given: Given): Promise<Result> => {
      if (!lease.mayWrite) throw new BerthError("fenced", "nothing is stored: another balancer may lead by now");
      return write(...given);
    };
  const { devices, profiles, instances, settings, audit } = storage;
  return {
    devices: {
      ...devices,
      import: fenced(devices.import),
      remove: fenced(devices.remove),
      saveProgress: fenced(devices.saveProgress),
    },
    profiles: { ...profiles, put: fenced(profiles.put) },
    instances: { ...instances, put: fenced(instances.put) },
    settings: { ...settings, put: fenced(settings.put) },
    audit: { ...audit, add: fenced(audit.add) },
    leases: storage.leases,
    close: () => storage.close(),
  };
}
