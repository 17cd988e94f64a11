/** Keeps listings between two requests, so that each page continues the one before. */

import type { LockPage } from '../protocol.ts';
import type { Pages } from './lock-manager.ts';

/** An older listing is not continued. Milliseconds. */
const KEPT_MS = 10_000;

/** A listing, and the `prefix` and `after` that the request for its next page must have. */
interface KeptListing {
  readonly prefix: string;
  readonly after: string;
  readonly pages: Pages<LockPage>;
  readonly keptMs: number;
}

/** Keeps one listing for each client, and at most `max` in all. The oldest is dropped first. */
export class KeptListings {
  readonly #max: number;
  readonly #listings = new Map<object, KeptListing>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Removes and returns the client's listing; undefined when the request does not continue it. */
  take(client: object, prefix: string, after: string | undefined): Pages<LockPage> | undefined {
    const kept = this.#listings.get(client);
    this.#listings.delete(client);
    if (kept === undefined || kept.prefix !== prefix || kept.after !== after) return undefined;
    return performance.now() - kept.keptMs > KEPT_MS ? undefined : kept.pages;
  }

  /** Keeps a listing so that the client's next request can continue it. */
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
