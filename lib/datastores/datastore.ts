/** The interface between a lock of this folder and its store. */

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
