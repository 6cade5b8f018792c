import type { CloseReason, DtlsServerStats, RefusalReason } from "./types.ts";

/** What {@link DtlsServerStats} is made of. */
export class ServerCounters {
  handshaking = 0;
  cookiesSent = 0;
  retransmissions = 0;
  overflowed = 0;
  #completed = 0;
  readonly #failed: Partial<Record<CloseReason, number>> = {};
  readonly #refused: Partial<Record<RefusalReason, number>> = {};

  countCompleted(): void {
    this.handshaking--;
    this.#completed++;
  }

  countFailed(reason: CloseReason): void {
    this.handshaking--;
    this.#failed[reason] = (this.#failed[reason] ?? 0) + 1;
  }

  countRefused(reason: RefusalReason): void {
    this.#refused[reason] = (this.#refused[reason] ?? 0) + 1;
  }

  snapshot(associations: number): DtlsServerStats {
    return {
      associations,
      handshaking: this.handshaking,
      handshakesCompleted: this.#completed,
      handshakesFailed: { ...this.#failed },
      cookiesSent: this.cookiesSent,
      retransmissions: this.retransmissions,
      refused: { ...this.#refused },
      overflowed: this.overflowed,
    };
  }
}
