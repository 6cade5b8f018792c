import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { needsBind, startBind, startBindSecondary } from "../support/bind.ts";
import { needsKnot, startKnot, startKnotSecondary } from "../support/knot.ts";
import { needsNsd, startNsdSecondary } from "../support/nsd.ts";
import { needsPowerDns, startPowerDns } from "../support/powerdns.ts";
import { hostOf, PublishedZone, type StartServer, TTL, type Way } from "../support/published-zone.ts";
import { until } from "../support/until.ts";

/* What the balancer writes to its table is what resolvers are told, whichever registry stands between. */

const never: StartServer = () => Promise.reject(new Error("the embedded registry has no other server"));
const REGISTRIES: readonly (readonly [name: string, way: Way, missing: string | false, start: StartServer])[] = [
  ["embedded: Berth's own nameserver", "embedded", false, never],
  ["rfc2136: BIND", "update", needsBind(), (key) => startBind(key)],
  ["rfc2136: Knot", "update", needsKnot(), (key) => startKnot(key)],
  ["rfc2136: PowerDNS", "update", needsPowerDns(), (key) => startPowerDns(key)],
  ["primary: BIND", "transfer", needsBind(), (key, primary) => startBindSecondary(key, primary)],
  ["primary: Knot", "transfer", needsKnot(), (key, primary) => startKnotSecondary(key, primary)],
  ["primary: NSD", "transfer", needsNsd(), (key, primary) => startNsdSecondary(key, primary)],
];
const PREFIX = "2001:db8:1:2::/64";

for (const [name, way, skip, start] of REGISTRIES) {
  describe(`registry ${name}`, { skip }, () => {
    let zone: PublishedZone;
    before(async () => {
      zone = await PublishedZone.start(way, start);
      const { table } = zone;
      table.setInstance(0, { ipv4: "192.0.2.1" });
      table.setInstance(1, { ipv4: "192.0.2.2", ipv6: "2001:db8::2" });
      table.setInstance(2, { ipv6: "2001:db8::3" });
      table.setInstance(3, { prefix: PREFIX });
      publish(1, 3000);
    });
    after(() => zone?.stop());

    /** An epoch of so many names, a quarter at each instance. */
    function publish(epoch: number, names: number): void {
      const generation = zone.table.beginGeneration(epoch, names);
      for (let index = 0; index < names; index++) generation.add(hostOf(epoch, index), index % 4);
      zone.table.publish(generation);
    }

    /** Waits until a name has just these addresses, or, without any, does not exist. */
    async function shows(host: string, ipv4: string | undefined, ipv6: string | undefined): Promise<void> {
      const exists = ipv4 !== undefined || ipv6 !== undefined;
      const wanted = (type: string, address: string | undefined): string =>
        exists ? `NOERROR ${address === undefined ? "" : `${type} ${TTL} ${address}`}` : "NXDOMAIN ";
      const same = async (): Promise<boolean> => {
        const said = [await zone.ask(host, "A"), await zone.ask(host, "AAAA")];
        const seen = said.map((one) => `${one?.status} ${one?.answers.join()}`);
        return seen[0] === wanted("A", ipv4) && seen[1] === wanted("AAAA", ipv6);
      };
      await until(same, `the server shows ${ipv4 ?? "no A"}, ${ipv6 ?? "no AAAA"}`);
    }

    test("R1, R5: an epoch's names are there, each with one address of each family that its instance has", async () => {
      await shows(hostOf(1, 2996), "192.0.2.1", undefined);
      await shows(hostOf(1, 2997), "192.0.2.2", "2001:db8::2");
      await shows(hostOf(1, 2998), undefined, "2001:db8::3");
      await shows(hostOf(1, 3000), undefined, undefined);
    });

    test("a name at an instance with a prefix has an address of its own in it", async () => {
      const addresses = [3, 7].map((index) => {
        const [, label = ""] = /^([^.]+)\./.exec(hostOf(1, index)) ?? [];
        return zone.table.addresses.ipv6For(3, Uint8Array.from([label.length, ...Buffer.from(label)]), label.length + 1)?.slice();
      });
      assert.notDeepEqual(addresses[0], addresses[1]);
      const [said] = (await zone.ask(hostOf(1, 3), "AAAA"))?.answers ?? [];
      assert.match(said ?? "", /^AAAA 30 2001:db8:1:2:/);
      assert.notEqual(said, (await zone.ask(hostOf(1, 7), "AAAA"))?.answers[0]);
    });

    test("B10: around an epoch's change the names of both are there; then those of the old one are gone", async () => {
      publish(2, 3000);
      await shows(hostOf(2, 2996), "192.0.2.1", undefined);
      await shows(hostOf(1, 2996), "192.0.2.1", undefined);
      zone.table.withdraw(1);
      for (const index of [0, 1, 2, 3, 2996]) await shows(hostOf(1, index), undefined, undefined);
      await shows(hostOf(2, 2996), "192.0.2.1", undefined);
    });

    test("B11, B12: names that move lead elsewhere, and a completed device's name is gone", async () => {
      for (let index = 0; index < 600; index += 4) zone.table.set(2, hostOf(2, index), 1);
      zone.table.delete(2, hostOf(2, 4));
      await shows(hostOf(2, 596), "192.0.2.2", "2001:db8::2");
      await shows(hostOf(2, 600), "192.0.2.1", undefined);
      await shows(hostOf(2, 4), undefined, undefined);
    });

    test("all names of an instance follow when it is reached elsewhere, and go when it has no address", async () => {
      zone.table.setInstance(0, { ipv4: "192.0.2.99" });
      await shows(hostOf(2, 2996), "192.0.2.99", undefined);
      zone.table.setInstance(0, undefined);
      await shows(hostOf(2, 2996), undefined, undefined);
      await shows(hostOf(2, 2997), "192.0.2.2", "2001:db8::2");
    });
  });
}
