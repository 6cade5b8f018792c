import { InvalidPath } from "./errors.ts";

/**
 * What an LwM2M URI names: nothing (the root `/`), an Object, an Object Instance, a Resource or a Resource
 * Instance. The ids stand one behind the other, so the length says which of them it is.
 */
export type Path = readonly number[];

/** The largest id of any level. As Object Instance ID it is reserved and never valid (LwM2M Core 1.1, identifiers). */
export const MAX_ID = 65535;

const SEGMENT = /^(?:0|[1-9]\d{0,4})$/;
const LEVELS = ["object id", "object instance id", "resource id", "resource instance id"];

/**
 * Reads `/`, `/1`, `/1/0`, `/1/0/7` or `/2/0/2/101`: decimal ids of 0 to 65535 without leading zeros.
 * @throws InvalidPath
 */
export function parsePath(text: string): Path {
  if (text === "/") return [];
  const problem = (why: string): InvalidPath =>
    new InvalidPath(`${JSON.stringify(text.slice(0, 40))} is not an LwM2M path: ${why}`);
  if (!text.startsWith("/")) throw problem('it must start with "/"');
  const segments = text.slice(1).split("/", LEVELS.length + 1);
  if (segments.length > LEVELS.length) throw problem("it has more than four ids");
  return segments.map((segment, level) => {
    const id = SEGMENT.test(segment) ? Number(segment) : -1;
    if (!isValidId(id, level)) throw problem(`the ${LEVELS[level]} must be 0 to ${level === 1 ? MAX_ID - 1 : MAX_ID}`);
    return id;
  });
}

/** Whether `id` may stand at this level of a path (0 object, 1 instance, 2 resource, 3 resource instance). */
export function isValidId(id: number, level: number): boolean {
  return Number.isInteger(id) && id >= 0 && (id < MAX_ID || (id === MAX_ID && level !== 1));
}

/** The text of a path, in the form {@link parsePath} reads. */
export function formatPath(path: Path): string {
  return `/${path.join("/")}`;
}

/** The Uri-Path options of a path's text: `/0/10` is `["0", "10"]`, and `/` none. */
export function uriPath(path: string): string[] {
  return path === "/" ? [] : path.slice(1).split("/");
}
