/** The tokens under which a datastore instance holds its locks, so that it releases only its own. */

const MS_A_SECOND = 1_000;
/** Keeps a token longer than the lock should last, since the server's clock may be late or stand still. */
const KEPT_TIMES_TO_LIVE = 2;

interface OwnToken {
  readonly token: string;
  /** On the monotonic clock of this process. */
  readonly keptUntilMs: number;
}

/** Drops the tokens of locks that were never released after a time, so that they do not pile up. */
export class OwnTokens {
  readonly #keptMs: number;
  /** Oldest first. */
  readonly #tokens = new Map<string, OwnToken>();

  constructor(ttlSeconds: number) {
    this.#keptMs = ttlSeconds * MS_A_SECOND * KEPT_TIMES_TO_LIVE;
  }

  /** The token under which the lock was last taken; undefined if it was not taken, or was released. */
  get(lockId: string): string | undefined {
    return this.#tokens.get(lockId)?.token;
  }

  /** Records the token of a lock that was taken. */
  keep(lockId: string, token: string): void {
    const nowMs = performance.now();
    for (const [oldest, { keptUntilMs }] of this.#tokens) {
      if (keptUntilMs > nowMs) break;
      this.#tokens.delete(oldest);
    }
    // Deletes the key first, since setting an existing key would keep its place.
    this.#tokens.delete(lockId);
    this.#tokens.set(lockId, { token, keptUntilMs: nowMs + this.#keptMs });
  }

  /** Forgets a token that no longer holds the lock. A newer token of the lock stays. */
  drop(lockId: string, token: string): void {
    if (this.get(lockId) === token) this.#tokens.delete(lockId);
  }
}
