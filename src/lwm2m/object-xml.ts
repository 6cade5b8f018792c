import { DOMParser, type Element } from "@xmldom/xmldom";
import { errorText, InvalidInput } from "../lib/errors.ts";
import type { ResourceType } from "./node.ts";
import type { ObjectDefinition, ResourceDefinition } from "./objects.ts";
import { isValidId } from "./path.ts";
import { parseRange } from "./range.ts";

/** The largest file of OMA's registry has 34 kB. */
const MAX_LENGTH = 1_000_000;
const MAX_NAME_LENGTH = 200;

const TYPES: Readonly<Record<string, ResourceType>> = {
  string: "string",
  integer: "integer",
  "unsigned integer": "unsigned",
  float: "float",
  boolean: "boolean",
  opaque: "opaque",
  time: "time",
  objlnk: "objlnk",
  // Links of RFC 6690, written as strings in every format (LwM2M Core 1.1, appendix C).
  corelnk: "string",
};

/**
 * Reads a file of OMA's object registry, an LWM2M element with one Object or several: ids, names, versions, types, what
 * is mandatory and multiple, and of ranges what {@link parseRange} understands. Descriptions and units are passed
 * over, and a DOCTYPE is refused, so there are no entities to expand.
 * @param what the file's name, for errors
 * @throws InvalidInput naming the file, object and resource
 */
export function parseObjectXml(text: string, what: string): ObjectDefinition[] {
  if (text.length > MAX_LENGTH) throw new InvalidInput(`${what}: has ${text.length} characters; ${MAX_LENGTH} are allowed`);
  const root = parseXml(text, what);
  if (root.localName !== "LWM2M")
    throw new InvalidInput(`${what}: is no OMA object definition: the outermost element is ${root.localName}, not LWM2M`);
  const objects = children(root, "Object");
  if (objects.length === 0) throw new InvalidInput(`${what}: has no Object element`);
  const seen = new Set<number>();
  return objects.map((element) => {
    const object = readObject(element, what);
    if (seen.has(object.id)) throw new InvalidInput(`${what}: object ${object.id} is there twice`);
    seen.add(object.id);
    return object;
  });
}

function parseXml(text: string, what: string): Element {
  // Whatever the parser would put up with is an error here.
  const onError = (_level: string, message: string): never => {
    throw new InvalidInput(message);
  };
  let root: Element | null;
  try {
    const document = new DOMParser({ onError }).parseFromString(text.replace(/^\uFEFF/, ""), "text/xml");
    if (document.doctype !== null) throw new InvalidInput("a DOCTYPE is not allowed");
    root = document.documentElement;
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new InvalidInput(`${what}: is not XML: ${errorText(cause).slice(0, 200)}`, { cause: error });
  }
  if (root === null) throw new InvalidInput(`${what}: is empty`);
  return root;
}

function children(element: Element, name: string): Element[] {
  return [...element.childNodes].filter((node): node is Element => node.nodeType === 1 && node.localName === name);
}

/** The text of the one child of that name, blanks and control characters made one blank; empty if there is none. */
function textOf(element: Element, name: string, where: string): string {
  const found = children(element, name);
  if (found.length > 1) throw new InvalidInput(`${where}: ${name} is there twice`);
  return (found[0]?.textContent ?? "").replaceAll(/[\s\p{Cc}]+/gu, " ").trim();
}

function readObject(element: Element, what: string): ObjectDefinition {
  const id = readId(textOf(element, "ObjectID", what), 0, `${what}: ObjectID`);
  const name = readName(element, `${what}: object ${id}`);
  const where = `${what}: object ${id} ${name}`;
  const resources = new Map<number, ResourceDefinition>();
  for (const list of children(element, "Resources")) {
    for (const item of children(list, "Item")) {
      const resource = readResource(item, where);
      if (resources.has(resource.id)) throw new InvalidInput(`${where}: resource ${resource.id} is there twice`);
      resources.set(resource.id, resource);
    }
  }
  return {
    id,
    name,
    version: readVersion(element, "ObjectVersion", where),
    lwm2mVersion: readVersion(element, "LWM2MVersion", where),
    multiple: readChoice(element, "MultipleInstances", ["Single", "Multiple"], where) === "Multiple",
    resources,
  };
}

function readResource(element: Element, object: string): ResourceDefinition {
  const id = readId(element.getAttribute("ID") ?? "", 2, `${object}: ID of an Item`);
  const name = readName(element, `${object}, resource ${id}`);
  const where = `${object}, resource ${id} ${name}`;
  const type = readType(element, where);
  const range = type === undefined ? undefined : parseRange(textOf(element, "RangeEnumeration", where), type);
  return {
    id,
    name,
    multiple: readChoice(element, "MultipleInstances", ["Single", "Multiple"], where) === "Multiple",
    mandatory: readChoice(element, "Mandatory", ["Optional", "Mandatory"], where) === "Mandatory",
    ...(type === undefined ? {} : { type }),
    ...(range === undefined ? {} : { range }),
  };
}

/** The type; none for what can only be executed. */
function readType(element: Element, where: string): ResourceType | undefined {
  const operations = textOf(element, "Operations", where);
  if (!/^[RWE]*$/.test(operations))
    throw new InvalidInput(`${where}: Operations is ${quote(operations)}, expected R, W, RW, E or nothing`);
  if (operations === "E") return undefined;
  const type = textOf(element, "Type", where);
  const known = Object.hasOwn(TYPES, type.toLowerCase()) ? TYPES[type.toLowerCase()] : undefined;
  if (known === undefined)
    throw new InvalidInput(`${where}: Type is ${quote(type)}, expected one of ${Object.keys(TYPES).join(", ")}`);
  return known;
}

function readId(text: string, level: number, where: string): number {
  const id = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (!isValidId(id, level)) throw new InvalidInput(`${where} is ${quote(text)}, expected 0 to 65535`);
  return id;
}

function readName(element: Element, where: string): string {
  const name = textOf(element, "Name", where);
  if (name === "" || name.length > MAX_NAME_LENGTH)
    throw new InvalidInput(`${where}: Name has ${name.length} characters, expected 1 to ${MAX_NAME_LENGTH}`);
  return name;
}

/** A version such as `1.2`; the elements came with LwM2M 1.1, so without one it is 1.0. */
function readVersion(element: Element, name: string, where: string): string {
  const text = textOf(element, name, where);
  if (text === "") return "1.0";
  if (!/^\d{1,3}\.\d{1,3}$/.test(text))
    throw new InvalidInput(`${where}: ${name} is ${quote(text)}, expected a version such as 1.0`);
  return text;
}

function readChoice(element: Element, name: string, choices: readonly string[], where: string): string {
  const text = textOf(element, name, where);
  const choice = choices.find((one) => one.toLowerCase() === text.toLowerCase());
  if (choice === undefined) throw new InvalidInput(`${where}: ${name} is ${quote(text)}, expected ${choices.join(" or ")}`);
  return choice;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}
