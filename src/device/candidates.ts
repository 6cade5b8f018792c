import type { Instant } from "../lib/clock.ts";
import { parseTarget, type Recipe, type Step, stepsToTry, type Target, temporaryUri } from "../naming/index.ts";
import { type BootstrapAccount, bootstrapAccount } from "./account.ts";
import { berthSettings } from "./berth-object.ts";
import { NoBootstrapAccount } from "./credential.ts";
import type { ObjectTree } from "./tree.ts";

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

/** What a device was told of its names, in place of what its tree says. */
export type NamingOptions = Partial<Pick<NamingSource, "recipe" | "secret" | "counter">>;

/**
 * What the names of a device are made of: what `options` say, else its Berth object, else the key of its account (N7).
 * @throws NoBootstrapAccount where there is a recipe and nothing to make names of
 */
export function namingSource(tree: ObjectTree, endpoint: string, options: NamingOptions): NamingSource {
  const account = bootstrapAccount(tree);
  const settings = berthSettings(tree, account.instanceId);
  const recipe = options.recipe ?? settings?.recipe;
  const secret = options.secret ?? settings?.secret ?? keyOf(account);
  if (recipe !== undefined && secret === undefined)
    throw new NoBootstrapAccount(`with security mode ${account.credential.mode} names need a secret of their own`);
  return {
    staticUri: account.uri,
    ...(recipe === undefined ? {} : { recipe }),
    secret: secret ?? new Uint8Array(),
    endpoint,
    counter: options.counter ?? settings?.counter ?? 0,
  };
}

/** What balancer and device both know of a device without a secret of its own. */
function keyOf({ credential }: BootstrapAccount): Uint8Array | undefined {
  if (credential.mode === "psk") return credential.key;
  return credential.mode === "rpk" ? credential.publicKey : undefined;
}

/**
 * Checks that there is something to try: account, recipe, secret and static URI go together.
 * @throws NoBootstrapAccount, and the errors of {@link candidates}
 */
export function checkNaming(source: NamingSource, instant: Instant): void {
  if (candidates(source, instant).next().done === true)
    throw new NoBootstrapAccount("the static URI is a template, and there is no recipe to fill it in");
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
