/** A client of the lock server: its connection, its locks and its name. */

import type { MessageConnection } from '../message/message-connection.ts';
import { MessageSession } from '../message/message-session.ts';
import type { LostHold } from '../protocol.ts';
import type { KeptSession } from '../sessions/kept-sessions.ts';
import type { LockClientInfo, LockManager, ManagedSession } from './lock-manager.ts';

/** Lasts as long as its connection, and so do its locks unless its client asked for a session that is kept. */
export class LockServerSession extends MessageSession implements LockClientInfo {
  locks: ManagedSession;
  /** Whether its client may do what only operators may. */
  readonly isAdmin: boolean;
  /** Whether an operator ends it. */
  isKilled = false;
  clientName = '';
  /** The session that this connection speaks for, or did. */
  kept: KeptSession<LockServerSession> | undefined;
  /** The session of another connection that this one keeps. */
  anchored: KeptSession<LockServerSession> | undefined;
  /** For the line protocol: whether only blank lines have been read so far. */
  isFirstLine = true;

  constructor(connection: MessageConnection, manager: LockManager, isAdmin: boolean) {
    super(connection);
    this.isAdmin = isAdmin;
    this.locks = manager.openSession(this);
  }

  override get receiver(): MessageSession {
    return this.kept?.client ?? this;
  }

  get suspendedUntilMs(): number | undefined {
    return this.kept?.untilMs;
  }

  get isAnchored(): boolean {
    return this.kept?.state === 'anchored';
  }

  get keptId(): string | undefined {
    return this.kept?.id;
  }

  /** Tells the client that it lost a hold. Only our messages have events. */
  lost(hold: LostHold): void {
    this.kept?.losses.note(hold, this.kept.state === 'attached');
    if (this.protocol === 'ndjson') this.sendEvent({ event: 'lost', ...hold });
  }
}
