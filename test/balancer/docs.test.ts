import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ASSIGNMENTS_PATH, AssignmentEventSchema, ROUTES } from "../../src/control/index.ts";

const page = readFileSync("docs/balancer.md", "utf8");

test("the page lists every route of the control API with its role, and no other", () => {
  const listed = [...page.matchAll(/^\| `([A-Z]+ \/\S+)` \| (\w+) \|/gm)].map(([, route, role]) => `${route} ${role}`);
  const routes = Object.values(ROUTES).map(({ method, path, role }) => `${method} ${path} ${role}`);
  assert.deepEqual(listed.sort(), [...routes, `GET ${ASSIGNMENTS_PATH} instance`].sort());
});

test("curl's examples ask for routes that there are, with bodies that fit", () => {
  const script = /```sh\n(API=[\s\S]*?)```/.exec(page)?.[1]?.replaceAll("\\\n", " ") ?? "";
  const calls = script.split("\n").filter((line) => line.startsWith("curl"));
  assert.ok(calls.length > 4);
  for (const call of calls) {
    const path = /\$API(\/[^\s"?]+)/.exec(call)?.[1] ?? "";
    const body = /-d '([^']*)'/.exec(call)?.[1];
    const method = /-X (\w+)/.exec(call)?.[1] ?? (body === undefined ? "GET" : "POST");
    const route = Object.values(ROUTES).find(
      (each) => each.method === method && new RegExp(`^${each.path.replaceAll(/:\w+/g, "[^/]+")}$`).test(path),
    );
    assert.ok(route !== undefined, call);
    if (body !== undefined) assert.ok(route.body?.safeParse(JSON.parse(body)).success, call);
  }
});

test("the events of the stream are as the schema has them", () => {
  const lines = /```json\n([\s\S]*?)```/.exec(page)?.[1]?.trim().split("\n") ?? [];
  assert.equal(lines.length, 7);
  for (const line of lines) AssignmentEventSchema.parse(JSON.parse(line.replace('"..."', '"00"')));
});
