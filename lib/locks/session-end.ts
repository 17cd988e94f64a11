/** What a session still held when it ended: it is released in the order of the grants. Until its turn a lock is held as before. */

import type { Claim } from './claim.ts';
import type { LockSession } from './lock-session.ts';

/** Of one session, whose waits have been cancelled. */
export class SessionEnd<Subject, Context> {
  readonly session: LockSession<Subject, Context>;
  /** The next one is the last of these. */
  readonly #holds: Claim<Subject, Context>[];

  constructor(session: LockSession<Subject, Context>) {
    this.session = session;
    this.#holds = [...session.claims(undefined)].sort((a, b) => b.token - a.token);
  }

  get isOver(): boolean {
    return this.#holds.length === 0;
  }

  /** Takes out the next hold, which may be gone by now. */
  next(): Claim<Subject, Context> | undefined {
    return this.#holds.pop();
  }
}
