/** A client of the lock server: its connection, its locks and the name that it gave itself. */

import type { MessageConnection } from '../message/message-connection.ts';
import { MessageSession } from '../message/message-session.ts';
import type { LostHold } from '../protocol.ts';
import type { LockClientInfo, LockManager, ManagedSession } from './lock-manager.ts';

/** As long as its connection lasts; its locks end with it. */
export class LockServerSession extends MessageSession implements LockClientInfo {
  readonly locks: ManagedSession;
  clientName = '';
  /** Of the line protocol: nothing but blank lines was read yet. */
  isFirstLine = true;

  constructor(connection: MessageConnection, manager: LockManager) {
    super(connection);
    this.locks = manager.openSession(this);
  }

  /** Tells the client of a hold that it lost, but for those that it lost by going away. Only our messages have events. */
  lost(hold: LostHold): void {
    if (hold.reason !== 'sessionEnded' && this.protocol === 'ndjson') this.sendEvent({ event: 'lost', ...hold });
  }
}
