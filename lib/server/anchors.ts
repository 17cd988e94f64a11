/** Connections that keep the session of another: see docs/protocol.md, Anchors. */

import type { SessionEnd, SessionInformation } from '../protocol.ts';
import type { KeptSession, KeptSessions } from '../sessions/kept-sessions.ts';
import type { SessionParameters } from './lock-commands.ts';
import { invalidParameters, type Refusal } from './lock-requests.ts';
import type { LockServerSession } from './session.ts';

const MS_A_SECOND = 1_000;

/** Has the session of a client wait for it, if there is room. */
type Suspend = (client: LockServerSession, kept: KeptSession<LockServerSession>, lastHeardMs: number) => boolean;

/** The anchors of a server. */
export class Anchors {
  readonly #sessions: KeptSessions<LockServerSession>;
  readonly #suspend: Suspend;

  constructor(sessions: KeptSessions<LockServerSession>, suspend: Suspend) {
    this.#sessions = sessions;
    this.#suspend = suspend;
  }

  /** Has a session outlive the connection that speaks for it as long as this one is open. */
  open(session: LockServerSession, { id, secret }: SessionParameters): SessionInformation | Refusal {
    const kept = id === undefined || secret === undefined ? undefined : this.#sessions.find({ id, secret });
    if (kept?.state !== 'attached') {
      return invalidParameters('parameters.session.anchor is true; expected the id and secret of a connected session');
    }
    kept.anchorCount += 1;
    session.anchored = kept;
    return { state: 'anchored', id: kept.id, timeout: kept.timeoutMs / MS_A_SECOND };
  }

  /** Whether the session goes on although the connection that speaks for it has ended. */
  hold(kept: KeptSession<LockServerSession>, end: SessionEnd, heardMs: number): boolean {
    return (
      end !== 'stopped' && end !== 'killed' && this.#sessions.leaveToAnchors(kept, end === 'lost' ? heardMs : undefined)
    );
  }

  /** A connection has ended that may be an anchor. A client that was lost may still come back in time; one that has left does not. */
  ended({ anchored: kept }: LockServerSession, end: SessionEnd): void {
    // When the server stops, the next run has the session as if there had been no anchor.
    if (kept === undefined || end === 'stopped' || !this.#sessions.loseAnchor(kept)) return;
    const { client, lastHeardMs } = kept;
    if (client !== undefined && lastHeardMs !== undefined && this.#suspend(client, kept, lastHeardMs)) return;
    // What ended the session's own connection, unless an operator ended it here.
    const how = end === 'killed' || lastHeardMs === undefined ? end : 'lost';
    const recorded = this.#sessions.end(kept);
    if (recorded === undefined) client?.locks.end(how);
    else void recorded.then(() => client?.locks.end(how));
  }
}
