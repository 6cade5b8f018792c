import { z } from "zod";
import { ASSIGNMENTS_PATH, ROUTES, type Role } from "./api.ts";
import { AssignmentEventSchema } from "./assignment.ts";

/** The OpenAPI 3.1 document of the control API, made from the table of routes. */
export function openApiDocument(): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [operationId, route] of Object.entries(ROUTES)) {
    const entry = {
      operationId,
      summary: route.summary,
      security: security(route.role),
      parameters: [...pathParameters(route.path), ...queryParameters(route.query)],
      ...(route.body === undefined ? {} : { requestBody: { required: true, content: json(route.body, "input") } }),
      responses: { 200: { description: "Done", content: json(route.reply, "output") }, ...failures },
    };
    paths[openPath(route.path)] = { ...paths[openPath(route.path)], [route.method.toLowerCase()]: entry };
  }
  paths[openPath(ASSIGNMENTS_PATH)] = {
    get: {
      operationId: "assignments",
      summary: "The devices the instance is to serve, as a stream of lines that stays open",
      security: security("instance"),
      parameters: pathParameters(ASSIGNMENTS_PATH),
      responses: {
        200: {
          description: "One JSON object a line",
          content: { "application/x-ndjson": { schema: schemaOf(AssignmentEventSchema, "output") } },
        },
        ...failures,
      },
    },
  };
  return {
    openapi: "3.1.0",
    info: { title: "Berth control API", version: "1" },
    components: {
      securitySchemes: {
        instance: { type: "http", scheme: "bearer", description: "Token of the instances" },
        operator: { type: "http", scheme: "bearer", description: "Token of the operators" },
      },
      schemas: {
        Error: {
          type: "object",
          required: ["code", "message"],
          properties: { code: { type: "string" }, message: { type: "string" } },
        },
      },
    },
    paths,
  };
}

const failures = Object.fromEntries(
  Object.entries({
    400: "The request does not fit its schema",
    401: "No token, or a wrong one",
    404: "Not known",
    409: "Held",
  }).map(([status, description]) => [
    status,
    { description, content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } } },
  ]),
);

function security(role: Role): unknown[] {
  return role === "public" ? [] : [{ [role]: [] }];
}

function openPath(path: string): string {
  return path.replaceAll(/:(\w+)/g, "{$1}");
}

function pathParameters(path: string): unknown[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({ name, in: "path", required: true, schema: { type: "string" } }));
}

function queryParameters(query: z.ZodType | undefined): unknown[] {
  if (query === undefined) return [];
  const { properties } = schemaOf(query, "input") as { properties?: Record<string, unknown> };
  return Object.entries(properties ?? {}).map(([name, schema]) => ({ name, in: "query", required: false, schema }));
}

function json(schema: z.ZodType, io: "input" | "output"): Record<string, unknown> {
  return { "application/json": { schema: schemaOf(schema, io) } };
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): unknown {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}
