/** What is known by a number for a while: requests until they are answered, holds until they are given back. */

const FIRST_PLACES = 16;
/** Of a table that becomes empty. */
const MAX_KEPT_PLACES = 1_024;

/**
 * A ring of places. Each entry has the place that the last bits of its number say, and a number whose place is taken is
 * passed over; numbers grow, so what was known by one is never taken for another. A Map with ever new keys costs several
 * times as much: it goes from one table to the next, and dead tables that have become old keep all that was in them.
 */
export class NumberedTable<Entry extends { readonly id: number }> {
  size = 0;
  /** As many as a power of two says, or none yet; at least half of them are free. */
  #places: (Entry | undefined)[] = [];
  #lastId = 0;

  /** The number for the entry that is added next. */
  nextId(): number {
    if (this.size * 2 >= this.#places.length) {
      const entries = this.inOrder();
      // Numbers that differ in their last bits differ in one bit more.
      this.#places = new Array(this.#places.length * 2 || FIRST_PLACES).fill(undefined);
      for (const entry of entries) this.#places[entry.id & (this.#places.length - 1)] = entry;
    }
    do this.#lastId += 1;
    while (this.#places[this.#lastId & (this.#places.length - 1)] !== undefined);
    return this.#lastId;
  }

  add(entry: Entry): void {
    this.#places[entry.id & (this.#places.length - 1)] = entry;
    this.size += 1;
  }

  get(id: number): Entry | undefined {
    const entry = this.#places[id & (this.#places.length - 1)];
    return entry?.id === id ? entry : undefined;
  }

  /** Does nothing when there is no such number. */
  delete(id: number): void {
    if (this.get(id) === undefined) return;
    this.#places[id & (this.#places.length - 1)] = undefined;
    this.size -= 1;
    // What many once needed is not kept; a few are soon there again.
    if (this.size === 0 && this.#places.length > MAX_KEPT_PLACES) this.#places = [];
  }

  /** Whether any entry fits; looks at all places. */
  some(fits: (entry: Entry) => boolean): boolean {
    return this.#places.some((entry) => entry !== undefined && fits(entry));
  }

  /** All entries, in the order in which they were added. */
  inOrder(): Entry[] {
    return this.#places.filter((entry) => entry !== undefined).sort((a, b) => a.id - b.id);
  }

  /** The same; none of them is left. */
  takeAll(): Entry[] {
    const entries = this.inOrder();
    this.#places = [];
    this.size = 0;
    return entries;
  }
}
