import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { generate } from "coap-packet";
import { Program, run } from "../support/program.ts";
import { hexOf, System, type TestDevice } from "../support/system.ts";
import { needs } from "../support/tools.ts";
import { until } from "../support/until.ts";

/** Clients we did not write, against the instances of `berth serve`. A device of each test; nobody else uses it. */

const TOKEN = Buffer.from("1234");
/** ACK, token of 4 bytes; code; whatever message id; the token. */
const CREATED = `\x64\x44`;
const BAD_REQUEST = `\x64\x80`;

let system: System;
before(async () => {
  system = await System.start({ instances: 2, devices: 12, serve: true });
});
after(() => system?.stop());

/** Device number `n`, with where it is served and its live name. */
async function device(n: number): Promise<{ it: TestDevice; address: string; name: string }> {
  const it = system.devices[n];
  assert.ok(it !== undefined);
  const { instance, names = [] } = await system.device(it.endpoint);
  return { it, address: system.address(instance ?? ""), name: names[0] ?? "" };
}

/** Waits for a line of the log that says all of this. */
async function logged(...texts: readonly string[]): Promise<void> {
  const says = (): boolean => system.logs.split("\n").some((line) => texts.every((text) => line.includes(text)));
  await until(says, `a log line with ${texts.join(", ")}`, 30);
}

function bootstrapRequest(endpoint: string, path = "bs"): Buffer {
  return generate({
    code: "POST",
    confirmable: true,
    messageId: 7,
    token: TOKEN,
    options: [
      { name: "Uri-Path", value: Buffer.from(path) },
      { name: "Uri-Query", value: Buffer.from(`ep=${endpoint}`) },
    ],
  });
}

describe("openssl s_client", { skip: needs("openssl", "openssl") }, () => {
  function connect(address: string, psk: string, identity: string, name: string): Program {
    const args = ["s_client", "-dtls1_2", "-connect", `${address}:${system.port}`, "-psk", psk, "-psk_identity", identity];
    return new Program("openssl", [...args, "-servername", name], { encoding: "latin1" });
  }

  /** Sends a Bootstrap-Request once the handshake is done, and gives the client back. */
  async function request(address: string, psk: string, identity: string, name: string, endpoint: string): Promise<Program> {
    const client = connect(address, psk, identity, name);
    await client.says(/Cipher is [^(]/, 20);
    client.write(bootstrapRequest(endpoint));
    return client;
  }

  test("with the right key, identity and name it is shaken hands with and bootstrapped", async () => {
    const { it, address, name } = await device(0);
    const client = await request(address, hexOf(it), it.endpoint, name, it.endpoint);
    await until(() => client.stdout.includes(CREATED), "2.04", 20);
    await until(async () => (await system.device(it.endpoint)).state === "commenced", "the session has commenced");
    await client.stop();
  });

  test("with another key it gets nowhere, and the log says why", async () => {
    const [{ it, address, name }, other] = [await device(1), await device(2)];
    const client = connect(address, hexOf(other.it), it.endpoint, name);
    await logged('"handshake failed"', it.endpoint, '"wrong key"');
    const { stdout } = await client.stop();
    assert.doesNotMatch(stdout, /Cipher is [^(]/);
  });

  test("with an identity nobody has it gets nowhere, and the log says why", async () => {
    const { it, address, name } = await device(1);
    const client = connect(address, hexOf(it), "urn:nobody", name);
    await logged('"handshake refused"', '"urn:nobody"', "unknown identity");
    const { stdout } = await client.stop();
    assert.doesNotMatch(stdout, /Cipher is [^(]/);
  });

  test("with another device's endpoint name it is refused, and the log says why", async () => {
    const [{ it, address, name }, other] = [await device(3), await device(2)];
    const client = await request(address, hexOf(it), it.endpoint, name, other.it.endpoint);
    await until(() => client.stdout.includes(BAD_REQUEST), "4.00", 20);
    await logged('"request refused"', it.endpoint, "the identity does not belong to the endpoint");
    await client.stop();
  });

  test("by another device's live name it is refused, and the log says why", async () => {
    const [{ it, address }, other] = [await device(4), await device(2)];
    const client = await request(address, hexOf(it), it.endpoint, other.name, it.endpoint);
    await until(() => client.stdout.includes(BAD_REQUEST), "4.00", 20);
    await logged('"request refused"', it.endpoint, "the name the device used is not a live name of it");
    await client.stop();
    assert.equal((await system.device(it.endpoint)).state, "pending");
  });

  test("at the instance its name does not lead to it gets nowhere, and the log says why", async () => {
    const { it, address, name } = await device(5);
    const elsewhere = [...system.addresses.values()].find((candidate) => candidate !== address) ?? "";
    const client = connect(elsewhere, hexOf(it), it.endpoint, name);
    await logged('"handshake refused"', it.endpoint, "the device belongs to another instance");
    const { stdout } = await client.stop();
    assert.doesNotMatch(stdout, /Cipher is [^(]/);
  });
});

describe("coap-client of libcoap", { skip: needs("coap-client-openssl", "libcoap3-bin") }, () => {
  /** `name` goes out as Uri-Host; the address has to do where a name server cannot be given. */
  async function post(at: string, { key }: { key: string }, identity: string, endpoint: string, name?: string): Promise<string> {
    const host = name === undefined ? [] : ["-O", `3,${name}`];
    const uri = `coaps://${at}:${system.port}/bs?ep=${endpoint}`;
    const args = ["-v", "7", "-B", "4", "-m", "post", "-u", identity, "-k", key, ...host, uri];
    const { stdout, stderr } = await run("coap-client-openssl", args);
    return stdout + stderr;
  }

  test("with the right key it is shaken hands with and bootstrapped, with and without a name", async () => {
    for (const n of [6, 7]) {
      const { it, address, name } = await device(n);
      const output = await post(address, it, it.endpoint, it.endpoint, n === 6 ? name : undefined);
      assert.match(output, /t:ACK c:2\.04/);
    }
  });

  test("with another key or identity it gets no answer, and the log says why", async () => {
    const [{ it, address }, other] = [await device(8), await device(2)];
    assert.doesNotMatch(await post(address, other.it, it.endpoint, it.endpoint), /t:ACK/);
    await logged('"handshake failed"', it.endpoint, '"wrong key"');
    assert.doesNotMatch(await post(address, it, "urn:somebody", it.endpoint), /t:ACK/);
    await logged('"handshake refused"', '"urn:somebody"', "unknown identity");
  });

  test("with another device's endpoint name, or by its live name, it is refused, and the log says why", async () => {
    const [{ it, address }, other] = [await device(9), await device(2)];
    assert.match(await post(address, it, it.endpoint, other.it.endpoint), /t:ACK c:4\.00/);
    await logged('"request refused"', it.endpoint, "the identity does not belong to the endpoint");
    assert.match(await post(address, it, it.endpoint, it.endpoint, other.name), /t:ACK c:4\.00/);
    await logged('"request refused"', it.endpoint, "the name the device used is not a live name of it");
  });
});

test("no key and no live name is in any log", async () => {
  const { logs } = system;
  assert.ok(logs.includes('"instance joined"'), "these are the logs");
  for (const it of system.devices) {
    const { names = [] } = await system.device(it.endpoint);
    const base64 = Buffer.from(it.key).toString("base64");
    for (const secret of [it.key, hexOf(it), base64, ...names.map((name) => name.split(".")[0] ?? "")]) {
      assert.ok(!logs.toLowerCase().includes(secret.toLowerCase()), `a secret of ${it.endpoint} is in the log`);
    }
  }
});

test("serve is killed without a chance to take its processes down: they end by themselves", async () => {
  await system.program("serve").stop("SIGKILL");
  const isDown = async (): Promise<boolean> => {
    const { code, stderr } = await system.berth("instances");
    return code === 1 && stderr.includes("no balancer at");
  };
  await until(isDown, "the balancer ends");
});
