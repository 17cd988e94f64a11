/** A client of the lock server: its connection, its locks and its name. */

import type { MessageConnection } from '../message/message-connection.ts';
import { MessageSession } from '../message/message-session.ts';
import type { LostHold } from '../protocol.ts';
import type { LockClientInfo, LockManager, ManagedSession } from './lock-manager.ts';

/** Lasts as long as its connection; its locks end with it. */
export class LockServerSession extends MessageSession implements LockClientInfo {
  readonly locks: ManagedSession;
  clientName = '';
  /** For the line protocol: whether only blank lines have been read so far. */
  isFirstLine = true;

  constructor(connection: MessageConnection, manager: LockManager) {
    super(connection);
    this.locks = manager.openSession(this);
  }

  /** Tells the client that it lost a hold. Only our messages have events. */
  lost(hold: LostHold): void {
    if (this.protocol === 'ndjson') this.sendEvent({ event: 'lost', ...hold });
  }
}
