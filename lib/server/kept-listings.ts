/** Keeps listings between two requests, so that each page continues the one before. */

import { mapResult } from '../message/pending-result.ts';
import type { LockPage } from '../protocol.ts';
import type { LockManager, Pages } from './lock-manager.ts';
import type { LockServerLimits } from './lock-server-limits.ts';
import type { LockServerSession } from './session.ts';

/** An older listing is not continued. Milliseconds. */
const KEPT_MS = 10_000;

/** Which page is wanted: at most `max` names that begin with `prefix`, behind `after`. */
interface PageRequest {
  readonly prefix: string | undefined;
  readonly after: string | undefined;
  readonly max: number;
}

/** A listing, and the `prefix` and `after` that the request for its next page must have. */
interface KeptListing {
  readonly prefix: string;
  readonly after: string;
  readonly pages: Pages<LockPage>;
  readonly keptMs: number;
}

/** Keeps one listing for each client, and at most `maxKeptListings` in all. The oldest is dropped first. */
export class KeptListings {
  readonly #limits: Pick<LockServerLimits, 'maxKeptListings'>;
  readonly #listings = new Map<LockServerSession, KeptListing>();

  constructor(limits: Pick<LockServerLimits, 'maxKeptListings'>) {
    this.#limits = limits;
  }

  /** Answers with a page, of the listing that the client goes on with or of a new one. */
  nextPage(client: LockServerSession, { prefix = '', after, max }: PageRequest, manager: LockManager): object {
    const pages = this.#take(client, prefix, after) ?? manager.list({ prefix, after });
    const page = pages.nextPage(max, () => !client.connection.isClosed);
    return mapResult(page, ({ locks, next }) => {
      if (next === undefined) return { status: 'ok', locks };
      this.#keep(client, { prefix, after: next, pages, keptMs: performance.now() });
      return { status: 'ok', locks, next };
    });
  }

  forget(client: LockServerSession): void {
    this.#listings.delete(client);
  }

  /** Removes and returns the client's listing; undefined when the request does not continue it. */
  #take(client: LockServerSession, prefix: string, after: string | undefined): Pages<LockPage> | undefined {
    const kept = this.#listings.get(client);
    this.#listings.delete(client);
    if (kept === undefined || kept.prefix !== prefix || kept.after !== after) return undefined;
    return performance.now() - kept.keptMs > KEPT_MS ? undefined : kept.pages;
  }

  /** Keeps a listing so that the client's next request can continue it. */
  #keep(client: LockServerSession, listing: KeptListing): void {
    this.#listings.delete(client);
    this.#listings.set(client, listing);
    const [oldest] = this.#listings.keys();
    if (this.#listings.size > this.#limits.maxKeptListings) this.#listings.delete(oldest as LockServerSession);
  }
}
