/** Finds by a number the things that exist for a while: requests until they are answered, holds until they are unlocked. */

const FIRST_PLACES = 16;
/** An empty table drops its places when it has more than these. */
const MAX_KEPT_PLACES = 1_024;

/**
 * Gives each entry the next free number, and finds its place in an array by the last bits of the number. With a `Map`, a client
 * with 100 calls in flight needs three times the CPU: the tables that a `Map` leaves behind as keys come and go keep dead entries alive.
 */
export class NumberedTable<Entry extends { id: number }> {
  size = 0;
  /** None, or a power of two; at least half of them are free. */
  #places: (Entry | undefined)[] = [];
  #lastId = 0;

  /** Sets the id of the entry to a number that no other entry has had. */
  add(entry: Entry): void {
    if (this.size * 2 >= this.#places.length) this.#grow();
    do this.#lastId += 1;
    while (this.#places[this.#lastId & (this.#places.length - 1)] !== undefined);
    entry.id = this.#lastId;
    this.#places[entry.id & (this.#places.length - 1)] = entry;
    this.size += 1;
  }

  get(id: number): Entry | undefined {
    const entry = this.#places[id & (this.#places.length - 1)];
    return entry?.id === id ? entry : undefined;
  }

  /** Removes the entry with this number, if there is one, and returns it. */
  delete(id: number): Entry | undefined {
    const place = id & (this.#places.length - 1);
    const entry = this.#places[place];
    if (entry?.id !== id) return undefined;
    this.#places[place] = undefined;
    this.size -= 1;
    if (this.size === 0 && this.#places.length > MAX_KEPT_PLACES) this.#places = [];
    return entry;
  }

  /** All entries, in the order in which they were added. */
  inOrder(): Entry[] {
    return this.#places.filter((entry) => entry !== undefined).sort((a, b) => a.id - b.id);
  }

  /** Removes all entries and returns them in the order in which they were added. */
  takeAll(): Entry[] {
    const entries = this.inOrder();
    this.#places = [];
    this.size = 0;
    return entries;
  }

  /** Numbers that differ in their last bits still differ when one more bit counts. */
  #grow(): void {
    const entries = this.inOrder();
    this.#places = new Array(this.#places.length * 2 || FIRST_PLACES).fill(undefined);
    for (const entry of entries) this.#places[entry.id & (this.#places.length - 1)] = entry;
  }
}
