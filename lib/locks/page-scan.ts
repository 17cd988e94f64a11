/** Finds one page of items in order, in as many steps as the caller likes, without an ordered index. */

/** How the items of a page are chosen. */
export interface PageScanOptions<Item> {
  /** How many items at most; a whole number from 1. */
  readonly max: number;
  /** Negative when `a` comes first. Items that are equal are one. */
  readonly compare: (a: Item, b: Item) => number;
  readonly isWanted: (item: Item) => boolean;
  /** All items, in any order. */
  readonly items: Iterator<Item>;
}

/**
 * Goes through all items once and keeps the first `max` of them in their order. Costs one pass over the items for every
 * page and memory for one page only. Items may come and go between the steps: those that stay are seen.
 */
export class PageScan<Item> {
  readonly #options: PageScanOptions<Item>;
  /** In order; one more than asked for, to know whether a further page follows. */
  readonly #found: Item[] = [];

  constructor(options: PageScanOptions<Item>) {
    this.#options = options;
  }

  /** Looks at up to `count` more items; true when it has seen them all. */
  step(count: number): boolean {
    for (let seen = 0; seen < count; seen += 1) {
      const entry = this.#options.items.next();
      if (entry.done === true) return true;
      if (this.#options.isWanted(entry.value)) this.#consider(entry.value);
    }
    return false;
  }

  /** The items of the page, in order. */
  get page(): readonly Item[] {
    return this.#found.slice(0, this.#options.max);
  }

  get hasMore(): boolean {
    return this.#found.length > this.#options.max;
  }

  #consider(item: Item): void {
    const { max, compare } = this.#options;
    const found = this.#found;
    const isFull = found.length > max;
    if (isFull && compare(item, found[max] as Item) >= 0) return;
    let low = 0;
    let high = found.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(found[middle] as Item, item) < 0) low = middle + 1;
      else high = middle;
    }
    if (low < found.length && compare(found[low] as Item, item) === 0) return;
    if (isFull) found.pop();
    found.splice(low, 0, item);
  }
}
