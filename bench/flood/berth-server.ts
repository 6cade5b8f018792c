import { ZoneTable } from "../../src/dns/index.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { Nameserver } from "../../src/nameserver/index.ts";
import { address, host, INSTANCES, ZONE } from "./zone.ts";

/** The nameserver as a process of its own: tells its port, and moves names as it is told. With `limited`, loopback is not exempt. */
const names = Number(process.argv[2]);
const table = new ZoneTable({ zone: ZONE, seed: new Uint8Array(16).fill(9) });
for (let instance = 0; instance < INSTANCES; instance++) table.setInstance(instance, { ipv4: address(instance) });
const epoch = table.beginGeneration(1, names);
for (let index = 0; index < names; index++) epoch.add(host(index), index % INSTANCES);
table.publish(epoch);
const server = await Nameserver.start({
  zone: { name: ZONE, nameservers: [{ host: `ns1.${ZONE}`, ipv4: "127.0.0.1" }], serial: 1, ttl: 30, negativeTtl: 30 },
  table,
  listen: [{ address: "127.0.0.1", port: 0 }],
  log: silentLogger,
  ...(process.argv[3] === "limited" ? { limits: { exempt: [] } } : {}),
});
process.on("message", ({ index, instance }: { index: number; instance: number }) => table.set(1, host(index), instance));
process.on("disconnect", () => process.exit(0));
process.send?.(server.addresses[0]?.port);
