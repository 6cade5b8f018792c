import { once } from "node:events";
import { createWriteStream } from "node:fs";

/** The zone that all servers of the bench have. */
export const ZONE = "bs.example.com";
export const INSTANCES = 64;
/** Names that the load does not ask for: those whose changes are watched. */
export const WATCHED = 1000;

/** A host as long as those of the recipe berth-1: 16 characters of token. */
export function host(index: number): string {
  return `bsabcdefgh${index.toString(32).padStart(8, "0")}.${ZONE}`;
}

/** The address of an instance. */
export function address(instance: number): string {
  return `127.0.1.${instance}`;
}

/** Writes the zone as a file (RFC 1035 section 5) with so many live names. */
export async function writeZone(path: string, names: number): Promise<void> {
  const file = createWriteStream(path);
  file.write(
    `$ORIGIN ${ZONE}.\n$TTL 30\n@ SOA ns1 hostmaster 1 3600 600 604800 30\n@ 3600 NS ns1\nns1 A 127.0.0.1\n`.replace(
      "@ SOA",
      "@ 30 SOA",
    ),
  );
  for (let from = 0; from < names; from += 10_000) {
    let lines = "";
    for (let index = from; index < Math.min(names, from + 10_000); index++) {
      lines += `${host(index).split(".")[0]} A ${address(index % INSTANCES)}\n`;
    }
    if (!file.write(lines)) await once(file, "drain");
  }
  file.end();
  await once(file, "finish");
}

/** Writes queries for dnsperf: of each 20, so many are for live names and the rest have a random label. */
export async function writeQueries(path: string, count: number, livePerTwenty: number, names: number): Promise<void> {
  const file = createWriteStream(path);
  let state = 2026;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  let lines = "";
  for (let index = 0; index < count; index++) {
    const live = index % 20 < livePerTwenty;
    const made = `bs${random().toString(36).padStart(8, "z")}${random().toString(36).padStart(8, "z")}.${ZONE}`;
    lines += `${live ? host(WATCHED + (random() % (names - WATCHED))) : made} A\n`;
  }
  file.end(lines);
  await once(file, "finish");
}
