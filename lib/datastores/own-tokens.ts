/** Under which values a datastore instance holds its locks on a server, so that it gives back its own and no other's. */

const MS_A_SECOND = 1_000;
/** The server's clock may be behind, or stand still for a while: a token is kept longer than the lock should last. */
const KEPT_TIMES_TO_LIVE = 2;

interface OwnToken {
  readonly token: string;
  /** On the monotonic clock of this process. */
  readonly keptUntilMs: number;
}

/** Those of locks that were never given back are dropped in time, so that they do not add up. */
export class OwnTokens {
  readonly #keptMs: number;
  /** The oldest first. */
  readonly #tokens = new Map<string, OwnToken>();

  constructor(ttlSeconds: number) {
    this.#keptMs = ttlSeconds * MS_A_SECOND * KEPT_TIMES_TO_LIVE;
  }

  /** The token under which the lock was taken last; undefined when it was not, or was given back. */
  get(lockId: string): string | undefined {
    return this.#tokens.get(lockId)?.token;
  }

  /** The lock was taken. */
  keep(lockId: string, token: string): void {
    const nowMs = performance.now();
    for (const [oldest, { keptUntilMs }] of this.#tokens) {
      if (keptUntilMs > nowMs) break;
      this.#tokens.delete(oldest);
    }
    // Deleted first, since a key that is set anew would keep its place.
    this.#tokens.delete(lockId);
    this.#tokens.set(lockId, { token, keptUntilMs: nowMs + this.#keptMs });
  }

  /** The lock is not held under that token any more; it may be held under a newer one. */
  drop(lockId: string, token: string): void {
    if (this.get(lockId) === token) this.#tokens.delete(lockId);
  }
}
