/** Things that come one after the other, to be awaited one after the other. */

interface Reader<Item> {
  readonly resolve: (item: Item) => void;
  readonly reject: (error: Error) => void;
}

/** Keeps what came first until it is asked for. */
export class Inbox<Item> {
  readonly #items: Item[] = [];
  readonly #readers: Reader<Item>[] = [];
  #end: Error | undefined;

  /** How many have come and were not asked for. */
  get size(): number {
    return this.#items.length;
  }

  push(item: Item): void {
    const reader = this.#readers.shift();
    if (reader === undefined) this.#items.push(item);
    else reader.resolve(item);
  }

  /** Nothing more comes: who waits, or asks for more than came, gets this error. */
  end(error: Error): void {
    this.#end = error;
    for (const reader of this.#readers.splice(0)) reader.reject(error);
  }

  /** The next one, as soon as it is there. */
  next(): Promise<Item> {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift() as Item);
    if (this.#end !== undefined) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject });
    });
  }
}
