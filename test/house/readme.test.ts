import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync("docs", { recursive: true }).map((name) => join("docs", String(name))),
].filter((name) => name.endsWith(".md"));
const textOf = (page: string): string => readFileSync(page, "utf8");
const scripts = Object.keys((JSON.parse(textOf("package.json")) as { scripts: Record<string, string> }).scripts);
const commands = readdirSync("src/cli/commands").map((name) => name.replace(".ts", ""));

test("the README opens with the two commands", () => {
  const [first] = /```sh\n([\s\S]*?)```/.exec(textOf("README.md"))?.slice(1) ?? [];
  assert.equal(first, "npm ci && npm run demo -- --exit\nnpm ci && npm test\n");
});

test("what CI runs is what the README says", () => {
  const run = textOf(".ci/run");
  assert.match(run, /^npm ci$/m);
  assert.match(run, /npm test /);
});

test("every npm script and every command that a page names is there", () => {
  for (const page of pages) {
    for (const [, script = ""] of textOf(page).matchAll(/npm run ([a-z][a-z:]*)/g)) {
      assert.ok(scripts.includes(script), `${page}: npm run ${script}`);
    }
    for (const [, command = ""] of textOf(page).matchAll(/npx berth ([a-z]+)/g)) {
      assert.ok(commands.includes(command), `${page}: npx berth ${command}`);
    }
  }
});

test("every link of a page to a file of the project leads somewhere", () => {
  for (const page of pages) {
    for (const [, target = ""] of textOf(page)
      .replaceAll("\n", " ")
      .matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)) {
      assert.ok(existsSync(join(dirname(page), target)), `${page}: ${target}`);
    }
  }
});

test("every command of the command line is in the README", () => {
  for (const command of commands) assert.match(textOf("README.md"), new RegExp(`\`${command}\``), command);
});

test("the example configuration has only keys that docs/configuration.md explains", () => {
  const documented = textOf("docs/configuration.md");
  for (const [, section = "", key = ""] of textOf("examples/berth.yaml").matchAll(
    /^(\w+):\n((?: {2}\w+:.*\n(?: {4}.*\n)*)+)/gm,
  )) {
    for (const [, name = ""] of key.matchAll(/^ {2}(\w+):/gm)) {
      assert.ok(documented.includes(`\`${section}.${name}\``) || section === "profiles", `${section}.${name}`);
    }
  }
});
