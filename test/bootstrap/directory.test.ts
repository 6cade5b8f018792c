import assert from "node:assert/strict";
import { test } from "node:test";
import { DeviceDirectory } from "../../src/bootstrap/index.ts";
import { assignment, LogBook } from "./lockstep.ts";

const free = (): boolean => false;

test("devices are found by endpoint and by identity, also when an identity changes", () => {
  const directory = new DeviceDirectory(new LogBook());
  const plain = directory.add(assignment("a", { identity: "a" }));
  directory.add(assignment("b", { identity: "old" }));
  const device = directory.add(assignment("b", { identity: "new" }));
  assert.equal(directory.byIdentity("a"), plain);
  assert.equal(directory.byIdentity("new"), device);
  assert.equal(directory.byIdentity("old"), undefined);
  assert.equal(directory.byIdentity("b"), undefined, "an endpoint is no identity unless it is the device's");
  directory.drop("b");
  assert.equal(directory.byIdentity("new"), undefined);
  assert.equal(directory.size, 1);
});

test("an identity that moves to another device stays with it", () => {
  const directory = new DeviceDirectory(new LogBook());
  directory.add(assignment("a", { identity: "shared" }));
  const taker = directory.add(assignment("b", { identity: "shared" }));
  directory.drop("a");
  assert.equal(directory.byIdentity("shared"), taker);
});

test("a new stream drops what it has not named when it is complete, but for devices in a session", () => {
  const directory = new DeviceDirectory(new LogBook());
  directory.beginGeneration();
  directory.apply({ type: "assign", assignments: ["a", "b", "c"].map((endpoint) => assignment(endpoint)) }, free);
  directory.apply({ type: "synced" }, free);
  directory.beginGeneration();
  directory.apply({ type: "assign", assignments: [assignment("a")] }, free);
  assert.equal(directory.size, 3, "nothing is dropped before the stream is complete");
  directory.apply({ type: "synced" }, (endpoint) => endpoint === "b");
  assert.notEqual(directory.byEndpoint("a"), undefined);
  assert.notEqual(directory.byEndpoint("b"), undefined);
  assert.equal(directory.byEndpoint("c"), undefined);
  directory.dropIfStale("a");
  directory.dropIfStale("b");
  assert.notEqual(directory.byEndpoint("a"), undefined);
  assert.equal(directory.byEndpoint("b"), undefined, "its session is over");
});
