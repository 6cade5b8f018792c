import { formatDuration } from "../../lib/duration.ts";
import type { Check } from "./context.ts";
import { error, type Finding, ok, warning } from "./finding.ts";

const subject = { check: "configuration" } as const;
/** Resolvers have floors of their own below it. */
const SHORTEST_TTL = 5000;
/** A lost instance's devices wait for so long, and a minute is much for them. */
const LONG_TTL = 300_000;
const LONG_NEGATIVE_TTL = 30_000;

/** Whether the times and servers of the configuration go together. Asks nobody. */
export const checkConfiguration: Check = async ({ dns, lead, skew, epoch }) => {
  const { ttl, negativeTtl, registry, observe, nameservers, transfer } = dns;
  const findings: Finding[] = [];
  if (ttl < SHORTEST_TTL) {
    findings.push(
      warning(
        subject,
        `dns.ttl is ${formatDuration(ttl)}: resolvers keep answers for 5 s and more whatever the TTL, so that less only makes for more questions`,
        "set dns.ttl to 5s or more; 30s suits most fleets",
      ),
    );
  }
  if (ttl > LONG_TTL) {
    findings.push(
      warning(
        subject,
        `dns.ttl is ${formatDuration(ttl)}: when an instance is lost, its devices are led to it for that long`,
        "set dns.ttl to 30s, or to 5m at most",
      ),
    );
  }
  if (negativeTtl > LONG_NEGATIVE_TTL) {
    findings.push(
      warning(
        subject,
        `dns.negativeTtl is ${formatDuration(negativeTtl)}: a device that asks for its name a moment too early is told "no such name" for that long`,
        "set dns.negativeTtl to 30s or less",
      ),
    );
  }
  if (lead < skew + negativeTtl) {
    findings.push(
      warning(
        subject,
        `epochs.lead is ${formatDuration(lead)}, less than epochs.skew and dns.negativeTtl together, ${formatDuration(skew + negativeTtl)}: a device whose clock is fast may ask before its name is there, and be told "no such name" still when its epoch has begun`,
        "leave epochs.lead out, so that it is worked out, or set it to more",
      ),
    );
  }
  if (epoch !== undefined && ttl * 4 > epoch) {
    findings.push(
      warning(
        subject,
        `dns.ttl is ${formatDuration(ttl)}, more than a quarter of an epoch of ${formatDuration(epoch)}: resolvers go on with old addresses for much of the time`,
        "set dns.ttl to 30s, or use a recipe with longer epochs",
      ),
    );
  }
  if (registry === "primary" && transfer?.secondaries.length === 0) {
    findings.push(
      error(
        subject,
        "dns.transfer.secondaries is empty: no secondary is told of changes, so each finds them only when it refreshes",
        "name the secondaries' addresses and ports in dns.transfer.secondaries",
      ),
    );
  }
  if (registry === "primary" && nameservers.length === 0) {
    findings.push(
      warning(
        subject,
        "dns.nameservers is empty, so the zone's NS records name the secondaries ns1, ns2 and so on, by the addresses that Berth reaches them at",
        "name the secondaries in dns.nameservers, as the parent zone delegates to them",
      ),
    );
  }
  if (registry === "rfc2136" && observe.length === 0) {
    findings.push(
      warning(
        subject,
        "dns.observe is empty: whether names arrive where resolvers ask is seen at the primary only",
        "name the servers that resolvers ask in dns.observe",
      ),
    );
  }
  return findings.length > 0 ? findings : [ok(subject, "times and servers of the configuration go together")];
};
