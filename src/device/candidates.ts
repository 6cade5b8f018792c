import type { Instant } from "../lib/clock.ts";
import { parseTarget, type Recipe, type Step, stepsToTry, type Target, temporaryUri } from "../naming/index.ts";

/** Where the address of a round's attempt came from. */
export type CandidateKind =
  /** The temporary URI of the device's own epoch and counter. */
  | "own"
  /** That of a neighbouring epoch, or of a counter further on. */
  | "neighbour"
  /** The URI the factory wrote. */
  | "static";

/** A URI the device may bootstrap from. */
export interface Candidate {
  readonly kind: CandidateKind;
  readonly target: Target;
  /** What its name was made with; empty for the static URI. */
  readonly step: Step;
}

/** What the names of a device are made of. */
export interface NamingSource {
  readonly staticUri: string;
  /** Absent: only the static URI is used. */
  readonly recipe?: Recipe;
  readonly secret: Uint8Array;
  readonly endpoint: string;
  /** The lowest counter that was not used yet; for recipes with a counter. */
  readonly counter: number;
}

/**
 * The URIs to try at `instant`, best first (D7): the device's own, those its balancer may think it has (the
 * neighbouring epochs, the nearer first, and the next counters), and last the static one, unless that is a mere
 * template (`{token}`). Each is derived when it is asked for.
 * @throws the errors of {@link temporaryUri} when recipe, secret and static URI do not go together
 */
export function* candidates(source: NamingSource, instant: Instant): Generator<Candidate, void, undefined> {
  const { staticUri, recipe, secret, endpoint } = source;
  if (recipe !== undefined) {
    let kind: CandidateKind = "own";
    for (const step of stepsToTry(recipe, instant, source.counter)) {
      // A rounded instant is in the epoch it names, so it stands for the step's time.
      const at = step.time === undefined ? {} : { instant: step.time * 1000 };
      const counter = step.counter === undefined ? {} : { counter: step.counter };
      yield { kind, step, target: temporaryUri(recipe, staticUri, { secret, endpoint, ...at, ...counter }) };
      kind = "neighbour";
    }
  }
  if (!staticUri.includes("{")) yield { kind: "static", step: {}, target: parseTarget(staticUri) };
}
