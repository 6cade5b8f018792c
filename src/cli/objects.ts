import { readdirSync } from "node:fs";
import { join } from "node:path";
import { errorText, InvalidInput } from "../lib/errors.ts";
import { CORE_OBJECTS, type ObjectDefinition, type ObjectDefinitions, parseObjectXml } from "../lwm2m/index.ts";
import { readText } from "./config.ts";

/**
 * The objects profiles may write: those that are built in, and those of a folder of OMA XML files. A file of an object
 * that is built in is passed over; of several versions of an object the newest counts.
 * @throws InvalidInput naming the file
 */
export function loadObjects(folder: string | undefined): ObjectDefinitions {
  const objects = new Map(CORE_OBJECTS);
  if (folder === undefined) return objects;
  const origins = new Map<number, string>();
  for (const path of xmlFiles(folder)) {
    for (const object of parseObjectXml(readText(path), path)) {
      if (CORE_OBJECTS.has(object.id)) continue;
      const other = objects.get(object.id);
      const order = other === undefined ? 1 : compareVersions(object, other);
      if (order === 0) {
        const { id, version } = object;
        throw new InvalidInput(`${path}: object ${id}, version ${version}, is in ${origins.get(id)} already; remove one of them`);
      }
      if (order < 0) continue;
      objects.set(object.id, object);
      origins.set(object.id, path);
    }
  }
  return objects;
}

function xmlFiles(folder: string): string[] {
  try {
    const names = readdirSync(folder).filter((name) => /\.xml$/i.test(name));
    return names.sort().map((name) => join(folder, name));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new InvalidInput(`objects: ${folder}: ${code === "ENOENT" ? "there is no such folder" : errorText(error)}`);
  }
}

/** As numbers: 1.10 comes after 1.9. */
function compareVersions(a: ObjectDefinition, b: ObjectDefinition): number {
  const [mine, theirs] = [a, b].map(({ version }) => version.split(".").map(Number));
  return [0, 1].map((part) => (mine?.[part] ?? 0) - (theirs?.[part] ?? 0)).find((difference) => difference !== 0) ?? 0;
}
