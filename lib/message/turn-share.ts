/** A small share of each turn of the event loop, for work that thousands of connections may bring in one turn. */

/** How much of a turn the work takes at most, beyond the piece under way. */
const SHARE_MS = 1;

/** Work is done at once while this turn's share lasts, otherwise in later turns, in order. */
export class TurnShare {
  readonly #queue: (() => void)[] = [];
  /** How many of the queue are done. */
  #doneCount = 0;
  #shareEndMs = 0;
  /** `used`: the share of this turn has begun, and the next turn is waited for. */
  #state: 'unused' | 'used' = 'unused';

  /** The work must not throw. */
  add(work: () => void): void {
    if (this.#state === 'unused') this.#begin();
    this.#queue.push(work);
    this.#goOn();
  }

  #begin(): void {
    this.#state = 'used';
    this.#shareEndMs = performance.now() + SHARE_MS;
    setImmediate(() => {
      this.#state = 'unused';
      if (this.#queue.length === 0) return;
      this.#begin();
      this.#goOn();
    });
  }

  #goOn(): void {
    while (this.#doneCount < this.#queue.length && performance.now() < this.#shareEndMs) {
      const work = this.#queue[this.#doneCount] as () => void;
      this.#doneCount += 1;
      work();
    }
    if (this.#doneCount < this.#queue.length) return;
    this.#queue.length = 0;
    this.#doneCount = 0;
  }
}
