import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

/** Every folder of src/ stands on a floor; it may see itself and lower floors only. */
const FLOORS: readonly (readonly string[])[] = [
  ["lib"],
  ["naming", "coap", "lwm2m", "dns", "dtls", "control"],
  ["net", "storage"],
  ["device", "bootstrap", "balancer", "nameserver", "registry"],
  ["cli"],
];
const floorOf = (room: string): number => FLOORS.findIndex((floor) => floor.includes(room));
const files = readdirSync("src", { recursive: true }).map((name) => join("src", String(name)));
const room = (path: string): string => relative("src", path).split("/")[0] ?? "";

test("every folder of src/ is on a floor", () => {
  for (const name of readdirSync("src")) assert.notEqual(floorOf(name), -1, `src/${name} is on no floor`);
});

test("a file imports from its own folder and from lower floors only", () => {
  for (const file of files.filter((name) => name.endsWith(".ts"))) {
    for (const [, target] of readFileSync(file, "utf8").matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)) {
      const [mine, theirs] = [room(file), room(join(dirname(file), target ?? ""))];
      assert.ok(mine === theirs || floorOf(theirs) < floorOf(mine), `${file} imports ${target}: ${mine} must not see ${theirs}`);
    }
  }
});

test("F0 and F1 hold no clock, socket, timer or Math.random", () => {
  const banned =
    /\bDate\.now\(|\bnew Date\(\)|\bsetTimeout\(|\bsetInterval\(|\bMath\.random\(|"node:(dgram|net|http|https|tls|dns|timers)"|performance\.now/;
  for (const file of files.filter((name) => name.endsWith(".ts") && floorOf(room(name)) <= 1)) {
    assert.doesNotMatch(readFileSync(file, "utf8"), banned, file);
  }
});

test("no file of src/ is longer than 400 lines", () => {
  for (const file of files.filter((name) => name.endsWith(".ts"))) {
    const lines = readFileSync(file, "utf8").split("\n").length;
    assert.ok(lines <= 400, `${file} has ${lines} lines`);
  }
});
