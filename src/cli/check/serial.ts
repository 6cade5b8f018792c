import { serialIsNewer, TYPE } from "../../dns/index.ts";
import type { Milliseconds } from "../../lib/clock.ts";
import { serialIn } from "./asker.ts";
import { type Check, type CheckContext, type CheckedServer, onEach, primaryOf } from "./context.ts";
import { isSigned } from "./dnssec.ts";
import { error, type Finding, ok } from "./finding.ts";

/** A change is on its way for some time; a server that has not caught up after so long will not soon. */
const PATIENCE: Milliseconds = 15_000;
const STEP: Milliseconds = 500;

/** Whether each server has what the primary has: their serials, compared as RFC 1982 says. */
export const checkSerial: Check = async (context) => {
  const primary = primaryOf(context);
  if (primary === undefined) return [];
  const { servers } = context;
  const wanted = await serialOf(context, primary);
  if (wanted === undefined) return [];
  return onEach(
    "serial",
    servers.filter((server) => server !== primary),
    (server) => checkOne(context, primary, wanted, server),
  );
};

async function checkOne(
  context: CheckContext,
  primary: CheckedServer,
  wanted: number,
  server: CheckedServer,
): Promise<readonly Finding[]> {
  const subject = { check: "serial", server };
  let serial = await serialOf(context, server);
  let waited = 0;
  for (; serial !== undefined && serialIsNewer(wanted, serial) && waited < PATIENCE; waited += STEP) {
    await context.pause(STEP);
    serial = await serialOf(context, server);
  }
  if (serial === undefined) return [];
  if (serialIsNewer(wanted, serial)) {
    const behind = (wanted - serial) >>> 0;
    return [
      error(
        subject,
        `it is behind: its serial is ${serial}, the primary's (${primary.name}) ${wanted}, ${behind} ahead of it${since(context, server)}, and it did not catch up in ${PATIENCE / 1000} s`,
        "look at its log for transfers that fail (key, clock, address of the primary, access), and let it transfer the zone anew",
      ),
    ];
  }
  const current = (await serialOf(context, primary)) ?? wanted;
  if (serialIsNewer(serial, current)) {
    if (await isSigned(context, server)) return [ok(subject, `it signs the zone and counts for itself: its serial is ${serial}`)];
    return [
      error(
        subject,
        `its serial ${serial} is newer than the primary's (${primary.name}), ${current}: it takes no change until that has gone past it`,
        "the primary's serial went back; restart the balancer, which goes on from the newest, or let the server transfer the zone anew (BIND: rndc retransfer, Knot: zone-retransfer, NSD: force_transfer)",
      ),
    ];
  }
  return [ok(subject, `has serial ${serial}, as the primary${waited > 0 ? `, after ${waited / 1000} s` : ""}`)];
}

/** How long the balancer has seen it behind. */
function since({ balancer }: CheckContext, { name }: CheckedServer): string {
  if ("unreachable" in balancer) return "";
  const lag = balancer.publication?.servers.find(({ server }) => server === name)?.lag ?? 0;
  return lag > 0 ? `, for ${Math.round(lag / 1000)} s` : "";
}

async function serialOf({ asker, wire }: CheckContext, server: CheckedServer): Promise<number | undefined> {
  return serialIn(await asker.ask(server, { name: wire, type: TYPE.SOA }));
}
