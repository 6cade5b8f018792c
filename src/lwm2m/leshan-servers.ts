import { isUtf8 } from "node:buffer";
import type { AccountSecurity, BootstrapAccount, ResourceSetting, ResourceSettings, ServerAccount } from "./profile.ts";
import { SECURITY_MODE } from "./security-mode.ts";

type Instances = Readonly<Record<string, ResourceSettings>>;

/** Instances of Leshan's, those of them that are accounts by what they are for instead of by id. */
export interface NamedServers {
  readonly accounts: { readonly servers?: readonly ServerAccount[]; readonly bootstrapServer?: BootstrapAccount };
  readonly security: Instances;
  readonly servers: Instances;
}

/**
 * Turns each instance of /0 and the one of /1 with its short server id into a server account, and the bootstrap account
 * into one that goes where the client has its own. What cannot be said so (half an account, no security mode) stays as it
 * is, for the checks of a profile to name what is wrong.
 */
export function nameServers(config: { readonly security: Instances; readonly servers: Instances }): NamedServers {
  const accounts: ServerAccount[] = [];
  const security: Record<string, ResourceSettings> = {};
  const servers: Record<string, ResourceSettings> = { ...config.servers };
  let bootstrapServer: BootstrapAccount | undefined;
  for (const [id, settings] of Object.entries(config.security)) {
    const own = accountOf(settings);
    const [serverId, behaviour] = Object.entries(servers).find(([, server]) => server[0] === settings[10]) ?? [];
    const server = own === undefined || behaviour === undefined ? undefined : serverOf(settings, own, behaviour);
    if (settings[1] === true && own !== undefined && bootstrapServer === undefined) {
      bootstrapServer = { ...own, securityResources: without(settings, [0, 1, 2, 3, 4, 5]) };
    } else if (settings[1] !== true && server !== undefined && serverId !== undefined) {
      accounts.push(server);
      delete servers[serverId];
    } else {
      security[id] = settings;
    }
  }
  return { accounts: { servers: accounts, ...(bootstrapServer === undefined ? {} : { bootstrapServer }) }, security, servers };
}

function accountOf(settings: ResourceSettings): { readonly uri: string; readonly security: AccountSecurity } | undefined {
  const uri = settings[0];
  const security = securityOf(settings[2], [settings[3], settings[4], settings[5]].map(hexOf));
  return typeof uri === "string" && uri !== "" && security !== undefined ? { uri, security } : undefined;
}

function hexOf(setting: ResourceSetting | undefined): string {
  return typeof setting === "string" ? setting : "";
}

function securityOf(mode: ResourceSetting | undefined, material: readonly string[]): AccountSecurity | undefined {
  const [own = "", theirs = "", key = ""] = material;
  switch (mode) {
    case SECURITY_MODE.nosec:
      return material.every((hex) => hex === "") ? { mode: "nosec" } : undefined;
    case SECURITY_MODE.psk: {
      const identity = Buffer.from(own, "hex");
      // Leshan fills in nothing, so braces of an identity are its own.
      const isText = isUtf8(identity) && !identity.includes("{");
      return isText && theirs === "" && own !== "" && key !== ""
        ? { mode: "psk", identity: identity.toString(), key }
        : undefined;
    }
    case SECURITY_MODE.rpk:
      return [own, theirs, key].includes("") ? undefined : { mode: "rpk", publicKey: own, key, serverPublicKey: theirs };
    case SECURITY_MODE.x509:
      return [own, theirs, key].includes("") ? undefined : { mode: "x509", certificate: own, key, serverCertificate: theirs };
    default:
      return undefined;
  }
}

function serverOf(
  settings: ResourceSettings,
  own: { readonly uri: string; readonly security: AccountSecurity },
  behaviour: ResourceSettings,
): ServerAccount | undefined {
  const { 0: shortServerId, 1: lifetime, 6: notificationStoring, 7: binding } = behaviour;
  if (typeof shortServerId !== "number" || typeof lifetime !== "number") return undefined;
  if (typeof notificationStoring !== "boolean" || typeof binding !== "string") return undefined;
  return {
    ...own,
    ...{ shortServerId, lifetime, notificationStoring, binding },
    securityResources: without(settings, [0, 1, 2, 3, 4, 5, 10]),
    serverResources: without(behaviour, [0, 1, 6, 7]),
  };
}

function without(settings: ResourceSettings, ids: readonly number[]): ResourceSettings {
  return Object.fromEntries(Object.entries(settings).filter(([id]) => !ids.includes(Number(id))));
}
