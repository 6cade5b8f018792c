import assert from "node:assert/strict";
import { test } from "node:test";
import { compileProfile, type ObjectInstance } from "../../src/lwm2m/index.ts";
import { DEVICE, discovered, nameOf, profileOf, toInstance, type VectorResources } from "./support.ts";

const ONE = { 0: ["integer", 101], 1: ["integer", 60], 6: ["boolean", true], 7: ["string", "U"] } satisfies VectorResources;
const SERVERS = `
servers:
  - { uri: "coap://a.example.com:5683", shortServerId: 101, security: { mode: nosec } }
  - { uri: "coap://b.example.com:5683", shortServerId: 102, security: { mode: nosec } }
`;
const BEFORE = "</>;lwm2m=1.1,</0/0>,</1>";
/** What a client has when all was written as it should be. */
const GOOD = "</>;lwm2m=1.1,</0/0>,</0/1>;ssid=101,</0/2>;ssid=102,</1/1>;ssid=101,</1/2>;ssid=102";

/** What is sent after a 4.06 at Finish, when the client shows this. */
function corrected(after: string, servers: readonly ObjectInstance[] = [], yaml = SERVERS, before = BEFORE): string[] {
  const plan = compileProfile(profileOf(yaml)).plan(DEVICE, { found: discovered(before) });
  const steps = plan.correct(discovered(after), servers);
  for (const step of steps) if (step.kind === "write") assert.ok(plan.steps.includes(step), nameOf(step));
  return steps.map(nameOf);
}

test("where nothing is wrong to be seen, nothing is sent", () => {
  assert.deepEqual(corrected(GOOD), []);
  assert.deepEqual(corrected(GOOD, [toInstance("/1/1", ONE), toInstance("/1/2", { ...ONE, 0: ["integer", 102] })]), []);
});

test("instances that are missing are written again", () => {
  assert.deepEqual(corrected(GOOD.replace(",</0/2>;ssid=102", "")), ["write /0/2", "finish"]);
  assert.deepEqual(corrected(GOOD.replace(",</1/1>;ssid=101", "")), ["write /1/1", "finish"]);
  assert.deepEqual(corrected(BEFORE), ["write /0/1", "write /0/2", "write /1/1", "write /1/2", "finish"]);
});

test("an instance that is not what was written is written again", () => {
  assert.deepEqual(corrected(GOOD.replace("</1/2>;ssid=102", "</1/2>;ssid=7")), ["write /1/2", "finish"]);
  const noSsid = GOOD.replace("</1/1>;ssid=101", "</1/1>");
  assert.deepEqual(corrected(noSsid), []);
  assert.deepEqual(corrected(noSsid, [toInstance("/1/1", { ...ONE, 0: ["integer", 9] })]), ["write /1/1", "finish"]);
  const { 1: _lifetime, ...lacking } = ONE;
  assert.deepEqual(corrected(GOOD, [toInstance("/1/1", lacking)]), ["write /1/1", "finish"]);
});

test("leftovers with one half, or with the short server id of another, are deleted", () => {
  for (const [leftover, expected] of [
    ["</0/5>;ssid=9", ["delete /0/5", "finish"]],
    ["</1/5>;ssid=9", ["delete /1/5", "finish"]],
    ["</1/5>;ssid=101", ["delete /1/5", "finish"]],
    ["</0/5>;ssid=102", ["delete /0/5", "finish"]],
    ["</0/5>;ssid=9,</1/7>;ssid=9", []],
    ["</0/5>;ssid=9,</0/6>;ssid=9,</1/7>;ssid=9,</1/8>;ssid=9", ["delete /0/6", "delete /1/8", "finish"]],
    ["</0/5>;ssid=9,</1/6>;ssid=8", ["delete /0/5", "delete /1/6", "finish"]],
  ] as const) {
    assert.deepEqual(corrected(`${GOOD},${leftover}`), expected, leftover);
  }
});

test("leftovers of /1 that Discover does not name are known from Bootstrap-Read", () => {
  const silent = "</>;lwm2m=1.0,</0/0>,</0/1>;ssid=101,</0/2>;ssid=102,</1/1>,</1/2>,</1/5>";
  const read = [101, 102, 9].map((ssid, index) => toInstance(`/1/${[1, 2, 5][index]}`, { ...ONE, 0: ["integer", ssid] }));
  assert.deepEqual(corrected(silent, read), ["delete /1/5", "finish"]);
  assert.deepEqual(corrected(silent), []);
});

test("what may be a bootstrap account is never deleted, not even the second of two", () => {
  assert.deepEqual(corrected(`${GOOD},</0/7>`), []);
  // None is shown to be the account, so each may be it.
  assert.deepEqual(corrected(`${GOOD.replace("</0/0>", "</0/0>;ssid=99")}`), []);
  // LwM2M 1.0: nothing of /0 says which server it is for.
  assert.deepEqual(corrected('lwm2m="1.0",</0/0>,</0/1>,</0/2>,</0/3>,</1/1>;ssid=101,</1/2>;ssid=102,</1/3>;ssid=9'), []);
});

test("a resource and an object are written again with the instance they belong to, the account last", () => {
  const yaml = `${SERVERS}
bootstrapServer: { uri: "coap://bs.example.com:5683", security: { mode: nosec }, securityResources: { 11: 1 } }
objects: { /2: { 0: { 0: 5, 1: 0, 3: 101 }, 1: { 0: 4, 1: 0, 3: 101 } }, /33000/0: { 0: 1 }, /33000/0/1: 2, /3/0/14: "+01:00" }`;
  assert.deepEqual(corrected(`${GOOD},</2/0>,</3/0>`, [], yaml), ["write /2", "write /33000/0", "write /33000/0/1", "finish"]);
  assert.deepEqual(corrected(`${GOOD.replace("</0/0>,", "")},</2/0>,</2/1>,</33000/0>`, [], yaml), ["write /0/0", "finish"]);
});
