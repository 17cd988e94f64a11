/** Events as an asynchronous iterator, for `for await`. */

/** Keeps events until they are read, and drops the oldest when there are too many. */
export class EventStream<Event> implements AsyncIterableIterator<Event, undefined> {
  readonly #maxBuffered: number;
  readonly #whenEnded: () => void;
  readonly #buffered: Event[] = [];
  readonly #reading: ((result: IteratorResult<Event, undefined>) => void)[] = [];
  #state: 'open' | 'ended' = 'open';
  #dropped = 0;

  constructor(maxBuffered: number, whenEnded: () => void) {
    this.#maxBuffered = maxBuffered;
    this.#whenEnded = whenEnded;
  }

  /** How many events went unread because the reader lagged behind. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes in an event. */
  readonly push = (event: Event): void => {
    if (this.#state === 'ended') return;
    const read = this.#reading.shift();
    if (read !== undefined) {
      read({ done: false, value: event });
      return;
    }
    this.#buffered.push(event);
    if (this.#buffered.length <= this.#maxBuffered) return;
    this.#buffered.shift();
    this.#dropped += 1;
  };

  /** No more events will come; those that have can still be read. */
  readonly end = (): void => {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#whenEnded();
    for (const read of this.#reading.splice(0)) read({ done: true, value: undefined });
  };

  next(): Promise<IteratorResult<Event, undefined>> {
    const event = this.#buffered.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#state === 'ended') return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#reading.push(resolve);
    });
  }

  /** Leaves the loop. */
  return(): Promise<IteratorResult<Event, undefined>> {
    this.end();
    this.#buffered.length = 0;
    return this.next();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
