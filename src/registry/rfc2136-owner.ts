import { type Prerequisite, type RecordChange, RegistryFenced, RegistryRefused, TYPE, textData, textOf } from "../dns/index.ts";
import type { Seconds } from "../lib/clock.ts";

/** Who writes the zone. */
export interface Owner {
  /** Id of the fleet. */
  readonly fleet: string;
  /** Number of the balancer's reign (spec R6). */
  readonly term: number;
}

/** A TXT record of the zone's own name. */
export interface TextRecord {
  readonly ttl: Seconds;
  /** RDATA. */
  readonly data: Uint8Array;
}

/** Of an owner record with no other TXT beside it. */
const OWNER_TTL: Seconds = 30;
const APEX = new Uint8Array(0);
const KIND = "berth owner=";

/**
 * The owner record: a TXT record of the zone's own name that says whose zone it is and which reign writes it,
 * `berth owner=FLEET term=NUMBER by=RANDOM.COUNT`. That it is still there is a prerequisite of each update, so that a balancer whose
 * record was replaced changes nothing. `by` is another each time that the zone is taken, so that what was sent before, and may
 * still lie in a buffer somewhere, fails too.
 *
 * RFC 2136 compares whole RRsets (section 3.2.3): the prerequisite has all TXT records of the name, others' too. When
 * somebody changes one of those, updates fail until the records are read again.
 */
export class OwnerRecord {
  readonly #texts: readonly TextRecord[];
  readonly #own: Uint8Array;

  /** @param before TXT records of the zone's own name, as they were just read */
  constructor(before: readonly TextRecord[], { fleet, term }: Owner, by: string) {
    this.#texts = before;
    this.#own = textData(`${KIND}${fleet} term=${term} by=${by}`);
  }

  /** What an update that takes the zone requires: that nobody else took it since it was read. */
  get beforeClaim(): readonly Prerequisite[] {
    return exactly(this.#texts);
  }

  /** What an update that takes the zone changes: this record comes, other owner records go, all else stays. */
  get claim(): readonly RecordChange[] {
    const ttl = this.#texts[0]?.ttl ?? OWNER_TTL;
    const stale = this.#texts.filter(isOwner);
    return [
      ...stale.map(({ data }): RecordChange => ({ does: "delete", name: APEX, type: TYPE.TXT, ttl, data })),
      { does: "add", name: APEX, type: TYPE.TXT, ttl, data: this.#own },
    ];
  }

  /** What each update requires once this record is there. */
  get required(): readonly Prerequisite[] {
    return exactly([...this.#texts.filter((text) => !isOwner(text)), { ttl: OWNER_TTL, data: this.#own }]);
  }

  /** Whether taking the zone with it may be carried out while these are the TXT records of the zone's own name. */
  mayFollow(texts: readonly TextRecord[]): boolean {
    return sameRecords(this.#texts, texts);
  }

  /** Whether it is the owner record among these, and no other is. */
  isIn(texts: readonly TextRecord[]): boolean {
    const owners = texts.filter(isOwner);
    return owners.length === 1 && owners.every(({ data }) => Buffer.compare(data, this.#own) === 0);
  }
}

/**
 * Whether a zone with these TXT records may be taken.
 * @throws RegistryRefused `foreign`: it is another fleet's
 * @throws RegistryFenced a later reign has it
 */
export function mayTake(zone: string, texts: readonly TextRecord[], { fleet, term }: Owner): void {
  for (const { data } of texts.filter(isOwner)) {
    const text = textOf(data) ?? "";
    const [, owner, reign] = PATTERN.exec(text) ?? [];
    if (owner !== fleet) {
      const message = `zone ${zone} belongs to another fleet: its TXT record says "${text}", and this fleet is ${fleet}`;
      const advice = "give this fleet a zone of its own, or, if the other is gone for good, delete that record";
      throw new RegistryRefused("foreign", `${message}; ${advice}`);
    }
    if (Number(reign) > term) {
      const message = `zone ${zone} is written by a later reign: its TXT record says "${text}", and this is term ${term}`;
      throw new RegistryFenced(
        "fenced",
        `${message}; if no such balancer exists, as after a restore, delete that record, and say: berth compare`,
      );
    }
  }
}

/** Whether one of these is an owner record of this term, written by somebody whose `by` does not begin like ours. */
export function isOthers(texts: readonly TextRecord[], term: number, ours: string): boolean {
  return texts.some(({ data }) => {
    const [, , reign, by = ""] = PATTERN.exec(textOf(data) ?? "") ?? [];
    return Number(reign) === term && !by.startsWith(ours);
  });
}

const PATTERN = /^berth owner=(\S+) term=(\d+) by=(\S+)$/;

function isOwner({ data }: TextRecord): boolean {
  return textOf(data)?.startsWith(KIND) === true;
}

/** In any order: servers turn it. */
function sameRecords(one: readonly TextRecord[], other: readonly TextRecord[]): boolean {
  const inOrder = (texts: readonly TextRecord[]): string =>
    texts
      .map(({ data }) => Buffer.from(data).toString("hex"))
      .toSorted()
      .join();
  return inOrder(one) === inOrder(other);
}

function exactly(texts: readonly TextRecord[]): readonly Prerequisite[] {
  if (texts.length === 0) return [{ is: "no-rrset", name: APEX, type: TYPE.TXT }];
  return [{ is: "records", name: APEX, type: TYPE.TXT, data: texts.map(({ data }) => data) }];
}
