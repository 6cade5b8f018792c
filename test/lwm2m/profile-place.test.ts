import assert from "node:assert/strict";
import { test } from "node:test";
import { type BootstrapStep, compileProfile } from "../../src/lwm2m/index.ts";
import { bootstrapSteps, DEVICE, discovered, nameOf, profileOf, writtenBy } from "./support.ts";

const NOSEC = "security: { mode: nosec }";
/** Servers 101, 102, ..., each with `more` fields. */
function servers(...more: readonly string[]): string {
  const entries = more.map(
    (fields, index) => `  - { uri: "coap://s${index}.example.com:5683", shortServerId: ${101 + index}, ${NOSEC}${fields} }`,
  );
  return `servers:\n${entries.join("\n")}\n`;
}

function steps(yaml: string, answer: string | undefined): readonly BootstrapStep[] {
  return bootstrapSteps(profileOf(yaml), DEVICE, answer === undefined ? {} : { found: discovered(answer) });
}

/** The paths written, in order. */
function writes(yaml: string, answer: string | undefined): string[] {
  return steps(yaml, answer).flatMap((step) => (step.kind === "write" ? [step.path] : []));
}

test("servers get the lowest ids that are free in /0 and /1 and not the bootstrap account's, in each client's form of Discover", () => {
  for (const [answer, expected] of [
    // Wakaama has its bootstrap account at /0/0, and may have a server at /1/0 from before, which the deletes remove.
    ["</>;lwm2m=1.1,</0/0>,</1>;ver=1.1,</1/0>;ssid=123", ["/0/1", "/0/2", "/1/1", "/1/2"]],
    // Anjay's demo has it at /0/1.
    ['</>;lwm2m=1.2,</0>,</0/1>;uri="coap://bs.example.com:5683",</1>', ["/0/0", "/0/2", "/1/0", "/1/2"]],
    // LwM2M 1.0 does not say which server an instance is for, so any of /0 may be the account.
    ['lwm2m="1.0",</0>,</0/0>,</0/2>,</1>,</1/0>', ["/0/1", "/0/3", "/1/1", "/1/3"]],
    // The reserved 65535 names no server.
    ["</>;lwm2m=1.1,</0/0>;ssid=65535,</0/1>;ssid=5", ["/0/1", "/0/2", "/1/1", "/1/2"]],
  ] as const) {
    assert.deepEqual(writes(servers("", ""), answer), expected, answer);
  }
});

test("a client that refuses Discover or does not show its bootstrap account gets ids from 10 on", () => {
  const ten = ["/0/10", "/0/11", "/1/10", "/1/11"];
  assert.deepEqual(writes(servers("", ""), undefined), ten);
  assert.deepEqual(writes(servers("", ""), 'lwm2m="1.0",</0>,</1>'), ten);
  assert.deepEqual(writes(`delete: []\n${servers("", "")}`, "</>;lwm2m=1.1,</0>,</1/0>;ssid=101"), [
    "/0/10",
    "/0/11",
    "/1/0",
    "/1/11",
  ]);
  // One of these may be the account for all we know.
  assert.deepEqual(writes(servers("", ""), "</>;lwm2m=1.1,</0/10>;ssid=7"), ["/0/11", "/0/12", "/1/11", "/1/12"]);
});

test("with discover: false ids are from 10 on, whatever is known of the client", () => {
  assert.deepEqual(writes(`discover: false\n${servers("", "")}`, "</>;lwm2m=1.1,</0/0>"), ["/0/10", "/0/11", "/1/10", "/1/11"]);
});

test("an id the profile says is kept, and makes way for the bootstrap account only", () => {
  const yaml = servers(", instance: 1", "", ", instance: 2");
  assert.deepEqual(writes(yaml, "</>;lwm2m=1.1,</0/0>"), ["/0/1", "/0/2", "/0/3", "/1/1", "/1/2", "/1/3"]);
  assert.deepEqual(writes(yaml, "</>;lwm2m=1.1,</0/1>"), ["/0/3", "/0/2", "/0/0", "/1/3", "/1/2", "/1/0"]);
  assert.deepEqual(writes(yaml, undefined), ["/0/1", "/0/2", "/0/10", "/1/1", "/1/2", "/1/10"]);
});

test("what stands in objects by its path makes way for the bootstrap account as well, and links to it follow", () => {
  const yaml = `
objects:
  /0/1: { 0: "coap://a.example.com:5683", 1: false, 2: 3, 10: 101, 17: "21:0" }
  /1/1: { 0: 101, 1: 60, 6: true, 7: U }
  /21/0: { 0: "0a", 1: "", 2: "01" }`;
  const answer = "</>;lwm2m=1.1,</0/1>,</21/0>";
  assert.deepEqual(writes(yaml, answer), ["/0/2", "/1/1", "/21/1"]);
  const [security] = writtenBy(steps(yaml, answer));
  assert.deepEqual(security?.resources.get(17), {
    kind: "single",
    id: 17,
    value: { type: "objlnk", value: { objectId: 21, instanceId: 1 } },
  });
});

test("an account the client has for the same server is written over when the deletes leave it", () => {
  const answer =
    "</>;lwm2m=1.1,</0/0>,</0/3>;ssid=102,</0/5>;ssid=101,</0/6>;ssid=9,</1/4>;ssid=101,</1/3>;ssid=102,</1/6>;ssid=9";
  const two = servers("", "");
  assert.deepEqual(writes(`delete: []\n${two}`, answer), ["/0/5", "/0/3", "/1/4", "/1/3"]);
  assert.deepEqual(writes(`delete: [/1]\n${two}`, answer), ["/0/5", "/0/3", "/1/5", "/1/3"]);
  assert.deepEqual(writes(`delete: [/0]\n${two}`, answer), ["/0/4", "/0/3", "/1/4", "/1/3"]);
  assert.deepEqual(writes(`delete: [/0/5, /1/4]\n${two}`, answer), ["/0/1", "/0/3", "/1/1", "/1/3"]);
  assert.deepEqual(writes(two, answer), ["/0/1", "/0/2", "/1/1", "/1/2"]);
});

test("a half that stays elsewhere does not push a server onto the account of another", () => {
  const yaml = `delete: []\n${servers("", "")}`;
  assert.deepEqual(writes(yaml, "</>;lwm2m=1.1,</0/0>,</0/5>;ssid=101,</1/5>;ssid=102"), ["/0/5", "/0/1", "/1/0", "/1/5"]);
});

test("a delete of the bootstrap account's own instance is left out", () => {
  const yaml = `delete: [/0/1, /21/0, /0/2, /1]\n${servers("")}`;
  const sent = steps(yaml, "</>;lwm2m=1.1,</0/1>,</0/2>;ssid=7,</21/0>,</1/2>;ssid=7").map(nameOf);
  assert.deepEqual(sent, ["delete /0/2", "delete /1", "write /0/0", "write /1/0", "finish"]);
  assert.deepEqual(steps(yaml, undefined).map(nameOf).slice(0, 2), ["delete /0/1", "delete /21/0"]);
});

test("an OSCORE context takes a free instance of /21 that its server links to", () => {
  const oscore = `oscore: { masterSecret: "${"0a".repeat(16)}", senderId: "01", recipientId: "02", aead: 10 }`;
  const yaml = `servers: [{ uri: "coap://a.example.com:5683", shortServerId: 101, security: { mode: nosec, ${oscore} } }]`;
  const linked = (answer: string | undefined, deletes = ""): unknown => {
    const [security, , context] = writtenBy(steps(deletes + yaml, answer));
    const link = security?.resources.get(17);
    return [link?.kind === "single" ? link.value.value : undefined, context?.objectId, context?.id, context?.resources.size];
  };
  assert.deepEqual(linked(undefined), [{ objectId: 21, instanceId: 10 }, 21, 10, 4]);
  assert.deepEqual(linked("</>;lwm2m=1.1,</0/0>,</21/0>"), [{ objectId: 21, instanceId: 1 }, 21, 1, 4]);
  const again = "</>;lwm2m=1.1,</0/0>,</21/0>,</21/7>;ssid=101";
  assert.deepEqual(linked(again), [{ objectId: 21, instanceId: 7 }, 21, 7, 4]);
  assert.deepEqual(linked(again, "delete: [/0, /1, /21]\n"), [{ objectId: 21, instanceId: 1 }, 21, 1, 4]);
});

test("devices with the same places share the payloads that do not depend on them, whoever comes in between", () => {
  const compiled = compileProfile(profileOf(servers("")));
  const payload = (answer: string): Uint8Array => {
    const step = compiled.plan(DEVICE, { found: discovered(answer) }).steps.find(({ kind }) => kind === "write");
    return step?.kind === "write" ? step.payload(11542) : assert.fail();
  };
  const [first, other, again] = ["</>,</0/0>", "</>,</0/1>", "</>,</0/0>,</3/0>"].map(payload);
  assert.equal(first, again);
  assert.notEqual(first, other);
  for (let id = 0; id < 300; id += 1) payload(`</>,</0/0>,</0/1>,</1/${id}>;ssid=${id + 1}`);
  assert.deepEqual(payload("</>,</0/0>"), first);
});

test("what is left out for one client is sent to another whose ids are the same", () => {
  const compiled = compileProfile(profileOf(`delete: [/0/1, /1]\n${servers(", instance: 5")}`));
  const sent = (answer: string): number => compiled.plan(DEVICE, { found: discovered(answer) }).steps.length;
  assert.deepEqual(["</>,</0/0>", "</>,</0/1>", "</>,</0/0>"].map(sent), [5, 4, 5]);
});
