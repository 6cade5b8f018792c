import { BerthError } from "../lib/errors.ts";

/** A path such as `/0/10/5` is not one. Code `invalid-path`. */
export class InvalidPath extends BerthError {
  constructor(message: string) {
    super("invalid-path", message);
  }
}

/**
 * A payload of any content format cannot be read: truncated, wrong types, ids that do not belong to the path.
 * Code `malformed-content`. The message names the place, never the value, which may be a key.
 */
export class MalformedContent extends BerthError {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super("malformed-content", message, options);
  }
}

/**
 * A Content-Format number Berth does not read or write, or one that cannot hold what `path` names, as text/plain
 * cannot an Object. Code `unsupported-content-format`; CoAP's answer is 4.15, or 4.06 to an Accept.
 */
export class UnsupportedContentFormat extends BerthError {
  constructor(format: number, path?: readonly number[]) {
    const where = path === undefined ? "" : ` for /${path.join("/")}`;
    super("unsupported-content-format", `content format ${format} is not supported${where}`);
  }
}

/** A value cannot be written: its type, range or size does not fit the format. Code `unencodable-value`. */
export class UnencodableValue extends BerthError {
  constructor(message: string) {
    super("unencodable-value", message);
  }
}

/** A bootstrap profile cannot be applied to this device: an attribute is missing or does not fit. Code `profile-mismatch`. */
export class ProfileMismatch extends BerthError {
  constructor(message: string) {
    super("profile-mismatch", message);
  }
}
