import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type BootstrapProfile,
  type BootstrapStep,
  compileProfile,
  type DiscoverAnswer,
  parsePath,
  parseProfile,
} from "../../src/lwm2m/index.ts";
import { DEVICE, written } from "./support.ts";

const id = fc.integer({ min: 0, max: 12 });
const ssid = fc.integer({ min: 1, max: 5 });

/** Any client: instances of /0, /1 and /21 with or without short server ids, in any order. */
const client: fc.Arbitrary<DiscoverAnswer> = fc
  .uniqueArray(fc.record({ objectId: fc.constantFrom(0, 0, 1, 1, 21, 3), id, ssid: fc.option(ssid, { nil: undefined }) }), {
    maxLength: 12,
    selector: ({ objectId, id }) => `${objectId}/${id}`,
  })
  .map((all) => ({
    lwm2m: "1.1",
    entries: all.map((each) => ({ path: [each.objectId, each.id], ...(each.ssid === undefined ? {} : { ssid: each.ssid }) })),
  }));

const oscore = { masterSecret: "00", senderId: "01", recipientId: "02" };

/** Any profile that passes the checks. */
const profile: fc.Arbitrary<BootstrapProfile> = fc
  .record({
    delete: fc.subarray(["/", "/0", "/1", "/21", "/0/0", "/0/1", "/0/10", "/21/0", "/1/3"]),
    servers: fc.uniqueArray(
      fc.record({ shortServerId: ssid, instance: fc.option(id, { nil: undefined }), oscore: fc.boolean() }),
      { minLength: 1, maxLength: 4, selector: ({ shortServerId }) => shortServerId },
    ),
    account: fc.constantFrom("none", "replaced", "at 0"),
    pair: fc.option(fc.record({ security: id, server: id }), { nil: undefined }),
    context: fc.option(id, { nil: undefined }),
  })
  .map((choice) => {
    const seen = new Set<number>();
    return {
      delete: choice.delete,
      servers: choice.servers.map((server) => {
        const instance = server.instance === undefined || seen.has(server.instance) ? undefined : server.instance;
        if (instance !== undefined) seen.add(instance);
        const security = { mode: "nosec", ...(server.oscore ? { oscore } : {}) };
        return {
          uri: "coap://a:1",
          shortServerId: server.shortServerId,
          security,
          ...(instance === undefined ? {} : { instance }),
        };
      }),
      ...(choice.account === "none"
        ? {}
        : {
            bootstrapServer: {
              uri: "coap://bs:1",
              security: { mode: "nosec" },
              ...(choice.account === "at 0" ? { instance: 0 } : {}),
            },
          }),
      objects: {
        ...(choice.pair === undefined
          ? {}
          : {
              [`/0/${choice.pair.security}`]: { 0: "coap://b:1", 1: false, 2: 3, 10: 9 },
              [`/1/${choice.pair.server}`]: { 0: 9, 1: 60, 6: true, 7: "U" },
            }),
        ...(choice.context === undefined ? {} : { [`/21/${choice.context}`]: { 0: "0a", 1: "", 2: "01" } }),
      },
    };
  })
  .chain((input) => {
    try {
      return fc.constant(parseProfile(input));
    } catch {
      // Two explicit ids that collide.
      return fc.constant(parseProfile({ servers: input.servers.map(({ instance: _instance, ...server }) => server) }));
    }
  });

/** The steps, or none where the profile refuses the client because its bootstrap account is not clear. */
function stepsOf(given: BootstrapProfile, found: DiscoverAnswer | undefined): readonly BootstrapStep[] {
  try {
    return compileProfile(given).plan(DEVICE, found === undefined ? {} : { found }).steps;
  } catch (error) {
    assert.equal((error as { code?: string }).code, "profile-mismatch");
    assert.ok(given.bootstrapServer !== undefined);
    return [];
  }
}

function accountsOf(found: DiscoverAnswer): string[] {
  return found.entries.flatMap(({ path, ssid }) => (path[0] === 0 && ssid === undefined ? [`/0/${path[1]}`] : []));
}

function pathsOf(steps: readonly BootstrapStep[], kind: BootstrapStep["kind"]): string[] {
  return steps.flatMap((step) => (step.kind === kind && "path" in step ? [step.path] : []));
}

test("no profile writes or deletes the bootstrap account of any client, but for bootstrapServer, which writes nothing else", () => {
  fc.assert(
    fc.property(profile, client, (given, found) => {
      const steps = stepsOf(given, found);
      const accounts = accountsOf(found);
      const touched = pathsOf(steps, "write").filter((path) => accounts.includes(path));
      if (given.bootstrapServer === undefined) assert.deepEqual(touched, []);
      else if (steps.length > 0) {
        assert.ok(touched.length <= 1);
        const last = steps.at(-2);
        assert.ok(last?.kind === "write");
        if (accounts.length === 1) assert.deepEqual([last.path], accounts);
        assert.equal(written(last)[0]?.resources.get(1)?.kind, "single");
        assert.ok(touched.every((path) => path === last.path));
      }
      assert.deepEqual(
        pathsOf(steps, "delete").filter((path) => accounts.includes(path)),
        [],
      );
    }),
    { numRuns: 1000 },
  );
});

test("no two things are written to one place, each server has its two halves, and every plan ends in Finish", () => {
  fc.assert(
    fc.property(profile, fc.option(client, { nil: undefined }), (given, found) => {
      const steps = stepsOf(given, found);
      if (steps.length === 0) return;
      const writes = pathsOf(steps, "write");
      assert.equal(new Set(writes).size, writes.length);
      assert.equal(steps.filter(({ kind }) => kind === "finish").length, 1);
      assert.equal(steps.at(-1)?.kind, "finish");
      const all = steps.flatMap((step) => written(step));
      const ssids = (objectId: number, resource: number): unknown[] =>
        all
          .filter((instance) => instance.objectId === objectId)
          .flatMap((instance) => {
            const value = instance.resources.get(resource);
            return value?.kind === "single" ? [value.value.value] : [];
          })
          .sort();
      assert.deepEqual(ssids(0, 10), ssids(1, 0));
      const links = all.flatMap((instance) => {
        const link = instance.objectId === 0 ? instance.resources.get(17) : undefined;
        return link?.kind === "single" && link.value.type === "objlnk" ? [`/21/${link.value.value.instanceId}`] : [];
      });
      for (const link of links) assert.ok(writes.includes(link), link);
      assert.equal(new Set(links).size, links.length);
    }),
    { numRuns: 1000 },
  );
});

test("an instance of a server the deletes leave is written over, never doubled", () => {
  fc.assert(
    fc.property(profile, client, (given, found) => {
      const named = { ...given, servers: given.servers.map(({ instance: _instance, ...server }) => server), objects: {} };
      if (accountsOf(found).length === 0 || given.delete.length > 0) return;
      const writes = pathsOf(stepsOf(named, found), "write");
      if (writes.length === 0) return;
      for (const { shortServerId } of named.servers) {
        for (const objectId of [0, 1]) {
          const there = found.entries.filter(({ path, ssid }) => path[0] === objectId && ssid === shortServerId);
          if (there.length > 0) assert.ok(there.some(({ path }) => writes.includes(`/${path.join("/")}`)));
        }
      }
    }),
    { numRuns: 1000 },
  );
});

test("a correction deletes nothing that was written and nothing that may be the bootstrap account, and ends in Finish", () => {
  fc.assert(
    fc.property(profile, client, client, (given, found, after) => {
      let plan: ReturnType<ReturnType<typeof compileProfile>["plan"]>;
      try {
        plan = compileProfile(given).plan(DEVICE, { found });
      } catch {
        return;
      }
      const steps = plan.correct(after, []);
      if (steps.length === 0) return;
      assert.equal(steps.at(-1)?.kind, "finish");
      const kept = new Set([...pathsOf(plan.steps, "write"), ...accountsOf(after)]);
      for (const path of pathsOf(steps, "delete")) {
        assert.ok(!kept.has(path), path);
        assert.ok(after.entries.some((entry) => `/${entry.path.join("/")}` === path));
        assert.equal(parsePath(path).length, 2);
      }
      assert.ok(pathsOf(steps, "write").every((path) => pathsOf(plan.steps, "write").includes(path)));
    }),
    { numRuns: 1000 },
  );
});
