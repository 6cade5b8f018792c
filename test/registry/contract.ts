import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  ipv4Bytes,
  ipv6Bytes,
  type NameState,
  nameToWire,
  packNameStates,
  type Registry,
  RegistryHeld,
} from "../../src/dns/index.ts";
import { type Said, ZONE } from "../support/dns-servers.ts";
import { until } from "../support/until.ts";

/** Of all names that the contract publishes. */
export const TTL = 30;

/** A registry that is held to the contract, and what resolvers would ask. */
export interface Subject {
  /** Another registry in the same place, as after a restart of Berth; it may take the zone from those before it. */
  open(): Registry;
  /** What the server says that devices' resolvers ask. */
  ask(name: string, type: string): Promise<Said | undefined>;
  stop(): Promise<void>;
}

/** What a name should lead to; nothing at all for one that should not be. */
export interface Addresses {
  readonly ipv4?: string;
  readonly ipv6?: string;
}

/** The label of a live name; different for each number, of a length that the recipe makes. */
export function label(number: number): string {
  return `bs${number.toString(32).padStart(13, "x")}`;
}

/** Whether a name is one that {@link label} makes: what a registry is told that it owns. */
export function owns(name: Uint8Array): boolean {
  return name[0] === 15 && name.length === 16 && name[1] === 0x62 && name[2] === 0x73;
}

/** Packed states of names, by label. */
export function states(wanted: Readonly<Record<string, Addresses>>): Uint8Array {
  const all = Object.entries(wanted).map(([name, { ipv4, ipv6 }]): NameState => {
    const bytes = {
      ipv4: ipv4 === undefined ? undefined : ipv4Bytes(ipv4),
      ipv6: ipv6 === undefined ? undefined : ipv6Bytes(ipv6),
    };
    return { name: nameToWire(name).slice(0, -1), ...bytes };
  });
  return packNameStates(all);
}

/** States as a registry gets them for a comparison: in slices. */
export async function* all(...wanted: readonly Readonly<Record<string, Addresses>>[]): AsyncGenerator<Uint8Array> {
  for (const slice of wanted) yield states(slice);
}

/** So many names that lead to one address. @param first number of the first */
export function many(count: number, ipv4: string, first: number = 0): Record<string, Addresses> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [label(first + index), { ipv4 }]));
}

/** Waits until the server says this of a name, for A and AAAA: what it says of each, or NXDOMAIN. */
export async function shows(subject: Pick<Subject, "ask">, name: string, wanted: Addresses | "NXDOMAIN"): Promise<void> {
  const host = `${name}.${ZONE}`;
  const expected = (type: string, address: string | undefined): string => {
    if (wanted === "NXDOMAIN") return "NXDOMAIN ";
    return `NOERROR ${address === undefined ? "" : `${type} ${TTL} ${address}`}`;
  };
  for (const [type, address] of [
    ["A", wanted === "NXDOMAIN" ? undefined : wanted.ipv4],
    ["AAAA", wanted === "NXDOMAIN" ? undefined : wanted.ipv6],
  ] as const) {
    let last = "";
    const isThere = async (): Promise<boolean> => {
      const said = await subject.ask(host, type);
      last = `${said?.status} ${said?.answers.join(", ")}`;
      return last === expected(type, address);
    };
    await until(isThere, `${type} of a name`, 20).catch(() => assert.equal(last, expected(type, address)));
  }
}

/** What every registry does, whatever is behind it (spec R1-R5). */
export function registryContract(title: string, skip: string | false, start: () => Promise<Subject>): void {
  describe(`${title}, as any registry`, { skip }, () => {
    let subject: Subject;
    let registry: Registry;
    const fresh = async (wanted: Readonly<Record<string, Addresses>> = {}): Promise<void> => {
      await registry?.close();
      registry = subject.open();
      await registry.replace(all(wanted), 1);
    };

    before(async () => {
      subject = await start();
    });
    after(async () => {
      await registry?.close();
      await subject?.stop();
    });

    test("a name appears with one address and the TTL, moves, and is gone (R1, R5)", async () => {
      await fresh();
      const [name, other] = [label(1), label(2)];
      const written = await registry.write(states({ [name]: { ipv4: "192.0.2.1" }, [other]: { ipv4: "192.0.2.1" } }));
      assert.deepEqual([written.changed, written.names], [2, 2]);
      await shows(subject, name, { ipv4: "192.0.2.1" });
      await registry.write(states({ [name]: { ipv4: "192.0.2.2" } }));
      await shows(subject, name, { ipv4: "192.0.2.2" });
      assert.deepEqual((await registry.write(states({ [name]: {} }))).names, 1);
      await shows(subject, name, "NXDOMAIN");
      await shows(subject, other, { ipv4: "192.0.2.1" });
      await shows(subject, label(3), "NXDOMAIN");
    });

    test("a name has an IPv4 address, an IPv6 address or both, and may go from one to the other (R5)", async () => {
      await fresh();
      const name = label(4);
      for (const addresses of [
        { ipv6: "2001:db8::1" },
        { ipv4: "192.0.2.1", ipv6: "2001:db8::2" },
        { ipv4: "192.0.2.1" },
        { ipv6: "2001:db8::1" },
      ]) {
        await registry.write(states({ [name]: addresses }));
        await shows(subject, name, addresses);
      }
    });

    test("of several states of one name in a write the last counts; what is so already costs nothing", async () => {
      await fresh();
      const name = label(5);
      const twice = [states({ [name]: { ipv4: "192.0.2.1" } }), states({ [name]: { ipv4: "192.0.2.2" } })];
      await registry.write(Buffer.concat(twice));
      await shows(subject, name, { ipv4: "192.0.2.2" });
      assert.equal((await registry.write(states({ [name]: { ipv4: "192.0.2.2" }, [label(6)]: {} }))).changed, 0);
    });

    test("2,000 names in one write", async () => {
      await fresh();
      const written = await registry.write(states(many(2000, "192.0.2.1")));
      assert.deepEqual([written.changed, written.names], [2000, 2000]);
      for (const number of [0, 499, 500, 1999]) await shows(subject, label(number), { ipv4: "192.0.2.1" });
      await registry.write(states(many(1000, "192.0.2.2", 1000)));
      for (const number of [0, 999]) await shows(subject, label(number), { ipv4: "192.0.2.1" });
      for (const number of [1000, 1999]) await shows(subject, label(number), { ipv4: "192.0.2.2" });
    });

    test("a comparison brings the zone to the state given, whatever was left there (R4)", async () => {
      await fresh({ ...many(20, "192.0.2.1"), [label(90)]: { ipv6: "2001:db8::1" } });
      const successor = subject.open();
      const wanted = { ...many(10, "192.0.2.1"), ...many(15, "192.0.2.2", 10), [label(91)]: { ipv4: "192.0.2.3" } };
      await successor.replace(all(many(10, "192.0.2.1"), wanted), 1);
      await shows(subject, label(9), { ipv4: "192.0.2.1" });
      await shows(subject, label(10), { ipv4: "192.0.2.2" });
      await shows(subject, label(24), { ipv4: "192.0.2.2" });
      await shows(subject, label(90), "NXDOMAIN");
      await shows(subject, label(91), { ipv4: "192.0.2.3" });
      assert.equal((await successor.replace(all(wanted), 0)).changed, 0, "now all is as it should be");
      await successor.close();
    });

    test("a comparison that would change or remove too much of what is live is held, and changes nothing", async () => {
      await fresh(many(10, "192.0.2.1"));
      const successor = subject.open();
      const wanted = { ...many(2, "192.0.2.2"), ...many(5, "192.0.2.1", 2), ...many(1, "192.0.2.1", 50) };
      await assert.rejects(successor.replace(all(wanted), 0.4), (error: unknown) => {
        assert.ok(error instanceof RegistryHeld);
        assert.deepEqual(error.plan, { added: 1, changed: 2, removed: 3, held: 10 });
        assert.match(error.message, /50 %.*40 %/);
        return true;
      });
      for (const number of [0, 9]) await shows(subject, label(number), { ipv4: "192.0.2.1" });
      await shows(subject, label(50), "NXDOMAIN");
      assert.equal((await successor.replace(all(wanted), 0.5)).names, 8);
      await shows(subject, label(0), { ipv4: "192.0.2.2" });
      await shows(subject, label(9), "NXDOMAIN");
      await successor.close();
    });
  });
}
