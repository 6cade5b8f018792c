import { type ObjectInstance, resourceValue } from "../../../src/lwm2m/index.ts";
import type { Behaviour } from "./scripted-client.ts";

/*
 * Clients as they were observed on the wire and read in their sources: Eclipse Wakaama f91cfe0, AVSystem Anjay 3.14 (its
 * demo client), Eclipse Leshan 2.0.
 */

/** What Wakaama knows of /1; a write of anything else is 4.04. */
const WAKAAMA_SERVER = new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 18, 19, 20, 21, 23]);

/** @param cbor whether it was built with SenML CBOR, which it is not by default */
export function wakaama({ cbor = false }: { cbor?: boolean } = {}): Behaviour {
  const formats = [11542, 110, 11543, ...(cbor ? [112] : [])];
  return {
    account: 0,
    discover: (client) => link(["</>;lwm2m=1.1", ...client.links(), "</1>;ver=1.1", "</3/0>"]),
    refuseFormat: (format) => (formats.includes(format ?? -1) ? undefined : "4.06"),
    write: (path, instances) => {
      const strange = instances.some(({ resources }) => [...resources.keys()].some((id) => !WAKAAMA_SERVER.has(id)));
      return path[0] === 1 && strange ? "4.04" : undefined;
    },
    delete: (path, client) => {
      if (path.length > 2) return "4.00";
      if (path[0] === 3) return "4.05";
      return path.length < 2 || client.instances.has(`/${path.join("/")}`) ? "2.02" : "4.04";
    },
    read: (path, accept, client) => {
      const [objectId = 0] = path;
      if (objectId !== 1 && objectId !== 2) return { code: "4.00" };
      const format = accept ?? (cbor ? 112 : 110);
      return formats.includes(format) ? client.contentOf(objectId, format) : { code: "4.06" };
    },
    // CON at 0, 2, 6, 14, 30 s; a separate response is waited for 15 s
    coap: { ackTimeout: 2000, ackRandomFactor: 1, responseTimeout: 15_000, tokenLength: 4 },
  };
}

/** @param version of LwM2M, by its command line */
export function anjay(version: "1.0" | "1.1" | "1.2"): Behaviour {
  return {
    account: 1,
    objects: [3, 3303],
    discover: (client) => {
      if (version === "1.0")
        return link(['lwm2m="1.0"', "</0>", ...[...client.instances.keys()].map((path) => `<${path}>`), "</1>"]);
      const uri = ';uri="coap://bs.example.com"';
      const links = client.links().map((path) => (path === "</0/1>" ? `${path}${uri}` : path));
      return link([`</>;lwm2m=${version}`, "</0>", ...links, "</1>", "</3/0>"]);
    },
    refuseFormat: (format) => {
      if (format === undefined) return "4.05";
      if ([11543, 1542, 1543].includes(format)) return "4.15";
      return [11542, 110, 112].includes(format) ? undefined : "4.00";
    },
    delete: (path) => (path.length > 2 ? "4.00" : "2.02"),
    read: (path, accept, client) => {
      const [objectId = 0] = path;
      if (objectId !== 1 && objectId !== 2) return { code: "4.05" };
      return client.contentOf(objectId, accept ?? (version === "1.0" ? 11542 : 112));
    },
    finish: (client) => {
      const servers = [...client.instances.values()].filter(({ objectId }) => objectId === 1);
      return servers.every(hasShortServerId) ? undefined : "4.06";
    },
  };
}

function hasShortServerId(server: ObjectInstance): boolean {
  return resourceValue(server, 0, "integer") !== undefined;
}

export function leshan(): Behaviour {
  const formats = [11542, 11543, 110, 112];
  return {
    account: 0,
    discover: (client) => link(["</>;lwm2m=1.1", ...client.links(), "</3/0>"]),
    refuseFormat: (format) => (formats.includes(format ?? -1) ? undefined : "4.15"),
    delete: ([objectId, id]) => (objectId === 0 && id === 0 ? "4.00" : "2.02"),
    read: () => ({ code: "4.05" }),
    finishesLate: true,
  };
}

function link(links: readonly string[]): { code: "2.05"; contentFormat: number; payload: Buffer } {
  return { code: "2.05", contentFormat: 40, payload: Buffer.from(links.join(",")) };
}
