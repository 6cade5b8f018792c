import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeviceOptions } from "../../src/device/index.ts";
import { HERE, hostAt, type Story, start } from "./client-fixture.ts";
import { ScriptedServer } from "./scripted-server.ts";
import { World } from "./world.ts";

const MINUTE = 60_000;

/** A device at a server that refuses these `pct`. */
function setting(
  refused: readonly number[],
  options: Partial<DeviceOptions> = {},
): { world: World; asked: string[]; story: Story } {
  const world = new World();
  const server = new ScriptedServer(world, HERE);
  const asked: string[] = [];
  server.answer = ({ query }) => {
    const pct = query.find((item) => item.startsWith("pct="));
    asked.push(pct ?? "none");
    return { code: refused.includes(Number(pct?.slice(4))) ? "4.15" : "2.04" };
  };
  world.names.set(hostAt(world.epoch), { ipv4: [HERE.address], ipv6: [] });
  return { world, asked, story: start(world, { maxAttempts: 1, ...options }) };
}

test("a pct that is refused with 4.15 is followed by the next, and at last by none, in one attempt (BS-02)", async () => {
  for (const [options, refused, expected] of [
    [{}, [], ["pct=112"]],
    [{}, [112], ["pct=112", "pct=110"]],
    [{}, [112, 110], ["pct=112", "pct=110", "pct=11542"]],
    [{}, [112, 110, 11542], ["pct=112", "pct=110", "pct=11542", "none"]],
    [{ version: "1.2", pack: false }, [112], ["pct=112", "pct=11544"]],
    [{ formats: [11542, 110] }, [11542], ["pct=11542", "pct=110"]],
    [{ formats: [] }, [], ["none"]],
  ] as const) {
    const { world, asked, story } = setting(refused, options);
    assert.ok(await world.run(() => story.result !== undefined, MINUTE));
    assert.deepEqual(asked, expected);
    assert.equal(story.result?.number, 1);
    story.client.stop();
  }
});

test("4.15 to a request without pct is a refusal like any other", async () => {
  const { world, asked, story } = setting([Number.NaN], { formats: [] });
  assert.ok(await world.run(() => story.closed, MINUTE));
  assert.deepEqual(asked, ["none"]);
  assert.deepEqual([story.failures[0]?.cause, story.failures[0]?.detail], ["refused", "4.15"]);
});

test("any other refusal is not followed by anything: a server that does not want the device is not asked again at once", async () => {
  const world = new World();
  const server = new ScriptedServer(world, HERE);
  server.answer = { code: "4.00" };
  world.names.set(hostAt(world.epoch), { ipv4: [HERE.address], ipv6: [] });
  const story = start(world, { maxAttempts: 1 });
  assert.ok(await world.run(() => story.closed, MINUTE));
  assert.equal(server.requests.length, 1);
});
