import { closest } from "fastest-levenshtein";
import type { z } from "zod";
import { InvalidInput } from "./errors.ts";

/**
 * Parses something from outside by its schema, once, at the edge.
 * @param what what is parsed, as the reader knows it: a file's path, "recipe", "request body"
 * @param secretKeys names of fields whose value must not be repeated in the error
 * @throws InvalidInput with every problem: the path, what is wrong, the value; for an unknown key the nearest known one
 */
export function parseWith<T>(schema: z.ZodType<T>, input: unknown, what: string, secretKeys: readonly string[] = SECRET_KEYS): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => describeIssue(issue, input, schema, secretKeys));
  throw new InvalidInput(`${what}: ${problems.join("; ")}`);
}

const SECRET_KEYS: readonly string[] = ["secret", "psk", "key", "secretKey", "token"];

type Issue = z.core.$ZodIssue;

function describeIssue(issue: Issue, input: unknown, schema: z.ZodType, secretKeys: readonly string[]): string[] {
  const where = issue.path.length === 0 ? "" : `${pathText(issue.path)}: `;
  if (issue.code === "unrecognized_keys") {
    const all = knownKeys(schema, issue.path);
    return issue.keys.map((key) => {
      // It may be known where the schema has other alternatives.
      const known = all.filter((other) => other !== key);
      const near = known.length > 0 ? closest(key, known) : undefined;
      return `${where}unknown key "${key}"${near === undefined ? "" : `, did you mean "${near}"?`}`;
    });
  }
  // A whole file that is a mere text is most likely another file than the one that was meant: one of a key or a token.
  const secret = issue.path.length === 0 || issue.path.some((part) => secretKeys.includes(String(part)));
  return [`${where}${issue.message}${secret ? "" : valueText(valueAt(input, issue.path))}`];
}

function pathText(path: readonly PropertyKey[]): string {
  return path.map((part, index) => (typeof part === "number" ? `[${part}]` : `${index > 0 ? "." : ""}${String(part)}`)).join("");
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value: unknown = input;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

function valueText(value: unknown): string {
  if (value === undefined || (typeof value === "object" && value !== null)) return "";
  const text = JSON.stringify(value) ?? String(value);
  return ` (got ${text.length > 60 ? `${text.slice(0, 57)}...` : text})`;
}

/** The keys the schema knows at `path`, found through optionals, defaults, unions, arrays and records. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let level: readonly unknown[] = [schema];
  for (const part of path) level = level.flatMap(unwrap).flatMap((node) => children(node, part));
  return level.flatMap(unwrap).flatMap((node) => Object.keys(definition(node).shape ?? {}));
}

interface Definition {
  readonly shape?: Record<string, unknown>;
  readonly innerType?: unknown;
  readonly in?: unknown;
  readonly options?: readonly unknown[];
  readonly element?: unknown;
  readonly valueType?: unknown;
}

function definition(node: unknown): Definition {
  return (node as { def?: Definition }).def ?? {};
}

function unwrap(node: unknown): unknown[] {
  const def = definition(node);
  if (def.innerType !== undefined) return unwrap(def.innerType);
  if (def.in !== undefined) return unwrap(def.in);
  if (def.options !== undefined) return def.options.flatMap(unwrap);
  return [node];
}

function children(node: unknown, part: PropertyKey): unknown[] {
  const def = definition(node);
  if (def.shape !== undefined) return String(part) in def.shape ? [def.shape[String(part)]] : [];
  const inner = def.element ?? def.valueType;
  return inner === undefined ? [] : [inner];
}
