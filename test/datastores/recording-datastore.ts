/** A datastore that records the requests for locks and passes them on to another one. */

import type { Datastore } from '../../lib/datastores/index.ts';
import { Inbox } from '../server/inbox.ts';

export class RecordingDatastore implements Datastore {
  /** The ids of the requested locks. */
  readonly asked: string[] = [];
  readonly #datastore: Datastore;
  readonly #answers = new Inbox<boolean>();

  constructor(datastore: Datastore) {
    this.#datastore = datastore;
  }

  /** Whether the next request for a lock was granted, once it is answered. */
  nextAnswer(): Promise<boolean> {
    return this.#answers.next();
  }

  async acquireLock(lockId: string): Promise<boolean> {
    this.asked.push(lockId);
    const isTaken = await this.#datastore.acquireLock(lockId);
    this.#answers.push(isTaken);
    return isTaken;
  }

  releaseLock(lockId: string): Promise<boolean> {
    return this.#datastore.releaseLock(lockId);
  }
}
