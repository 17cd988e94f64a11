/** Opens and resumes the sessions that outlive their connections, and decides what the end of a connection ends. */

import type { ConnectionEnd } from '../message/message-server.ts';
import type { MessageId } from '../message/message-session.ts';
import type { SessionInformation, SessionStatistics } from '../protocol.ts';
import { KeptSessions, type SessionLimits } from '../sessions/kept-sessions.ts';
import type { SessionParameters } from './lock-commands.ts';
import { invalidParameters, type Refusal } from './lock-requests.ts';
import type { LockServerSession } from './session.ts';

const MS_A_SECOND = 1_000;
const DEFAULT_TIMEOUT_SECONDS = 20;

/** What bounds a resumption, beside the time. */
interface KeeperLimits extends SessionLimits {
  readonly maxLocksPerSession: number;
  readonly maxPendingRequests: number;
}

/** What a client asks to go on with. */
interface Listed {
  readonly tokens: readonly number[];
  readonly requests: readonly (MessageId | { readonly id: MessageId; readonly locks: number })[];
}

/** The kept sessions of a lock server. */
export class SessionKeeper {
  readonly #limits: KeeperLimits;
  readonly #sessions: KeptSessions<LockServerSession>;

  constructor(limits: KeeperLimits, nowMs: () => number) {
    this.#limits = limits;
    this.#sessions = new KeptSessions(limits, nowMs, ({ client }) => client.locks.end());
  }

  /** Opens a session or resumes one, as the client asks in its `hello`. */
  hello(session: LockServerSession, parameters: SessionParameters): SessionInformation | Refusal {
    const { id, secret, holds = [], requests = [] } = parameters;
    if (session.kept !== undefined) return invalidParameters('parameters.session is here twice; expected it once');
    if ((id === undefined) !== (secret === undefined)) {
      const missing = id === undefined ? 'id' : 'secret';
      return invalidParameters(`parameters.session.${missing} is missing; expected id and secret, or neither`);
    }
    if (id === undefined || secret === undefined) return this.#open(session, parameters, 'opened');
    if (session.locks.isInUse) {
      return invalidParameters('parameters.session.id came after a lock request; expected it in the first message');
    }
    const { maxLocksPerSession, maxPendingRequests } = this.#limits;
    if (holds.length > maxLocksPerSession) return limitReached('maxLocksPerSession', maxLocksPerSession);
    if (requests.length > maxPendingRequests) return limitReached('maxPendingRequests', maxPendingRequests);
    return (
      this.#resume(session, { id, secret }, { tokens: holds, requests }) ?? this.#open(session, parameters, 'gone')
    );
  }

  /** Ends the session on the client's wish. The connection goes on without one. */
  bye(session: LockServerSession): void {
    if (session.kept !== undefined) this.#sessions.end(session.kept);
    session.kept = undefined;
  }

  /** Whether the locks of a session stay although its connection has ended (S1). */
  outlives(session: LockServerSession, end: ConnectionEnd): boolean {
    const { kept } = session;
    if (kept === undefined) return false;
    if (kept.client !== session) return true;
    if (end === 'lost' && session.locks.isInUse && this.#sessions.suspend(kept, session.connection.heardMs))
      return true;
    this.#sessions.end(kept);
    if (end === 'stopped') session.sendEvent({ event: 'ended' });
    return false;
  }

  get statistics(): SessionStatistics {
    const { suspendedCount, resumedCount, expiredCount } = this.#sessions;
    return { suspendedSessions: suspendedCount, resumedSessions: resumedCount, expiredSessions: expiredCount };
  }

  /** Stops all timers. */
  close(): void {
    this.#sessions.close();
  }

  #open(
    session: LockServerSession,
    { timeout = DEFAULT_TIMEOUT_SECONDS }: SessionParameters,
    state: 'opened' | 'gone',
  ): SessionInformation {
    const { session: kept, secret } = this.#sessions.open(session, timeout * MS_A_SECOND);
    session.kept = kept;
    return { state, id: kept.id, secret, timeout: kept.timeoutMs / MS_A_SECOND };
  }

  /** Takes over from the connection before (S1, S3). Undefined when there is no such session. */
  #resume(
    session: LockServerSession,
    key: { readonly id: string; readonly secret: string },
    listed: Listed,
  ): SessionInformation | undefined {
    const kept = this.#sessions.find(key);
    if (kept === undefined) return undefined;
    const before = this.#sessions.attach(kept, session);
    session.kept = kept;
    session.locks.end();
    session.locks = before.locks;
    before.connection.destroy();
    const requests = new Map(
      listed.requests.map((each) => (typeof each === 'object' ? [each.id, each.locks] : [each, undefined])),
    );
    const { lost, answers, unknown } = session.locks.resume(session, { tokens: new Set(listed.tokens), requests });
    const settled = new Set([...answers.map((answer) => answer.id), ...unknown]);
    for (const id of requests.keys()) if (!settled.has(id)) session.addPending(id);
    return { state: 'resumed', id: kept.id, timeout: kept.timeoutMs / MS_A_SECOND, lost, answers, unknown };
  }
}

function limitReached(limit: 'maxLocksPerSession' | 'maxPendingRequests', value: number): Refusal {
  return { status: 'limit', limit, value };
}
