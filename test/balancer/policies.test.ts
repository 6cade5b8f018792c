import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  ANYWHERE,
  type InstanceFacts,
  type Occasion,
  POLICIES,
  planSpread,
  type Siting,
  type SpreadPolicy,
} from "../../src/balancer/allocation/index.ts";

import { atHome, type Device, NEW_PROGRESS, NOWHERE } from "../../src/balancer/device.ts";
import { Slices } from "../../src/balancer/slices.ts";
import { NO_LOAD } from "../../src/control/index.ts";

const NAMES = 100_000;

/** Names and instances, and nothing else of a balancer: what a plan says is done at once. */
class Board {
  readonly devices: Device[];
  readonly policy: SpreadPolicy;
  readonly turns: Map<string, number> = new Map();
  instances: InstanceFacts[];

  constructor(policy: SpreadPolicy, names: number, instances: readonly Partial<InstanceFacts>[], siting: Siting = ANYWHERE) {
    const kind = { mode: "psk" as const, profile: "default", group: null, siting };
    this.policy = policy;
    this.devices = Array.from({ length: names }, (_, row) => ({
      endpoint: `urn:dev:${row}`,
      identity: `urn:dev:${row}`,
      psk: undefined,
      secret: undefined,
      kind,
      attributes: {},
      row,
      progress: NEW_PROGRESS,
    }));
    this.instances = instances.map((facts, index) => instance(index, facts));
  }

  /** Spreads, and tells how many names moved that had an instance. */
  async spread(kind: "level" | "rehome" | number): Promise<number> {
    const occasion: Occasion = typeof kind === "number" ? { kind: "fill", joined: kind } : { kind };
    const loads = this.loads();
    const serving = this.instances.map((each) => ({ ...each, pending: loads.get(each.index) ?? 0 }));
    const slices = new Slices(async () => {});
    const input = { devices: this.devices, groups: [], serving, policy: this.policy, nearest: 1, turns: this.turns, slices };
    let moved = 0;
    const moves = new Map<Device, number>();
    await planSpread(input, occasion, (devices, to) => {
      for (const device of devices) {
        assert.ok(!moves.has(device), "one moved twice");
        moves.set(device, to);
      }
    });
    for (const [device, to] of moves) {
      if (device.progress.home !== NOWHERE) moved++;
      device.progress = atHome(device.progress, to);
    }
    return moved;
  }

  loads(): Map<number, number> {
    const loads = new Map<number, number>();
    for (const { progress } of this.devices) loads.set(progress.home, (loads.get(progress.home) ?? 0) + 1);
    return loads;
  }

  /** The fullest against the mean, each by its weight; every name has to be somewhere. */
  maxOverMean(weightOf: (index: number) => number = () => 1): number {
    const loads = this.loads();
    assert.equal(loads.get(NOWHERE), undefined, "every name is allocated");
    const serving = this.instances.map(({ index }) => index);
    for (const index of loads.keys()) assert.ok(serving.includes(index), "to an instance that serves");
    const weights = serving.reduce((sum, index) => sum + weightOf(index), 0);
    return Math.max(...serving.map((index) => (loads.get(index) ?? 0) / weightOf(index))) / (this.devices.length / weights);
  }
}

function instance(index: number, facts: Partial<InstanceFacts> = {}): InstanceFacts {
  return { index, id: `bs-${index}`, weight: 1, pools: [], pending: 0, commenced: 0, load: NO_LOAD, ...facts };
}

const alike = (count: number): Partial<InstanceFacts>[] => Array.from({ length: count }, () => ({}));

for (const policy of POLICIES.values()) {
  describe(`policy ${policy.name} (B3)`, () => {
    for (const count of [3, 8, 64]) {
      test(`every name is allocated once, max/mean at most 1.01: ${count} instances`, async () => {
        const board = new Board(policy, NAMES, alike(count));
        await board.spread("level");
        assert.ok(board.maxOverMean() <= 1.01, String(board.maxOverMean()));
        assert.equal(
          [...board.loads().values()].reduce((sum, load) => sum + load, 0),
          NAMES,
        );
      });

      test(`who leaves and who joins moves at most 1.01 of the ideal share within an epoch (B11): ${count} instances`, async () => {
        const board = new Board(policy, NAMES, alike(count));
        await board.spread("level");
        const [gone] = board.instances.splice(1, 1);
        const left = await board.spread("rehome");
        assert.ok(left <= (1.01 * NAMES) / count, `${left} moved`);
        assert.ok(board.maxOverMean() <= 1.01, "level without it");
        if (gone !== undefined) board.instances.push(gone);
        const joined = await board.spread(gone?.index ?? NOWHERE);
        assert.ok(joined <= (1.01 * NAMES) / count, `${joined} moved`);
        assert.ok(board.maxOverMean() <= 1.01, "level with it");
      });
    }

    test("an operator's weights are honoured to 1 %, whatever is declared or measured", async () => {
      const weights = [1, 2, 4];
      const busy = { ...NO_LOAD, cpu: 0.9 };
      const board = new Board(
        policy,
        NAMES,
        weights.map((override) => ({ override, weight: 5, load: busy })),
      );
      await board.spread("level");
      const loads = board.loads();
      for (const [index, weight] of weights.entries()) {
        const share = (loads.get(index) ?? 0) / NAMES;
        assert.ok(Math.abs(share / (weight / 7) - 1) <= 0.01, `${weight} of 7 has ${share}`);
      }
    });

    test("weight 0 gets no names, and loses those that it has", async () => {
      const board = new Board(policy, 999, alike(3));
      await board.spread("level");
      board.instances = board.instances.map((each) => (each.index === 1 ? { ...each, override: 0 } : each));
      await board.spread("level");
      assert.equal(board.loads().get(1), undefined);
    });

    test("who is in progress is not moved (B11)", async () => {
      const board = new Board(policy, 300, alike(3));
      await board.spread("level");
      const busy = board.devices.filter(({ row }) => row % 7 === 0);
      const homes = busy.map((device) => device.progress.home);
      for (const device of busy) device.progress = { ...device.progress, state: "commenced", session: "S" };
      board.instances = board.instances.slice(0, 2);
      await board.spread("level");
      assert.deepEqual(
        busy.map((device) => device.progress.home),
        homes,
      );
    });

    test("few names are spread as well as many", async () => {
      const board = new Board(policy, 2, alike(3));
      await board.spread("level");
      assert.deepEqual([...board.loads().values()], [1, 1]);
    });
  });
}
