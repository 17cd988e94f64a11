/** Finds one page of names in order, in as many steps as the caller likes, without an ordered index. */

/** Which names a page is made of. */
export interface PageRequest {
  /** Only names that begin with this; empty for all. */
  readonly prefix: string;
  /** Only names that come behind this one. */
  readonly after?: string | undefined;
  /** How many names at most; a whole number from 1. */
  readonly max: number;
}

/**
 * Goes through all names once and keeps the first `max` of them. Costs one pass over the names for every page and
 * memory for one page only. Names may come and go between the steps: those that stay are seen.
 */
export class ListScan {
  readonly #request: PageRequest;
  readonly #compareNames: (a: string, b: string) => number;
  readonly #remaining: Iterator<string>;
  /** In order; one more than asked for, to know whether a further page follows. */
  readonly #found: string[] = [];

  constructor(request: PageRequest, compareNames: (a: string, b: string) => number, names: Iterator<string>) {
    this.#request = request;
    this.#compareNames = compareNames;
    this.#remaining = names;
  }

  /** Looks at up to `count` more names; true when it has seen them all. */
  step(count: number): boolean {
    for (let seen = 0; seen < count; seen += 1) {
      const entry = this.#remaining.next();
      if (entry.done === true) return true;
      this.#consider(entry.value);
    }
    return false;
  }

  /** The page: names in order. */
  get names(): readonly string[] {
    return this.#found.slice(0, this.#request.max);
  }

  get hasMore(): boolean {
    return this.#found.length > this.#request.max;
  }

  #consider(name: string): void {
    const { prefix, after, max } = this.#request;
    if (!name.startsWith(prefix)) return;
    if (after !== undefined && this.#compareNames(name, after) <= 0) return;
    const found = this.#found;
    const isFull = found.length > max;
    if (isFull && this.#compareNames(name, found[max] as string) >= 0) return;
    let low = 0;
    let high = found.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compareNames(found[middle] as string, name) < 0) low = middle + 1;
      else high = middle;
    }
    if (found[low] === name) return;
    if (isFull) found.pop();
    found.splice(low, 0, name);
  }
}
