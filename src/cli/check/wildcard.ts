import { RCODE, rcodeName, TYPE } from "../../dns/index.ts";
import { within } from "./asker.ts";
import { type Check, onEach } from "./context.ts";
import { isSigned } from "./dnssec.ts";
import { error, ok, warning } from "./finding.ts";

/** Whether a name that nobody has is answered with "no such name" (NXDOMAIN), and not by a wildcard. */
export const checkWildcard: Check = (context) =>
  onEach("wildcard", context.servers, async (server) => {
    const { asker, wire } = context;
    const subject = { check: "wildcard", server };
    const name = within(asker.madeUpLabel(), wire);
    const { rcode, answers } = await asker.ask(server, { name, type: TYPE.A });
    if (rcode === RCODE.NXDOMAIN) return [ok(subject, "a name that nobody has does not exist (NXDOMAIN)")];
    if (rcode === RCODE.NOERROR && answers.length > 0) {
      return [
        error(
          subject,
          "a name that nobody has gets an address: there is a wildcard in the zone, so that devices with a wrong name are led somewhere, and never learn that it is wrong",
          "remove the record of the wildcard (*) from the zone",
        ),
      ];
    }
    // RFC 9824: a server that signs while it answers says so for names that do not exist.
    if (rcode === RCODE.NOERROR && (await isSigned(context, server))) {
      return [ok(subject, "a name that nobody has exists without records, as online signing says it (compact denial, RFC 9824)")];
    }
    return [
      warning(
        subject,
        `a name that nobody has gets ${rcodeName(rcode)} without records instead of NXDOMAIN: devices take it for another fault, and some try again for longer`,
        "see whether the zone has a wildcard with another type, or what stands in front of the server",
      ),
    ];
  });
