import type { Registry } from "../../src/dns/index.ts";
import { needsBind, startBindSecondary } from "../support/bind.ts";
import { newKey, newPlace } from "../support/dns-servers.ts";
import { needsKnot, startKnotSecondary } from "../support/knot.ts";
import { needsNsd, startNsdSecondary } from "../support/nsd.ts";
import { registryContract, type Subject } from "./contract.ts";
import { Primary, parts } from "./primary-fixture.ts";

/** A hidden primary, and the secondary behind which it hides. */
async function startBehind(startSecondary: typeof startBindSecondary): Promise<Subject> {
  const key = newKey();
  const place = await newPlace();
  const primary = await Primary.start({ key, secondaries: [place] });
  await primary.registry.replace(parts(), 1);
  const secondary = await startSecondary(key, primary, { place });
  return {
    // The lease was lost, and is taken again: what a primary held over that it knows.
    open: (): Registry => ({
      replace: (all, limit) => primary.registry.replace(all, limit),
      write: (states) => primary.registry.write(states),
      close: async () => primary.registry.suspend(),
    }),
    ask: (name, type) => secondary.ask(name, type),
    stop: async () => {
      await secondary.stop();
      await primary.stop();
    },
  };
}

registryContract("primary behind BIND (R4)", needsBind(), () => startBehind(startBindSecondary));
registryContract("primary behind Knot (R4)", needsKnot(), () => startBehind(startKnotSecondary));
registryContract("primary behind NSD (R4)", needsNsd(), () => startBehind(startNsdSecondary));
