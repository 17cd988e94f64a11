/** Has clients come back to their sessions: on another connection, or after another run of the server. */

import { ChosenMap } from '../locks/chosen-map.ts';
import type { EarlierHold } from '../locks/types.ts';
import type { MessageId } from '../message/message-session.ts';
import { PendingResult } from '../message/pending-result.ts';
import type { SessionInformation } from '../protocol.ts';
import type { KeptSession, KeptSessions, SessionLimits } from '../sessions/kept-sessions.ts';
import type { LateSteps } from './late-steps.ts';
import type { ReclaimedHold, ReclaimParameters } from './lock-commands.ts';
import type { LockManager, ManagedSession } from './lock-manager.ts';
import { invalidParameters, type Refusal, refuseLength, type TextLimits } from './lock-requests.ts';
import type { LockServerSession } from './session.ts';

export const MS_A_SECOND = 1_000;

/** What bounds a return, beside the time. */
export interface KeeperLimits extends SessionLimits, TextLimits {
  readonly maxLocksPerSession: number;
  readonly maxPendingRequests: number;
}

/** What a client asks to go on with. */
interface Listed {
  readonly attempt: number | undefined;
  readonly tokens: readonly number[];
  readonly requests: readonly (MessageId | { readonly id: MessageId; readonly locks: number })[];
}

/** What has clients come back. */
interface ReturningClientsParts {
  readonly limits: KeeperLimits;
  readonly sessions: KeptSessions<LockServerSession>;
  readonly manager: LockManager;
  readonly steps: LateSteps;
  /** The locks that a session of a planned stop had, once. */
  readonly takeLoaded: (kept: KeptSession<LockServerSession>) => ManagedSession | undefined;
}

export class ReturningClients {
  readonly #limits: KeeperLimits;
  readonly #sessions: KeptSessions<LockServerSession>;
  readonly #manager: LockManager;
  readonly #steps: LateSteps;
  readonly #takeLoaded: ReturningClientsParts['takeLoaded'];

  constructor({ limits, sessions, manager, steps, takeLoaded }: ReturningClientsParts) {
    this.#limits = limits;
    this.#sessions = sessions;
    this.#manager = manager;
    this.#steps = steps;
    this.#takeLoaded = takeLoaded;
  }

  /** Takes over from the connection before (S1, S3). Undefined when there is no such session. */
  resume(
    session: LockServerSession,
    key: { readonly id: string; readonly secret: string },
    listed: Listed,
  ): SessionInformation | Refusal | PendingResult<SessionInformation> | undefined {
    const { maxLocksPerSession, maxPendingRequests } = this.#limits;
    const { attempt, tokens, requests } = listed;
    if (tokens.length > maxLocksPerSession) return limitReached('maxLocksPerSession', maxLocksPerSession);
    if (requests.length > maxPendingRequests) return limitReached('maxPendingRequests', maxPendingRequests);
    const kept = this.#sessions.find(key);
    if (kept === undefined) return undefined;
    if (attempt !== undefined && attempt <= kept.lastAttempt) {
      // S1: its client has given this connection up, so the list is old.
      session.connection.destroy();
      return invalidParameters('parameters.session.attempt is not above the last one');
    }
    kept.lastAttempt = attempt ?? kept.lastAttempt;
    const { client: before, state } = kept;
    if (state === 'reclaiming' && before !== undefined) {
      this.#sessions.awaitAgain(kept);
      before.locks.end('lost');
    }
    this.#sessions.attach(kept, session);
    session.kept = kept;
    if (state === 'awaited' || state === 'reclaiming') {
      before?.connection.destroy();
      return { state: 'reclaim', id: kept.id, timeout: kept.timeoutMs / MS_A_SECOND };
    }
    // One that is back after a planned stop and had nothing goes on with the locks of its connection.
    const locks = before?.locks ?? this.#takeLoaded(kept);
    if (locks !== undefined) {
      session.locks.end('bye');
      session.locks = locks;
    }
    before?.connection.destroy();
    // L2: a grant that cannot be recorded is refused, so the client is not told of it before.
    const information = new PendingResult<SessionInformation>(true);
    const list = (): void => {
      // Otherwise the connection is lost, and its client may have come back on another.
      if (kept.client === session && kept.state === 'attached') information.settle(this.#list(session, kept, listed));
    };
    const listInTurn = (): void => this.#steps.inTurn(list);
    if (kept.recorded instanceof Promise) this.#steps.whenDone(kept.recorded, listInTurn, listInTurn);
    else listInTurn();
    return information;
  }

  /** Ends what the client does not list, and tells it how the rest stands (S3). */
  #list(session: LockServerSession, kept: KeptSession<LockServerSession>, listed: Listed): SessionInformation {
    const tokens = new ChosenMap(listed.tokens.map((token) => [token, true] as const));
    const requests = new ChosenMap<MessageId, number | undefined>(
      listed.requests.map((each) => (typeof each === 'object' ? [each.id, each.locks] : [each, undefined])),
    );
    const { lost, answers, unknown } = session.locks.resume(session, { tokens, requests });
    const settledIds = [...answers.map((answer) => answer.id), ...unknown];
    const settled = new ChosenMap(settledIds.map((id) => [id, true] as const));
    for (const id of requests.ids) if (!settled.has(id)) session.addPending(id);
    const timeout = kept.timeoutMs / MS_A_SECOND;
    return { state: 'resumed', id: kept.id, timeout, lost: kept.losses.tell(lost), answers, unknown };
  }

  /** Takes what the client held in an earlier run of the server. Its further requests wait: they may release some of that. */
  reclaim(session: LockServerSession, { holds, last = false }: ReclaimParameters): Refusal | PendingResult<object> {
    const { kept } = session;
    const isReclaiming = (): boolean => kept?.state === 'reclaiming' && kept.client === session;
    if (kept === undefined || !isReclaiming()) {
      return invalidParameters('there is nothing to reclaim; expected it behind a hello that answered reclaim');
    }
    const { maxLocksPerSession } = this.#limits;
    if (session.locks.claimCount + holds.length > maxLocksPerSession)
      return limitReached('maxLocksPerSession', maxLocksPerSession);
    const answer = new PendingResult<object>(true);
    const restore = (): void => {
      // Otherwise the connection was lost meanwhile.
      if (isReclaiming()) answer.settle(this.#restore(session, kept, holds, last));
    };
    const restoreInTurn = (): void => this.#steps.inTurn(restore);
    const refuse = ({ message }: Error): void => answer.settle(invalidParameters(`parameters.holds: ${message}`));
    const greatest = holds.reduce((token, hold) => Math.max(token, hold.token), 0);
    this.#steps.whenDone(this.#manager.raiseTokens(greatest), restoreInTurn, refuse);
    return answer;
  }

  #restore(
    session: LockServerSession,
    kept: KeptSession<LockServerSession>,
    holds: readonly ReclaimedHold[],
    isLast: boolean,
  ): object {
    // L3: what it is on record to have lost may be another's by now.
    const [lost, had] = partition(holds, (hold) => kept.hadLost(hold.token) || this.#isTooLong(hold));
    const tokens = lost.map(({ token }) => token);
    tokens.push(...session.locks.restore(had.map(toEarlierHold)));
    if (isLast) this.#sessions.completeReclaim(kept);
    return { status: 'ok', lost: kept.losses.describe(tokens) };
  }

  /** No run with these limits can have granted it. */
  #isTooLong({ lockName, owner = '' }: ReclaimedHold): boolean {
    const refusal =
      refuseLength(this.#limits, 'maxNameBytes', lockName) ?? refuseLength(this.#limits, 'maxOwnerBytes', owner);
    return refusal !== undefined;
  }
}

function toEarlierHold({
  lockName,
  mode = 'exclusive',
  owner = '',
  token,
  lease,
  stealable,
}: ReclaimedHold): EarlierHold {
  const leaseMs = lease === undefined ? undefined : lease * MS_A_SECOND;
  return { name: lockName, mode, tag: owner, token, leaseMs, isStealable: stealable };
}

function limitReached(limit: 'maxLocksPerSession' | 'maxPendingRequests', value: number): Refusal {
  return { status: 'limit', limit, value };
}

function partition<Item>(items: readonly Item[], isFirst: (item: Item) => boolean): readonly [Item[], Item[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}
