/** A lock server that lets tests watch its sessions. */

import { FullLockServer } from '../foreign/full-lock-server.ts';
import type { ConnectionEnd } from '../message/message-server.ts';
import type { LockServerSession } from '../server/session.ts';

/** Reports when a session has ended. */
export class WatchedLockServer extends FullLockServer {
  readonly #whenEnded = new Map<string, () => void>();

  /** Resolves when no session of that address is live. */
  untilEnded(address: string): Promise<void> {
    const isLive = this.sessions.some((session) => session.address === address && session.state === 'live');
    if (!isLive) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenEnded.set(address, resolve);
    });
  }

  protected override sessionEnded(session: LockServerSession, end: ConnectionEnd): void {
    super.sessionEnded(session, end);
    this.#whenEnded.get(session.address)?.();
    this.#whenEnded.delete(session.address);
  }
}
