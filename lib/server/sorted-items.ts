/** A sorted list that is cheap to change at any place. */

const MAX_CHUNK = 512;

/** Keeps items in sorted chunks. Inserting one of a hundred thousand items moves only a few hundred. */
export class SortedItems<Item> {
  readonly #compare: (a: Item, b: Item) => number;
  readonly #chunks: Item[][] = [];
  #size = 0;

  /** `compare` is negative when `a` comes first. Equal items are kept once. */
  constructor(compare: (a: Item, b: Item) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#size;
  }

  get last(): Item | undefined {
    return this.#chunks.at(-1)?.at(-1);
  }

  insert(item: Item): void {
    const chunk = this.#chunkFor(item);
    const index = this.#firstNotBefore(chunk, item);
    const found = chunk[index];
    if (found !== undefined && this.#compare(found, item) === 0) return;
    chunk.splice(index, 0, item);
    this.#size += 1;
    if (chunk.length > MAX_CHUNK) this.#chunks.splice(this.#chunks.indexOf(chunk) + 1, 0, chunk.splice(MAX_CHUNK / 2));
  }

  dropLast(): void {
    const chunk = this.#chunks.at(-1);
    if (chunk?.pop() === undefined) return;
    this.#size -= 1;
    if (chunk.length === 0) this.#chunks.pop();
  }

  /** Returns the first `max` items and keeps them. */
  first(max: number): Item[] {
    const items: Item[] = [];
    for (const chunk of this.#chunks) {
      items.push(...chunk.slice(0, max - items.length));
      if (items.length === max) break;
    }
    return items;
  }

  /** Removes the first `count` items and returns the last of these. */
  dropFirst(count: number): Item | undefined {
    let last: Item | undefined;
    let left = count;
    for (let chunk = this.#chunks[0]; chunk !== undefined && left > 0; chunk = this.#chunks[0]) {
      const dropped = chunk.splice(0, left);
      last = dropped.at(-1);
      left -= dropped.length;
      this.#size -= dropped.length;
      if (chunk.length === 0) this.#chunks.shift();
    }
    return last;
  }

  /** The last chunk whose first item is not after this item. */
  #chunkFor(item: Item): Item[] {
    const chunks = this.#chunks;
    if (chunks.length === 0) chunks.push([]);
    let low = 0;
    let high = chunks.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#compare(chunks[middle]?.[0] as Item, item) <= 0) low = middle;
      else high = middle;
    }
    return chunks[low] as Item[];
  }

  #firstNotBefore(chunk: readonly Item[], item: Item): number {
    let low = 0;
    let high = chunk.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(chunk[middle] as Item, item) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
