/** Lists items in order, page by page, while items come and go. The items themselves are in no order. */

import { SortedItems } from './sorted-items.ts';

/** How many items one pass finds ahead, from the second page on. */
const FOUND_AHEAD = 65_536;
/** How many bytes these may have in all. They may be the only ones that keep the names of locks that are gone. */
const MAX_BYTES_AHEAD = 4_194_304;

/** The items to list, and their order. */
export interface ListingOptions<Item> {
  /** Negative when `a` comes first. Equal items are listed once. */
  readonly compare: (a: Item, b: Item) => number;
  /** Iterates over all items in any order. It must reach every item that stays, even while others come and go. */
  readonly items: () => Iterator<Item>;
  /** Whether to list an item; by default all are listed. */
  readonly isListed?: (item: Item) => boolean;
  /** How many bytes of memory an item keeps; by default they do not count. */
  readonly bytesOf?: (item: Item) => number;
  /** Lists only items after this one. */
  readonly after?: Item | undefined;
}

/**
 * The first page takes one pass over all items, and memory for that page only. From the second page on, each pass finds
 * 65,536 items ahead, or fewer if they are long, so that a whole listing takes few passes.
 */
export class Listing<Item> {
  readonly #options: ListingOptions<Item>;
  /** Items after the position that a pass has found. */
  #found: SortedItems<Item>;
  #foundBytes = 0;
  /** Whether no item comes after the last one in `#found`. */
  #isComplete = false;
  /** The pass in progress, and how many items it keeps. */
  #pass: Iterator<Item> | undefined;
  #capacity = 0;
  #position: Item | undefined;

  constructor(options: ListingOptions<Item>) {
    this.#options = options;
    this.#position = options.after;
    this.#found = new SortedItems<Item>(options.compare);
  }

  /** The last item that was returned; all up to it are done. */
  get position(): Item | undefined {
    return this.#position;
  }

  /** Whether all items were returned. */
  get isOver(): boolean {
    return this.#isComplete && this.#found.size === 0;
  }

  /** Looks at up to `count` more items for a page of `max`. Returns true when the page is ready. */
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

  /** Moves on past the next `count` items. */
  skip(count: number): void {
    for (const item of this.#found.first(count)) this.#foundBytes -= this.#bytesOf(item);
    this.#position = this.#found.dropFirst(count) ?? this.#position;
  }

  /** Whether items are found beyond the page that was returned. */
  get isAhead(): boolean {
    return this.#found.size > 0;
  }

  /** Forgets the items found ahead; the next page takes a pass. Not to be called during one. */
  forgetAhead(): void {
    if (!this.isAhead) return;
    this.#found = new SortedItems<Item>(this.#options.compare);
    this.#foundBytes = 0;
    this.#isComplete = false;
  }

  /** Gives up a pass in progress: nobody wants the page any more. */
  endPass(): void {
    this.#pass?.return?.();
    this.#pass = undefined;
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
    // Behind one that was left out nothing is kept, or there would be a gap.
    const last = found.last;
    const mayBeLast = this.#isComplete && found.size < this.#capacity;
    if (!mayBeLast && last !== undefined && compare(item, last) > 0) {
      this.#isComplete = false;
      return;
    }
    const sizeBefore = found.size;
    found.insert(item);
    if (found.size === sizeBefore) return;
    this.#foundBytes += this.#bytesOf(item);
    while (found.size > this.#capacity || (this.#foundBytes > MAX_BYTES_AHEAD && found.size > 1)) this.#leaveOutLast();
  }

  #leaveOutLast(): void {
    this.#foundBytes -= this.#bytesOf(this.#found.last as Item);
    this.#found.dropLast();
    this.#isComplete = false;
  }

  #bytesOf(item: Item): number {
    return this.#options.bytesOf?.(item) ?? 0;
  }
}
