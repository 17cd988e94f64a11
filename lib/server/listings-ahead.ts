/** Bounds the memory of listings whose clients do not ask for the next page. */

import type { Listing } from './listing.ts';

type Ahead = Pick<Listing<unknown>, 'isAhead' | 'forgetAhead'>;

/** Up to `max` listings keep the items that they have found ahead. The one that returned a page longest ago forgets its own first. */
export class ListingsAhead {
  readonly #max: number;
  /** The latest last. */
  readonly #listings = new Set<Ahead>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Before the listing looks for a page. */
  take(listing: Ahead): void {
    this.#listings.delete(listing);
  }

  /** After the listing has returned a page. */
  keep(listing: Ahead): void {
    if (!listing.isAhead) return;
    this.#listings.add(listing);
    if (this.#listings.size <= this.#max) return;
    const [oldest] = this.#listings;
    oldest?.forgetAhead();
    this.#listings.delete(oldest as Ahead);
  }
}
