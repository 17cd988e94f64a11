/** A listing in order, page by page, of items that come and go meanwhile and that nobody keeps in order. */

import { SortedItems } from './sorted-items.ts';

/** How many items are found ahead once a listing goes on behind its first page. */
const FOUND_AHEAD = 65_536;

/** What is listed. */
export interface ListingOptions<Item> {
  /** Negative when `a` comes first. Items that are equal are one. */
  readonly compare: (a: Item, b: Item) => number;
  /** Begins to go through all items, in any order. Those that stay must be seen, whatever comes and goes. */
  readonly items: () => Iterator<Item>;
  /** Whether an item is listed; all are if this is left out. */
  readonly isListed?: (item: Item) => boolean;
  /** Only what comes behind this is listed. */
  readonly after?: Item | undefined;
}

/**
 * The first page takes one pass over all items and memory for that page only. From the second on, a pass finds 65,536
 * items ahead, so that it takes few passes to list everything.
 */
export class Listing<Item> {
  readonly #options: ListingOptions<Item>;
  /** What comes behind the position, as far as it was found. */
  #found: SortedItems<Item>;
  /** Whether nothing comes behind what was found. */
  #isComplete = false;
  /** The pass under way, and how many items it keeps. */
  #pass: Iterator<Item> | undefined;
  #capacity = 0;
  #position: Item | undefined;

  constructor(options: ListingOptions<Item>) {
    this.#options = options;
    this.#position = options.after;
    this.#found = new SortedItems<Item>(options.compare);
  }

  /** All up to this one were given out. */
  get position(): Item | undefined {
    return this.#position;
  }

  /** Whether everything was given out. */
  get isOver(): boolean {
    return this.#isComplete && this.#found.size === 0;
  }

  /** Looks at up to `count` more items for a page of `max`; true when the page is there. */
  step(count: number, max: number): boolean {
    if (this.#pass === undefined) {
      if (this.#isComplete || this.#found.size > 0) return true;
      this.#beginPass(max);
    }
    for (let seen = 0; seen < count; seen += 1) {
      const entry = (this.#pass as Iterator<Item>).next();
      if (entry.done === true) {
        this.#pass = undefined;
        return true;
      }
      this.#consider(entry.value);
    }
    return false;
  }

  /** The next items, up to `max`. */
  peek(max: number): Item[] {
    return this.#found.first(max);
  }

  /** Goes on behind the first `count` of them. */
  skip(count: number): void {
    this.#position = this.#found.dropFirst(count) ?? this.#position;
  }

  #beginPass(max: number): void {
    this.#capacity = this.#capacity === 0 ? max : Math.max(max, FOUND_AHEAD);
    this.#isComplete = true;
    this.#pass = this.#options.items();
  }

  #consider(item: Item): void {
    const { compare, isListed } = this.#options;
    const found = this.#found;
    if (isListed?.(item) === false) return;
    if (this.#position !== undefined && compare(item, this.#position) <= 0) return;
    const isBehind = found.size === this.#capacity && compare(item, found.last as Item) > 0;
    if (!isBehind) found.insert(item);
    if (found.size > this.#capacity) found.dropLast();
    else if (!isBehind) return;
    this.#isComplete = false;
  }
}
