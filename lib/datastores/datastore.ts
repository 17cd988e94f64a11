/** The interface between a lock of this folder and its store, and the simplest store. */

/**
 * Keeps locks by their ids. Your own store needs these two methods. `acquireLock` must be atomic: of several callers at
 * once, only one may get true.
 */
export interface Datastore {
  /**
   * Takes a lock if nobody holds it, without waiting. Resolves to whether it took the lock; rejects if that is not
   * known.
   */
  acquireLock(lockId: string): Promise<boolean>;

  /**
   * Releases a lock that this instance took. Resolves to whether the lock was still held. Resolves to false and does
   * nothing when another instance holds it.
   */
  releaseLock(lockId: string): Promise<boolean>;
}

/** A store for the locks of one process. Each instance is its own store, so share the instance to share the locks. */
export class MemoryDatastore implements Datastore {
  readonly #held = new Set<string>();

  async acquireLock(lockId: string): Promise<boolean> {
    if (this.#held.has(lockId)) return false;
    this.#held.add(lockId);
    return true;
  }

  async releaseLock(lockId: string): Promise<boolean> {
    return this.#held.delete(lockId);
  }
}
