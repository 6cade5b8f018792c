import { needsBind, startBind } from "../support/bind.ts";
import { needsKnot, startKnot } from "../support/knot.ts";
import { needsPowerDns, startPowerDns } from "../support/powerdns.ts";
import { registryContract } from "./contract.ts";
import { updateContract } from "./update-contract.ts";
import { updateSubject } from "./update-subject.ts";

registryContract("BIND, by update", needsBind(), () => updateSubject(startBind, "hmac-sha256"));
updateContract("BIND, by update", needsBind(), startBind, "hmac-sha512");
registryContract("Knot, by update", needsKnot(), () => updateSubject(startKnot, "hmac-sha512"));
updateContract("Knot, by update", needsKnot(), startKnot, "hmac-sha256");
registryContract("PowerDNS, by update", needsPowerDns(), () => updateSubject(startPowerDns, "hmac-sha512"));
updateContract("PowerDNS, by update", needsPowerDns(), startPowerDns, "hmac-sha256", { saysWhy: false });
