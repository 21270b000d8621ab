/**
 * The appends of one process to one scope's stream, where several of its folds write there: one after another. At the same
 * time, all but one of them would be refused, and again when they come back.
 */
export class ScopeLane {
  #last: Promise<unknown> = Promise.resolve();
  #revision = -1n;

  /** Of the last fact that one of them has stored; -1 before. */
  get revision(): bigint {
    return this.#revision;
  }

  /** Does `work` when what came before it is done, however that ended. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(ignore);
    return turn;
  }

  /** A fold that writes here has come so far. */
  reached(revision: bigint | undefined): void {
    if (revision !== undefined && revision > this.#revision) this.#revision = revision;
  }
}

function ignore(): void {}
