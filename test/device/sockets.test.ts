import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { decode, encode, type Packet } from "dns-packet";
import { BootstrapClient, factoryTree, runFleet, systemEnvironment } from "../../src/device/index.ts";
import { utf8 } from "../../src/lib/bytes.ts";
import { builtInRecipe, temporaryUri } from "../../src/naming/index.ts";
import { openUdp, type UdpSocket } from "../../src/net/index.ts";
import { openScripted } from "./on-sockets.ts";
import { PSK } from "./scripted-server.ts";

/* The same devices on real sockets, with a real resolver and the real clock, all on the loopback interface. */

const RECIPE = builtInRecipe("berth-1");
const names = new Map<string, string>();
const servers: { close(): Promise<void> }[] = [];
let resolvers: string[] = [];
let uri = "";
let uri6 = "";

before(async () => {
  const dns = await openUdp({
    address: "127.0.0.1",
    port: 0,
    onDatagram: (bytes, address, port) => dns.send(answer(bytes), port, address),
  });
  servers.push(dns);
  resolvers = [`127.0.0.1:${dns.port}`];
  uri = `coaps://bs.example.com:${await serve("127.0.0.1")}`;
  uri6 = `coaps://bs.example.com:${await serve("::1")}`;
});

after(async () => {
  for (const server of servers) await server.close();
});

function answer(query: Uint8Array): Uint8Array {
  const { id = 0, questions = [] } = decode(Buffer.from(query)) as Packet;
  const [question] = questions;
  const address = names.get(question?.name.toLowerCase() ?? "");
  const fits = address !== undefined && question !== undefined && question.type === (address.includes(":") ? "AAAA" : "A");
  return encode({
    type: "response",
    id,
    flags: 0x0400 | (address === undefined ? 3 : 0),
    questions,
    answers: fits ? [{ name: question.name, type: question.type as "A", ttl: 30, data: address }] : [],
  });
}

async function serve(address: string): Promise<number> {
  const server = await openScripted({ address });
  servers.push(server);
  return server.port;
}

function name(endpoint: string, staticUri: string, address: string): void {
  names.set(temporaryUri(RECIPE, staticUri, { secret: PSK, endpoint, instant: Date.now() }).host, address);
}

test("one device, over IPv4 and over IPv6", async () => {
  for (const [staticUri, address] of [
    [uri, "127.0.0.1"],
    [uri6, "::1"],
  ] as const) {
    name("one", staticUri, address);
    const tree = factoryTree({ uri: staticUri, identity: "one", psk: PSK });
    let closed: () => void = () => {};
    const end = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const client = new BootstrapClient({ endpoint: "one", tree, recipe: RECIPE }, systemEnvironment({ resolvers }), { closed });
    const result = await client.bootstrap();
    assert.equal(result.address, address);
    assert.ok(result.tree.get(1, 0) !== undefined);
    await end;
  }
});

test("a fleet, and a fleet on a bad network", async () => {
  const devices = Array.from({ length: 40 }, (_, i) => ({ endpoint: `dev-${i}`, identity: `dev-${i}`, psk: PSK }));
  for (const { endpoint } of devices) name(endpoint, uri, "127.0.0.1");
  for (const impairment of [undefined, { loss: 0.05, duplicate: 0.05, reorder: 0.05 }]) {
    const options = { devices, uri, recipe: RECIPE, resolvers, burst: 100, limits: { linger: 1_000 } };
    const run = runFleet({ ...options, ...(impairment === undefined ? {} : { impairment }) });
    const { completed, servers } = await run.done;
    assert.equal(completed, 40);
    assert.equal(Object.keys(servers).length, 1);
    await run.closed;
  }
});

test("where nobody listens an attempt ends at once", async () => {
  const gone = await openUdp({ address: "127.0.0.1", port: 0, onDatagram: () => {} });
  await gone.close();
  const tree = factoryTree({ uri: `coaps://127.0.0.1:${gone.port}`, identity: "one", psk: utf8("0123456789abcdef") });
  const causes: string[] = [];
  const client = new BootstrapClient({ endpoint: "one", tree, maxAttempts: 1 }, systemEnvironment(), {
    failed: ({ cause }) => void causes.push(cause),
  });
  const begin = performance.now();
  await assert.rejects(client.bootstrap(), { code: "bootstrap-failed" });
  assert.deepEqual(causes, ["unreachable"]);
  assert.ok(performance.now() - begin < 1_000);
});

test("the clock offset is the device's, and moves its names", async () => {
  const hour = 3_600_000;
  const endpoint = "late";
  names.set(temporaryUri(RECIPE, uri, { secret: PSK, endpoint, instant: Date.now() + 5 * hour }).host, "127.0.0.1");
  const run = runFleet({
    devices: [{ endpoint, identity: "late", psk: PSK }],
    uri,
    recipe: RECIPE,
    resolvers,
    clockOffset: 5 * hour,
  });
  assert.equal((await run.done).completed, 1);
  await run.closed;
});

test("the example of docs/device.md runs as it stands", async () => {
  const port = Number(uri.split(":")[2]);
  const code = /```js\n(.*?)```/s.exec(readFileSync("docs/device.md", "utf8"))?.[1];
  assert.ok(code !== undefined);
  name("urn:dev:os:berth-0001", uri, "127.0.0.1");
  const settings = [
    ["5684", String(port)],
    ["127.0.0.1:8653", resolvers[0] ?? ""],
    ["berth/device", pathToFileURL("src/device/index.ts").href],
    ["berth/naming", pathToFileURL("src/naming/index.ts").href],
  ] as const;
  const folder = mkdtempSync(join(tmpdir(), "berth-"));
  try {
    const file = join(folder, "device.mjs");
    writeFileSync(
      file,
      settings.reduce((text, [from, to]) => text.replace(from, to), code),
    );
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", file]);
    assert.match(stdout, new RegExp(`configured by 127.0.0.1 port ${port}`));
    assert.match(stdout, /'\/1\/0\/0': 123/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a device that cannot be secured ends with the reason, and leaves no socket open", async () => {
  let closed = 0;
  const socket: Partial<UdpSocket> = {
    close: async () => {
      closed += 1;
    },
  };
  const client = new BootstrapClient(
    { endpoint: "urn:dev:x", tree: factoryTree({ uri, identity: "urn:dev:x", psk: PSK }) },
    {
      ...systemEnvironment({ resolvers }),
      resolve: async () => ({ ipv4: ["127.0.0.1"], ipv6: [] }),
      openSocket: async () => socket as UdpSocket,
      openssl: () => {
        throw new Error("no OpenSSL here");
      },
    },
  );
  await assert.rejects(client.bootstrap(), /no OpenSSL here/);
  assert.equal(closed, 1);
});
