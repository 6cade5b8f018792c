import type { Instant } from "../lib/clock.ts";

const SLOT = 1000;
const SLOTS = 8;
/** A HelloVerifyRequest of the last so many slots may still be answered. */
const UNDECIDED = 3;
/** So many invitations must be decided before anything is concluded from them. */
const ENOUGH = 100;
const SMALLEST_SHARE = 1 / 50;

interface Slot {
  number: number;
  invited: number;
  returned: number;
}

/** Counts how many of those who got a HelloVerifyRequest come back with its cookie: of forged senders none does. */
export class Returns {
  readonly #slots: readonly Slot[] = Array.from({ length: SLOTS }, () => ({ number: -1, invited: 0, returned: 0 }));

  invited(now: Instant): void {
    this.#slot(now).invited++;
  }

  returned(now: Instant): void {
    this.#slot(now).returned++;
  }

  /** The share that is to be expected of those invited now, 1/50 to 1; rather too high than too low. */
  share(now: Instant): number {
    const current = Math.floor(now / SLOT);
    let invited = 0;
    let returned = 0;
    for (const slot of this.#slots) {
      const age = current - slot.number;
      if (age >= SLOTS) continue;
      returned += slot.returned;
      if (age >= UNDECIDED) invited += slot.invited;
    }
    return invited < ENOUGH ? 1 : Math.min(1, Math.max(SMALLEST_SHARE, returned / invited));
  }

  #slot(now: Instant): Slot {
    const number = Math.floor(now / SLOT);
    const slot = this.#slots[number % SLOTS] as Slot;
    if (slot.number !== number) Object.assign(slot, { number, invited: 0, returned: 0 });
    return slot;
  }
}
