import type { AuditTrigger, ConfirmationReply, HeldChange, PublicationControl } from "../control/index.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { Audit } from "./audit.ts";

/** Of fewer than this a share says nothing. */
const FEW = 10;
/** What belongs together may come in pieces, as an import does: pieces within this time are one stroke, ms. */
const TOGETHER: Milliseconds = 10 * 60_000;

/** A share of what there is. */
export interface Share {
  readonly part: number;
  readonly whole: number;
  /** What both are numbers of, in words. */
  readonly of: string;
}

/** A change of what is live that no epoch brings, before it is made. */
export interface Stroke {
  /** What would do it, such as `import`: of each there is one stroke at a time. */
  readonly what: string;
  readonly trigger: AuditTrigger;
  /** What it would do, in words; the shares are said behind it. */
  readonly does: string;
  readonly shares: readonly Share[];
  /** Why it is not to be believed, whatever the shares. */
  readonly absurd?: string | undefined;
  /** It comes once, from somebody who would have to come again; if absent it is asked for again and again. */
  readonly once?: true;
}

interface Held extends HeldChange {
  readonly stroke: Stroke;
  /** When it is forgotten, by a clock that never goes back. */
  readonly until: Instant;
}

/** What the brake needs of its surroundings. */
export interface BrakeOptions {
  /** The share (0-1) of what is live that may be taken or changed at one stroke without a word. */
  readonly brake?: number | undefined;
  readonly publication?: PublicationControl | undefined;
  readonly audit: Audit;
  readonly clock: Clock;
  /** Never goes back. */
  readonly time: Clock;
  readonly log: Logger;
}

/**
 * Holds what would take away or change more of the live names at one stroke than can be meant: nothing of it happens until
 * somebody confirms it. Epochs, rotation, and what devices, instances and operators by name do is never asked about.
 */
export class Brake {
  readonly #parts: BrakeOptions;
  readonly #limit: number;
  readonly #held: Map<string, Held> = new Map();
  /** When a stroke last came confirmed, by what it is. */
  readonly #overridden: Map<string, Instant> = new Map();
  /** What went through lately, in pieces. */
  #pieces: readonly { readonly what: string; readonly at: Instant; readonly part: number }[] = [];
  #registry: "held" | "fenced" | undefined;

  constructor(parts: BrakeOptions) {
    this.#parts = parts;
    this.#limit = parts.brake ?? 0.3;
  }

  /** Whether a stroke may be made now; if not it is held, and {@link held} explains it. */
  allows(stroke: Stroke): boolean {
    const { audit, clock, log } = this.#parts;
    this.#lapse();
    const { what } = stroke;
    const over = this.#over(stroke);
    const before = this.#held.get(what);
    if (over.length === 0 && stroke.absurd === undefined) {
      // One that comes once may not be the one that is held.
      if (!stroke.once) this.release(what);
      return true;
    }
    if (before?.confirmed && (stroke.once || !exceeds(stroke, before.stroke))) return true;
    const explanation = inWords(stroke, over);
    const isNew = before === undefined || before.confirmed || before.explanation !== explanation;
    const since = before === undefined || before.confirmed ? clock.now() : before.since;
    this.#held.set(what, { what, explanation, since, confirmed: false, stroke, until: this.#untilOf(stroke) });
    if (!isNew) return false;
    log.error(
      { what, explanation },
      `held, as it is more than ${percent(this.#limit)} of what is live: see docs/balancer.md, berth confirm`,
    );
    const counts = Object.fromEntries(stroke.shares.map(({ part, of }) => [of, part]));
    if (before === undefined) audit.note({ kind: "held", trigger: stroke.trigger, subject: what, reason: explanation, counts });
    return false;
  }

  /** A stroke is made whose maker has confirmed it beforehand. */
  override(stroke: Stroke): void {
    const over = this.#over(stroke);
    const { what } = stroke;
    const now = this.#parts.time.now();
    if (over.length === 0) return;
    this.#held.delete(what);
    // It may come in pieces.
    if (now - (this.#overridden.get(what) ?? Number.NEGATIVE_INFINITY) >= TOGETHER) this.#tell(what, inWords(stroke, over));
    this.#overridden.set(what, now);
  }

  /** A stroke was made, or is not wanted any more: what is known of it is forgotten. */
  release(what: string): void {
    const before = this.#held.get(what);
    if (before === undefined) return;
    this.#held.delete(what);
    this.#parts.log.info({ what }, before.confirmed ? "what was held is done" : "what was held is not wanted any more");
  }

  /** How much went through lately of what comes in pieces. */
  lately(what: string): number {
    this.#lapse();
    return this.#pieces.reduce((sum, piece) => (piece.what === what ? sum + piece.part : sum), 0);
  }

  /** A piece went through without having been confirmed. */
  passed(what: string, part: number): void {
    if (part > 0) this.#pieces = [...this.#pieces, { what, at: this.#parts.time.now(), part }];
  }

  /** Whether somebody has confirmed what is held of this. */
  isConfirmed(what: string): boolean {
    this.#lapse();
    return this.#held.get(what)?.confirmed === true;
  }

  /** What is held, in the registry too. */
  get held(): readonly HeldChange[] {
    this.#lapse();
    const here = [...this.#held.values()].map(({ what, explanation, since, confirmed }) => ({
      what,
      explanation,
      since,
      confirmed,
    }));
    const there = this.#inRegistry();
    return there === undefined ? here : [...here, there];
  }

  /** An operator confirms all that is held. Returns what it was. */
  async confirm(): Promise<ConfirmationReply> {
    const { publication } = this.#parts;
    const confirmed: HeldChange[] = [];
    const there = this.#inRegistry();
    for (const { stroke, until: _, ...held } of [...this.#held.values()]) {
      if (held.confirmed) continue;
      this.#held.set(held.what, { ...held, stroke, until: this.#untilOf(stroke), confirmed: true });
      confirmed.push({ ...held, confirmed: true });
    }
    if (there !== undefined && (await publication?.confirm())) confirmed.push({ ...there, confirmed: true });
    for (const { what, explanation } of confirmed) this.#tell(what, explanation);
    return { confirmed };
  }

  /** Notes what has become of the registry: it may hold changes back by itself, or be another balancer's. */
  watch(): void {
    const { publication, audit } = this.#parts;
    const view = publication?.view();
    const state = view?.state === "held" || view?.state === "fenced" ? view.state : undefined;
    if (state !== undefined && state !== this.#registry) {
      audit.note({ kind: state, trigger: "balancer", subject: "registry", reason: view?.explanation ?? state });
    }
    this.#registry = state;
  }

  #over({ shares }: Stroke): readonly Share[] {
    return shares.filter(({ part, whole }) => whole >= FEW && part > this.#limit * whole);
  }

  #untilOf({ once }: Stroke): Instant {
    return once ? this.#parts.time.now() + TOGETHER : Number.POSITIVE_INFINITY;
  }

  #tell(what: string, explanation: string): void {
    this.#parts.audit.note({ kind: "confirmed", trigger: "operator", subject: what, reason: explanation });
    this.#parts.log.warn({ what, explanation }, "an operator confirms what would be held");
  }

  #inRegistry(): HeldChange | undefined {
    const view = this.#parts.publication?.view();
    if (view?.state !== "held") return undefined;
    const { explanation, since } = view;
    return { what: "registry", explanation: explanation ?? "", since: since ?? this.#parts.clock.now(), confirmed: false };
  }

  #lapse(): void {
    const now = this.#parts.time.now();
    for (const { what, until } of [...this.#held.values()]) if (until <= now) this.release(what);
    if (this.#pieces.some(({ at }) => at + TOGETHER <= now)) {
      this.#pieces = this.#pieces.filter(({ at }) => at + TOGETHER > now);
    }
  }
}

/** Whether more would go than somebody has confirmed. */
function exceeds(stroke: Stroke, confirmed: Stroke): boolean {
  return stroke.shares.some(({ part }, index) => part > (confirmed.shares[index]?.part ?? 0));
}

function inWords({ does, absurd }: Stroke, over: readonly Share[]): string {
  const shares = over.map(({ part, whole, of }) => `${part} of ${whole} ${of} (${percent(part / whole)})`);
  return `${does}: ${[...shares, ...(absurd === undefined ? [] : [absurd])].join("; ")}`;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}
