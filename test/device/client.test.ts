import assert from "node:assert/strict";
import { test } from "node:test";
import { BootstrapClient, describeTree, factoryTree } from "../../src/device/index.ts";
import { builtInRecipe, temporaryUri } from "../../src/naming/index.ts";
import { codesOf, PSK, ScriptedServer } from "./scripted-server.ts";
import { World } from "./world.ts";

const URI = "coaps://bs.example.com:5684";
const ENDPOINT = "urn:dev:1";
const BERTH_1 = builtInRecipe("berth-1");

function hostAt(instant: number): string {
  return temporaryUri(BERTH_1, URI, { secret: PSK, endpoint: ENDPOINT, instant }).host;
}

test("a device computes its name, finds its server, and is configured", async () => {
  const world = new World();
  const server = new ScriptedServer(world, { address: "10.0.0.1", port: 5684 });
  world.names.set(hostAt(world.epoch), { ipv4: ["10.0.0.1"], ipv6: [] });
  let closed = false;
  const tree = factoryTree({ uri: URI, identity: "dev-1", psk: PSK });
  const client = new BootstrapClient({ endpoint: ENDPOINT, tree, recipe: BERTH_1 }, world.environment(), {
    closed: () => {
      closed = true;
    },
  });
  const bootstrap = client.bootstrap();
  assert.ok(await world.run(() => closed, 60_000));
  const result = await bootstrap;
  console.log(describeTree(result.tree), result.elapsed, codesOf(server.results), server.serverNames);
  assert.equal(world.openSockets, 0);
});
