/** A small share of each turn of the event loop, for work that thousands of connections may bring in one turn. */

/** How much of a turn the work takes at most, beyond the piece under way, when nothing else is asked for. */
const SHARE_MS = 0.5;

/** Work is done at once while this turn's share lasts, otherwise in later turns, in order. */
export class TurnShare {
  readonly #shareMs: number;
  readonly #queue: (() => void)[] = [];
  /** How many of the queue are done. */
  #doneCount = 0;
  #shareEndMs = 0;
  /** `used`: the share of this turn has begun, and the next turn is waited for. */
  #state: 'unused' | 'used' = 'unused';

  /** The share is in milliseconds. */
  constructor(shareMs: number = SHARE_MS) {
    this.#shareMs = shareMs;
  }

  /** The work must not throw. */
  add(work: () => void): void {
    const isFirst = this.#queue.length === 0;
    this.#queue.push(work);
    if (this.#state === 'unused') {
      this.#begin();
      // However late it is by now, each turn does something.
      this.#doNext();
    }
    // Behind work that had to wait there is no need to look at the clock, and thousands may come in one turn.
    if (isFirst) this.#goOn();
  }

  /** Whether work that is added now has to wait for a later turn. To ask begins the share, for work that is done beside it. */
  get isUsedUp(): boolean {
    if (this.#state === 'unused') this.#begin();
    return this.#queue.length > 0 || performance.now() >= this.#shareEndMs;
  }

  #begin(): void {
    this.#state = 'used';
    this.#shareEndMs = performance.now() + this.#shareMs;
    setImmediate(() => {
      this.#state = 'unused';
      if (this.#queue.length === 0) return;
      this.#begin();
      this.#doNext();
      this.#goOn();
    });
  }

  #goOn(): void {
    while (this.#doneCount < this.#queue.length && performance.now() < this.#shareEndMs) this.#doNext();
    if (this.#doneCount * 2 < this.#queue.length) return;
    // Under lasting load the queue is never empty.
    this.#queue.splice(0, this.#doneCount);
    this.#doneCount = 0;
  }

  #doNext(): void {
    const work = this.#queue[this.#doneCount] as () => void;
    this.#doneCount += 1;
    work();
  }
}
