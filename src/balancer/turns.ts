/** Runs tasks one after the other, so that what changes devices never sees another change half done. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `task` when those before it are over; a task that fails does not hold up the next. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(task, task);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Resolves when all tasks given so far are over. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
