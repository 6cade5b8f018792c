import assert from "node:assert/strict";
import { test } from "node:test";
import { describeTree, factoryTree, type ObjectTree } from "../../src/device/index.ts";
import { utf8 } from "../../src/lib/bytes.ts";
import { BERTH_OBJECT, type ObjectInstance, objectInstance, type Resource, single } from "../../src/lwm2m/index.ts";
import { builtInRecipe, parseRecipe, type Recipe, temporaryUri } from "../../src/naming/index.ts";
import { ENDPOINT, HERE, type Story, start, URI } from "./client-fixture.ts";
import { after, del, FACTORY, pathsOf } from "./operation-fixture.ts";
import { bootstrapAccount, codesOf, FINISH, PSK, ScriptedServer, security, server, write } from "./scripted-server.ts";
import { World } from "./world.ts";

const MINUTE = 60_000;
const BERTH_1 = builtInRecipe("berth-1");
const COUNTING = parseRecipe({
  ...BERTH_1,
  name: "counting",
  parameters: [{ kind: "endpoint" }, { kind: "counter" }],
  lookAhead: 2,
});
const OTHER = parseRecipe({ ...BERTH_1, name: "other", nameKey: { info: "other" } });
const OTHER_SECRET = utf8("a secret of its own");

const configuration = [security(1), server(1)].map((instance) => write(instance));

function berthObject(recipe: Recipe | string, more: readonly Resource[] = []): ObjectInstance {
  const text = typeof recipe === "string" ? recipe : JSON.stringify(recipe);
  return objectInstance(BERTH_OBJECT, 0, [single(0, { type: "string", value: text }), ...more]);
}
const account = (id: number): Resource => single(1, { type: "objlnk", value: { objectId: 0, instanceId: id } });
const secretOf = (value: Uint8Array): Resource => single(2, { type: "opaque", value });
const counter = (value: number): Resource => single(3, { type: "unsigned", value });

function factory(settings: Partial<Parameters<typeof factoryTree>[0]>): ObjectTree {
  return factoryTree({ uri: URI, identity: "dev-1", psk: PSK, ...settings });
}

/** The host a recipe gives the device. */
function host(world: World, recipe: Recipe, at: { uri?: string; secret?: Uint8Array; counter?: number } = {}): string {
  const { uri = URI, secret = PSK, counter = 0 } = at;
  return temporaryUri(recipe, uri, { secret, endpoint: ENDPOINT, instant: world.wallNow(), counter }).host;
}

/** Lets a device bootstrap once, in a world in which only `name` leads to the server. */
async function bootstrap(
  tree: ObjectTree,
  name: (world: World) => string,
  script = configuration,
  options: Parameters<typeof start>[1] = {},
): Promise<Story & { codes: string[]; asked: string[] }> {
  const world = new World();
  const scripted = new ScriptedServer(world, HERE);
  scripted.script = [...script, FINISH];
  world.names.set(name(world), { ipv4: [HERE.address], ipv6: [] });
  const story = start(world, { recipe: "none", tree, maxAttempts: 1, ...options });
  await world.run(() => story.closed, 10 * MINUTE);
  return { ...story, codes: codesOf(scripted.results), asked: world.asked };
}

test("recipe, name secret and counter are read from the Berth object (D5)", async () => {
  for (const [settings, name] of [
    [{ recipe: BERTH_1 }, (world: World) => host(world, BERTH_1)],
    [{ recipe: OTHER, secret: OTHER_SECRET }, (world: World) => host(world, OTHER, { secret: OTHER_SECRET })],
    [{ recipe: COUNTING, counter: 41 }, (world: World) => host(world, COUNTING, { counter: 41 })],
  ] as const) {
    const { result, asked } = await bootstrap(factory(settings), name);
    assert.equal(result?.kind, "own", asked.join());
  }
});

test("what the options say counts instead", async () => {
  const tree = factory({ recipe: BERTH_1, secret: OTHER_SECRET, counter: 7 });
  const { result } = await bootstrap(tree, (world) => host(world, COUNTING, { counter: 3 }), configuration, {
    recipe: COUNTING,
    secret: PSK,
    counter: 3,
  });
  assert.equal(result?.kind, "own");
});

test("the counter goes on in the Berth object, from the one that was used", async () => {
  const first = await bootstrap(factory({ recipe: COUNTING, counter: 7 }), (world) => host(world, COUNTING, { counter: 9 }));
  assert.deepEqual(
    [first.result?.nextCounter, describeTree(first.client.tree)[`/${BERTH_OBJECT}/0/3`]],
    [10, "10"].map((n) => Number(n)),
  );
  const second = await bootstrap(first.client.tree, (world) => host(world, COUNTING, { counter: 10 }));
  assert.deepEqual([second.result?.kind, second.result?.nextCounter], ["own", 11]);
});

test("a failed bootstrap uses up no counter", async () => {
  const { client, codes } = await bootstrap(
    factory({ recipe: COUNTING, counter: 7 }),
    (world) => host(world, COUNTING, { counter: 7 }),
    [],
  );
  assert.deepEqual([codes, describeTree(client.tree)[`/${BERTH_OBJECT}/0/3`]], [["4.06"], 7]);
});

test("a recipe, secret and counter that a bootstrap writes take effect at the next one (D5)", async () => {
  const written = write(berthObject(COUNTING, [secretOf(OTHER_SECRET), counter(100)]));
  const first = await bootstrap(factory({ recipe: BERTH_1 }), (world) => host(world, BERTH_1), [...configuration, written]);
  assert.equal(first.result?.kind, "own");
  const second = await bootstrap(first.client.tree, (world) => host(world, COUNTING, { secret: OTHER_SECRET, counter: 100 }));
  assert.equal(second.result?.kind, "own");
});

test("a counting device that is given a recipe without a counter counts on; a counter that is written counts", async () => {
  const old = factory({ recipe: COUNTING, counter: 7 });
  for (const [more, expected] of [
    [[], 8],
    [[counter(50)], 50],
  ] as const) {
    const script = [...configuration, write(berthObject(COUNTING, more))];
    const { client } = await bootstrap(old, (world) => host(world, COUNTING, { counter: 7 }), script);
    assert.equal(describeTree(client.tree)[`/${BERTH_OBJECT}/0/3`], expected);
  }
});

test("a new bootstrap account takes effect at the next bootstrap, its key being the secret of the names", async () => {
  const key = utf8("the next key, 16");
  const uri = "coaps://bs2.example.com:5684";
  for (const id of [0, 9]) {
    const script = [...configuration, write(bootstrapAccount(id, { uri, key }))];
    const first = await bootstrap(factory({ recipe: BERTH_1 }), (world) => host(world, BERTH_1), script);
    assert.ok(first.result !== undefined, first.codes.join());
    assert.deepEqual(
      first.client.tree.instances(0).map((instance) => instance.id),
      id === 0 ? [0, 1] : [1, 9],
    );
    const world = new World();
    const scripted = new ScriptedServer(world, HERE, true, () => key);
    world.names.set(host(world, BERTH_1, { uri, secret: key }), { ipv4: [HERE.address], ipv6: [] });
    const second = start(world, { recipe: "none", tree: first.client.tree });
    assert.ok(await world.run(() => second.closed, 10 * MINUTE));
    assert.deepEqual([second.result?.kind, scripted.finished], ["own", [ENDPOINT]]);
  }
});

test("account, Berth object and servers are replaced together or not at all", async () => {
  const tree = factory({ recipe: COUNTING, counter: 7 });
  const replaced = [
    write(bootstrapAccount(9)),
    write(berthObject(OTHER, [account(9)])),
    { method: "DELETE", path: ["0", "0"] } as const,
  ];
  const good = await bootstrap(tree, (world) => host(world, COUNTING, { counter: 7 }), [...configuration, ...replaced]);
  assert.deepEqual(good.codes, ["2.04", "2.04", "2.04", "2.04", "2.02", "2.04"]);
  assert.deepEqual(pathsOf(good.client.tree), ["/0/1", "/0/9", "/1/0", "/3/0", `/${BERTH_OBJECT}/0`]);
  // The same without a server account: Finish is refused.
  const bad = await bootstrap(tree, (world) => host(world, COUNTING, { counter: 7 }), replaced);
  assert.equal(bad.codes.at(-1), "4.06");
  assert.equal(bad.client.tree, tree);
});

test("what would keep the device from bootstrapping again is refused at Finish (4.06), and it stays as it was", async () => {
  const tree = factory({ recipe: BERTH_1 });
  const weak = { ...builtInRecipe("ni-3") };
  for (const [written, why] of [
    [berthObject("{"), /the recipe is no JSON/],
    [berthObject('{"version":2}'), /version/],
    [objectInstance(BERTH_OBJECT, 0, []), /Recipe is missing/],
    [berthObject(BERTH_1, [account(1)]), /\/0\/1 is not the bootstrap account, \/0\/0 is/],
    [berthObject(BERTH_1, [account(5)]), /links \/0\/5, which is not there/],
    [berthObject(weak, [secretOf(utf8("short"))]), /40 bits are too few/],
    [bootstrapAccount(0, { uri: "coaps://192.0.2.1" }), /./],
  ] as const) {
    const { client, codes, failures } = await bootstrap(tree, (world) => host(world, BERTH_1), [
      ...configuration,
      write(written),
    ]);
    assert.equal(codes.at(-1), "4.06");
    assert.equal(failures[0]?.cause, "inconsistent");
    assert.match(failures[0]?.detail ?? "", why);
    assert.equal(client.tree, tree);
  }
});

test("Delete of / spares the Berth object, which tells how the server is found; its own path deletes it", () => {
  const tree = factory({ recipe: BERTH_1 });
  assert.deepEqual(pathsOf(after(tree, [del("/")])), pathsOf(tree));
  for (const path of [`/${BERTH_OBJECT}`, `/${BERTH_OBJECT}/0`])
    assert.deepEqual(pathsOf(after(tree, [del(path)])), pathsOf(FACTORY));
});

test("a Berth object that cannot be used is refused before the first attempt", () => {
  const world = new World();
  for (const [tree, why] of [
    [FACTORY.with(berthObject("none")), /the recipe is no JSON/],
    [FACTORY.with(berthObject(BERTH_1, [account(3)])), /\/0\/3 is not the bootstrap account/],
    [factoryTree({ uri: "coap://bs.example.com", recipe: BERTH_1 }), /names need a secret of their own/],
    [factoryTree({ uri: "coap://bs{token}.example.com" }), /the static URI is a template, and there is no recipe/],
  ] as const) {
    assert.throws(() => start(world, { recipe: "none", tree }), { code: "no-bootstrap-account", message: why });
  }
});
