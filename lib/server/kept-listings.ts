/** Listings whose next page a client may ask for, so that each page goes on where the one before ended. */

import type { LockPage } from '../protocol.ts';
import type { Pages } from './lock-manager.ts';

/** After this long without a page the client's next request begins a new listing. */
const KEPT_MS = 10_000;

/** What a client's next request must ask for to get the next page of its listing. */
interface KeptListing {
  readonly prefix: string;
  readonly after: string;
  readonly pages: Pages<LockPage>;
  readonly keptMs: number;
}

/** Keeps one listing for each client, and of all clients those of the last `max`. */
export class KeptListings {
  readonly #max: number;
  readonly #listings = new Map<object, KeptListing>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Takes out the listing that a client goes on with; undefined when it asks for another. */
  take(client: object, prefix: string, after: string | undefined): Pages<LockPage> | undefined {
    const kept = this.#listings.get(client);
    this.#listings.delete(client);
    if (kept === undefined || kept.prefix !== prefix || kept.after !== after) return undefined;
    return performance.now() - kept.keptMs > KEPT_MS ? undefined : kept.pages;
  }

  /** Keeps what a client may go on with behind a page. */
  keep(client: object, prefix: string, after: string, pages: Pages<LockPage>): void {
    this.#listings.delete(client);
    this.#listings.set(client, { prefix, after, pages, keptMs: performance.now() });
    const [oldest] = this.#listings.keys();
    if (this.#listings.size > this.#max) this.#listings.delete(oldest as object);
  }

  forget(client: object): void {
    this.#listings.delete(client);
  }
}
