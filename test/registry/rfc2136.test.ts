import { needsBind, startBind } from "../support/bind.ts";
import { needsPowerDns, startPowerDns } from "../support/powerdns.ts";
import { registryContract } from "./contract.ts";
import { updateSubject } from "./update-subject.ts";

registryContract("BIND, by update", needsBind(), () => updateSubject(startBind, "hmac-sha256"));
registryContract("PowerDNS, by update", needsPowerDns(), () => updateSubject(startPowerDns, "hmac-sha512"));
