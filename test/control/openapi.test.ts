import assert from "node:assert/strict";
import { test } from "node:test";
import { ASSIGNMENTS_PATH, openApiDocument, ROUTES } from "../../src/control/index.ts";

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security: readonly Record<string, unknown>[];
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly schema: unknown;
  }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: unknown }> };
  readonly responses: Record<
    string,
    { readonly description: string; readonly content: Record<string, { readonly schema: unknown }> }
  >;
}

const document = openApiDocument() as {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly securitySchemes: Record<string, unknown>; readonly schemas: Record<string, unknown> };
};
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

test("the document lists every route, and nothing else", () => {
  const listed = operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`);
  const routes = Object.values(ROUTES).map(({ method, path }) => `${method} ${path}`);
  const all = [...routes, `GET ${ASSIGNMENTS_PATH}`].map((route) => route.replaceAll(/:(\w+)/g, "{$1}"));
  assert.deepEqual(listed.sort(), all.sort());
});

test("it is OpenAPI 3.1: what has to be there is, ids are unique, path parameters are declared", () => {
  assert.match(document.openapi, /^3\.1\.\d+$/);
  assert.ok(document.info.title.length > 0 && document.info.version.length > 0);
  assert.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length);
  for (const { path, operation } of operations) {
    assert.ok(operation.summary.length > 0);
    const declared = operation.parameters.filter((parameter) => parameter.in === "path");
    assert.deepEqual(
      declared.map(({ name }) => name),
      [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
    );
    for (const parameter of declared) assert.equal(parameter.required, true);
    for (const each of operation.security)
      for (const scheme of Object.keys(each)) assert.ok(scheme in document.components.securitySchemes);
    for (const [status, response] of Object.entries(operation.responses)) {
      assert.match(status, /^[2-5]\d\d$/);
      assert.ok(response.description.length > 0 && Object.keys(response.content).length === 1);
    }
  }
});

test("routes with a token say so, those with a body describe it, and queries are listed", () => {
  for (const [operationId, route] of Object.entries(ROUTES)) {
    const operation = operations.find((each) => each.operation.operationId === operationId)?.operation;
    assert.deepEqual(operation?.security, route.role === "public" ? [] : [{ [route.role]: [] }]);
    assert.equal(operation?.requestBody !== undefined, route.body !== undefined, operationId);
  }
  const devices = operations.find(({ operation }) => operation.operationId === "devices")?.operation.parameters;
  assert.deepEqual(
    devices?.map(({ name }) => name),
    ["state", "after", "limit", "names"],
  );
});

test("every reference leads somewhere, and the document survives JSON", () => {
  const text = JSON.stringify(document);
  const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference ?? "");
  assert.ok(references.length > 0);
  for (const reference of references) {
    const target = reference
      .slice(2)
      .split("/")
      .reduce<unknown>((node, key) => (node as Record<string, unknown> | undefined)?.[key], document);
    assert.notEqual(target, undefined, reference);
  }
  assert.deepEqual(JSON.parse(text), document);
});
