import { BerthError } from "../lib/errors.ts";
import { findInconsistencies } from "../lwm2m/index.ts";
import { bootstrapAccount, bootstrapAccounts, withoutAccount } from "./account.ts";
import { berthSettings } from "./berth-object.ts";
import type { ObjectTree } from "./tree.ts";

/**
 * What a device holds once the server says that all is written: the old bootstrap account goes if this bootstrap has
 * written another one (LwM2M Core 1.2, section 6.1.7.6). Or what keeps the device from working with it, one line each:
 * what is inconsistent, and what would keep it from ever bootstrapping again.
 * @param before what the device held when the bootstrap began
 * @param check throws a {@link BerthError} for a tree the device could not bootstrap from
 */
export function settle(
  tree: ObjectTree,
  { before = tree, check }: { readonly before?: ObjectTree; check?(tree: ObjectTree): void },
): { readonly tree: ObjectTree } | { readonly problems: readonly string[] } {
  const accounts = bootstrapAccounts(tree);
  const replaced =
    accounts.length > 1 ? accounts.find((account) => before.get(account.objectId, account.id) === account) : undefined;
  const settled = replaced === undefined ? tree : withoutAccount(tree, replaced);
  const problems = findInconsistencies(settled.instances());
  if (problems.length > 0) return { problems };
  try {
    berthSettings(settled, bootstrapAccount(settled).instanceId);
    check?.(settled);
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    return { problems: [error.message] };
  }
  return { tree: settled };
}
