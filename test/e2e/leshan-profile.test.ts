import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, suite, test } from "node:test";
import { BootstrapClient, factoryTree, type ObjectTree, systemEnvironment } from "../../src/device/index.ts";
import { resourceValue } from "../../src/lwm2m/index.ts";
import { System } from "../support/system.ts";

const FILE = resolve("examples/fleet.leshan.json");

interface Security {
  readonly uri: string;
  readonly bootstrapServer: boolean;
  readonly securityMode: "PSK" | "RPK" | "X509";
  readonly publicKeyOrId: readonly number[];
  readonly serverPublicKey: readonly number[];
  readonly secretKey: readonly number[];
  readonly serverId?: number;
}
interface Config {
  readonly security: Readonly<Record<string, Security>>;
  readonly servers: Readonly<Record<string, { readonly shortId: number; readonly lifetime: number; readonly binding: string }>>;
}

/** The file as Leshan reads it: nothing of Berth's is asked. */
const STORE = JSON.parse(readFileSync(FILE, "utf8")) as Readonly<Record<string, Config>>;
const PSK = "00112233445566778899aabbccddeeff";

suite("a profile exported from Leshan", () => {
  let system: System;
  before(async () => {
    system = await System.start({ instances: 1 });
    const put = await system.berth("profile", "put", "leshan", FILE);
    assert.equal(put.code, 0, put.stderr);
    const fleet = join(system.folder, "leshan.csv");
    writeFileSync(
      fleet,
      `endpoint,psk\n${Object.keys(STORE)
        .map((endpoint) => `${endpoint},${PSK}\n`)
        .join("")}`,
    );
    const { code, stderr } = await system.berth("import", fleet);
    assert.equal(code, 0, stderr);
  });
  after(() => system?.stop());

  /** Bootstraps the device over the network, and gives all it then has. */
  async function bootstrapped(endpoint: string): Promise<ObjectTree> {
    const uri = `coaps://${system.address("bs-1")}:${system.port}`;
    const tree = factoryTree({ uri, identity: endpoint, psk: Buffer.from(PSK, "hex") });
    const client = new BootstrapClient({ endpoint, tree, maxAttempts: 3 }, systemEnvironment());
    const result = await client.bootstrap();
    client.stop();
    return result.tree;
  }

  for (const [endpoint, { security, servers }] of Object.entries(STORE)) {
    test(`${endpoint} ends with its servers and keys: PSK, X.509 and raw public key, and the bootstrap account`, async () => {
      const tree = await bootstrapped(endpoint);
      const accounts = tree.instances(0);
      assert.equal(accounts.length, Object.keys(security).length);
      for (const expected of Object.values(security)) {
        const found = accounts.find((instance) =>
          expected.bootstrapServer
            ? resourceValue(instance, 1, "boolean") === true
            : resourceValue(instance, 10, "integer") === expected.serverId,
        );
        assert.ok(found !== undefined, `${expected.uri} ${expected.serverId}`);
        assert.equal(resourceValue(found, 0, "string"), expected.uri);
        assert.equal(resourceValue(found, 2, "integer"), ["PSK", "RPK", "X509"].indexOf(expected.securityMode));
        for (const [id, bytes] of [
          [3, expected.publicKeyOrId],
          [4, expected.serverPublicKey],
          [5, expected.secretKey],
        ] as const) {
          assert.deepEqual(Buffer.from(resourceValue(found, id, "opaque") ?? []), Buffer.from(bytes), `/0/${found.id}/${id}`);
        }
      }
      const told = tree.instances(1).map((instance) => ({
        shortId: resourceValue(instance, 0, "integer"),
        lifetime: resourceValue(instance, 1, "integer"),
        binding: resourceValue(instance, 7, "string"),
      }));
      const expected = Object.values(servers).map(({ shortId, lifetime, binding }) => ({ shortId, lifetime, binding }));
      assert.deepEqual(told, expected);
    });
  }
});
