/** What a lock of this folder needs of a store. */

/**
 * Keeps locks by their ids. A store of your own needs these two methods; `acquireLock` must be atomic, so that of any
 * number of callers one is told true.
 */
export interface Datastore {
  /** Takes a lock if nobody has it, without waiting. Resolves to whether it was taken; rejects when that is not known. */
  acquireLock(lockId: string): Promise<boolean>;

  /**
   * Gives back a lock that was taken through this instance. Resolves to whether it was still held; false, with nothing
   * done, when another has it.
   */
  releaseLock(lockId: string): Promise<boolean>;
}
