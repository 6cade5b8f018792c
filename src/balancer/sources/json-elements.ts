import { SourceError } from "./source.ts";

const [QUOTE, BACKSLASH, COMMA, OPEN, CLOSE, OPEN_BRACE, CLOSE_BRACE] = [34, 92, 44, 91, 93, 123, 125];

/**
 * The elements of a JSON array, one by one, so that a long one need not be parsed at a stretch.
 * @throws SourceError `source-malformed`, which says nothing of the text
 */
export function* jsonElements(text: string): Generator<unknown> {
  const start = /^\s*\[/.exec(text)?.[0].length;
  if (start === undefined) throw malformed("it is no JSON array");
  let depth = 0;
  let from = start;
  for (let at = start; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) at = endOfString(text, at);
    else if (unit === OPEN || unit === OPEN_BRACE) depth++;
    else if (unit === CLOSE && depth === 0) {
      const last = text.slice(from, at);
      // `[]` has no element; after a comma there has to be one.
      if (from !== start || last.trim() !== "") yield parsed(last);
      if (text.slice(at + 1).trim() !== "") throw malformed("something follows the JSON array");
      return;
    } else if (unit === CLOSE || unit === CLOSE_BRACE) depth--;
    else if (unit === COMMA && depth === 0) {
      yield parsed(text.slice(from, at));
      from = at + 1;
    }
  }
  throw malformed("the JSON array does not end");
}

/** Where the string that begins at `start` has its closing quote, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) return at;
    if (unit === BACKSLASH) at++;
  }
  return text.length;
}

function parsed(element: string): unknown {
  try {
    return JSON.parse(element);
  } catch {
    // What JSON.parse says repeats what it could not read.
    throw malformed("it is no JSON");
  }
}

function malformed(why: string): SourceError {
  return new SourceError("source-malformed", `its answer is no list of clients: ${why}`);
}
