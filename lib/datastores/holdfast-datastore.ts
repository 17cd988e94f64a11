/** A datastore on a lock server. Its locks need no time to live, since they end with the client. */

import type { LockClient } from '../client/lock-client.ts';
import type { LockHandle } from '../client/lock-handle.ts';
import type { Datastore } from './datastore.ts';

/** Use one instance per client. Forgets a lock when the client loses it. */
export class HoldfastDatastore implements Datastore {
  readonly #client: LockClient;
  readonly #handles = new Map<string, LockHandle>();

  constructor(client: LockClient) {
    this.#client = client;
  }

  /** Rejects as `LockClient.tryLock` does. */
  async acquireLock(lockId: string): Promise<boolean> {
    const handle = await this.#client.tryLock(lockId);
    if (handle === null) return false;
    this.#handles.set(lockId, handle);
    handle.signal.addEventListener('abort', () => this.#forget(lockId, handle), { once: true });
    return true;
  }

  async releaseLock(lockId: string): Promise<boolean> {
    const handle = this.#handles.get(lockId);
    if (handle === undefined) return false;
    this.#handles.delete(lockId);
    return await handle.release();
  }

  #forget(lockId: string, handle: LockHandle): void {
    if (this.#handles.get(lockId) === handle) this.#handles.delete(lockId);
  }
}
