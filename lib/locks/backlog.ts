/** Things that wait for their turn, first come first served. */

/** `Array.prototype.shift` moves all that is behind, so those that had their turn are dropped when they are half of the array. */
export class Backlog<T> {
  readonly #items: T[] = [];
  #takenCount = 0;

  push(item: T): void {
    this.#items.push(item);
  }

  get isEmpty(): boolean {
    return this.#takenCount === this.#items.length;
  }

  /** Takes out the first one. */
  take(): T | undefined {
    if (this.isEmpty) return undefined;
    const item = this.#items[this.#takenCount] as T;
    this.#takenCount += 1;
    if (this.#takenCount * 2 >= this.#items.length) {
      this.#items.splice(0, this.#takenCount);
      this.#takenCount = 0;
    }
    return item;
  }

  clear(): void {
    this.#items.splice(0);
    this.#takenCount = 0;
  }
}
