/** A datastore for the locks of one process. */

import type { Datastore } from './datastore.ts';

/** Each instance is its own store, so share the instance to share the locks. */
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
