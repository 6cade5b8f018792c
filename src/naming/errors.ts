import { BerthError } from "../lib/errors.ts";

/** The static bootstrap URI is not one Berth can work with. Code `static-uri-invalid`. */
export class StaticUriInvalid extends BerthError {
  constructor(message: string) {
    super("static-uri-invalid", message);
  }
}

/** The recipe wants something put where this static URI has no room for it. Code `placement-impossible`. */
export class PlacementImpossible extends BerthError {
  constructor(message: string) {
    super("placement-impossible", message);
  }
}

/** A temporary URI would break a length or character rule (N5). The name itself is never told. Code `name-invalid`. */
export class NameInvalid extends BerthError {
  constructor(message: string) {
    super("name-invalid", message);
  }
}

/** The secret is too short for the recipe (N9). Code `weak-secret`. */
export class WeakSecret extends BerthError {
  constructor(message: string) {
    super("weak-secret", message);
  }
}

/** The recipe needs a parameter (endpoint name, instant, counter) that was not given or is no such thing. Code `parameter-missing`. */
export class ParameterMissing extends BerthError {
  constructor(message: string) {
    super("parameter-missing", message);
  }
}

/** The offset at which secret and parameters are combined lies beyond what it points into (N2). Code `combine-offset`. */
export class CombineOffset extends BerthError {
  constructor(message: string) {
    super("combine-offset", message);
  }
}
