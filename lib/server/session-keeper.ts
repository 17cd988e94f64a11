/** Opens and resumes the sessions that outlive their connections, and decides what the end of a connection ends. */

import type { SessionList } from '../ledger/ledger.ts';
import { ChosenMap } from '../locks/chosen-map.ts';
import type { EarlierHold, SavedSession } from '../locks/types.ts';
import type { Logger } from '../message/logger.ts';
import type { ConnectionEnd } from '../message/message-server.ts';
import type { MessageId } from '../message/message-session.ts';
import { PendingResult } from '../message/pending-result.ts';
import { TurnBudget } from '../message/scheduler.ts';
import type { NotGranted, SessionInformation, SessionStatistics } from '../protocol.ts';
import { type KeptSession, KeptSessions, type SessionLimits } from '../sessions/kept-sessions.ts';
import { Anchors } from './anchors.ts';
import { atLimit, type OnRefused } from './command-refusals.ts';
import type { ReclaimedHold, ReclaimParameters, SessionParameters } from './lock-commands.ts';
import type { AbsentClient, LockAllResult, LockManager, LockResult, ManagedSession } from './lock-manager.ts';
import type { ObservedClient } from './lock-observer.ts';
import { invalidParameters, type Refusal, refuseLength, type TextLimits } from './lock-requests.ts';
import type { SavedLocks } from './planned-stop.ts';
import { onceRecorded } from './recorded-answer.ts';
import type { LockServerSession } from './session.ts';

const MS_A_SECOND = 1_000;
const DEFAULT_TIMEOUT_SECONDS = 20;

/** What bounds a resumption, beside the time. */
interface KeeperLimits extends SessionLimits, TextLimits {
  readonly maxLocksPerSession: number;
  readonly maxPendingRequests: number;
}

/** What a client asks to go on with. */
interface Listed {
  readonly attempt: number | undefined;
  readonly tokens: readonly number[];
  readonly requests: readonly (MessageId | { readonly id: MessageId; readonly locks: number })[];
}

/** How a keeper is made. */
export interface SessionKeeperOptions {
  readonly limits: KeeperLimits;
  /** The sessions that the next run must know. */
  readonly list: SessionList;
  readonly manager: LockManager;
  readonly nowMs: () => number;
  readonly logger: Logger;
  /** What a client may know of the answer to a request for locks. */
  readonly present: (answer: LockResult | LockAllResult) => object;
  /** Told of a session that ends with its connection, because too many wait for their clients already. */
  readonly onRefused: OnRefused<LockServerSession>;
}

/** A session without a connection. `suspended`: its client may come back. `anchored`: an anchor keeps it. */
export interface AbsentSession {
  readonly state: 'suspended' | 'anchored';
  /** Where its client was, and the name that it registered; empty for a client of the run before. */
  readonly address: string;
  readonly name: string;
  /** How many locks it holds or awaits. */
  readonly claimCount: number;
  /** Left out as long as an anchor keeps it. */
  readonly expiresInMs?: number;
}

/** The kept sessions of a lock server. */
export class SessionKeeper {
  readonly #limits: KeeperLimits;
  readonly #sessions: KeptSessions<LockServerSession>;
  readonly #anchors: Anchors;
  readonly #manager: LockManager;
  readonly #nowMs: () => number;
  readonly #logger: Logger;
  readonly #present: SessionKeeperOptions['present'];
  readonly #onRefused: SessionKeeperOptions['onRefused'];
  /** A client comes back in one step, which takes long where it held thousands of locks. Others are served between two of them. */
  readonly #returns = new TurnBudget();
  /** The locks of sessions of a planned stop that are not back, by their ids. */
  readonly #loaded = new Map<string, { readonly locks: ManagedSession; readonly client: ObservedClient }>();

  constructor({ limits, list, manager, nowMs, logger, present, onRefused }: SessionKeeperOptions) {
    this.#limits = limits;
    this.#logger = logger;
    this.#onRefused = onRefused;
    this.#manager = manager;
    this.#present = present;
    this.#nowMs = nowMs;
    this.#sessions = new KeptSessions(limits, list, nowMs, {
      expired: (kept) => {
        (kept.client?.locks ?? this.#takeLoaded(kept))?.end('expired');
        // It is connected still if it has not told in time what it held in the run before.
        kept.client?.connection.destroy();
      },
      graceOver: () => manager.holdBack(false),
    });
    this.#anchors = new Anchors(this.#sessions, (client, kept, lastHeardMs) =>
      this.#suspend(client, kept, lastHeardMs),
    );
    if (this.isInGrace) manager.holdBack(true);
  }

  /**
   * Gives the sessions of the run before what they had when it was stopped on purpose. They are suspended, so there is no grace. L4:
   * sessions that are not on record are gone.
   */
  load(saved: SavedLocks): void {
    for (const { id, lastAttempt, losses } of saved.kept) {
      const kept = this.#sessions.get(id);
      if (kept === undefined) continue;
      kept.lastAttempt = lastAttempt;
      kept.losses.add(losses);
    }
    const loaded = this.#manager.load(saved, (each) => this.#absentClient(each));
    for (const client of saved.sessions) {
      const locks = loaded.get(client.id);
      if (locks !== undefined) this.#loaded.set(client.id, { locks, client });
    }
    this.#sessions.suspendAwaited();
  }

  /** Everything that the next run gives the sessions back. */
  save(): SavedLocks {
    const kept = [...this.#sessions].map(({ id, lastAttempt, losses }) => ({ id, lastAttempt, losses: losses.all() }));
    return {
      ...this.#manager.save(),
      kept: kept.filter(({ lastAttempt, losses }) => lastAttempt > 0 || losses.length > 0),
    };
  }

  #absentClient({ id, address, clientName }: SavedSession): AbsentClient | undefined {
    const kept = this.#sessions.get(id);
    if (kept === undefined) return undefined;
    return {
      address,
      clientName,
      keptId: id,
      get suspendedUntilMs() {
        return kept.untilMs;
      },
      lost: (hold) => kept.losses.note(hold, false),
      answer: (request, result) => {
        const { client } = kept;
        // A client that is not back learns of a grant when it comes.
        if (client?.isPending(request) !== true) return;
        client.connection.send({ id: request, result: this.#present(result) });
        client.removePending(request);
      },
    };
  }

  #takeLoaded({ id }: KeptSession<LockServerSession>): ManagedSession | undefined {
    const loaded = this.#loaded.get(id);
    this.#loaded.delete(id);
    return loaded?.locks;
  }

  /** Whether sessions of the run before are awaited: nothing new is granted meanwhile. */
  get isInGrace(): boolean {
    return this.#sessions.awaitedCount > 0;
  }

  /** The sessions without a connection. */
  *absent(): Generator<AbsentSession, void, undefined> {
    const nowMs = this.#nowMs();
    for (const { id, client, untilMs, state } of this.#sessions) {
      const { address = '', clientName: name = '' } = client ?? {};
      const { claimCount } = client?.locks ?? this.#loaded.get(id)?.locks ?? { claimCount: 0 };
      if (state === 'anchored') yield { state, address, name, claimCount };
      else if (untilMs !== undefined)
        yield { state: 'suspended', address, name, claimCount, expiresInMs: Math.max(0, Math.round(untilMs - nowMs)) };
    }
  }

  /** Passes on the answer to a request for locks, once the next run would know the session (L2). */
  confirm<Answer extends LockResult | LockAllResult>(
    session: LockServerSession,
    id: MessageId,
    answer: Answer | PendingResult<Answer>,
  ): Answer | PendingResult<Answer> {
    if (this.isInGrace && 'status' in answer && answer.status === 'unavailable') return IN_GRACE as Answer;
    const { kept } = session;
    const recorded = kept === undefined || kept.recorded === true ? undefined : this.#sessions.record(kept);
    if (kept === undefined || recorded === undefined) return answer;
    const { confirmed, confirm, refuse } = onceRecorded(session.locks, id, answer, () => kept.state === 'ended');
    this.#whenDone(recorded, confirm, refuse);
    return confirmed;
  }

  #whenDone(recorded: Promise<void>, succeeded: () => void, failed: (error: Error) => void): void {
    recorded.then(succeeded, failed).catch((error: unknown) => this.#logFault(error));
  }

  #doInTurn(work: () => void): void {
    this.#returns.add(() => {
      try {
        work();
      } catch (error) {
        this.#logFault(error);
      }
    });
  }

  /** A fault in an answer must not end the process. */
  #logFault(error: unknown): void {
    this.#logger.error({ err: error }, 'a client could not be answered once its request was on record');
  }

  /** Opens a session or resumes one, as the client asks in its `hello`. */
  hello(
    session: LockServerSession,
    parameters: SessionParameters,
  ): SessionInformation | Refusal | PendingResult<SessionInformation> {
    const { id, secret, attempt, holds = [], requests = [] } = parameters;
    if (session.kept !== undefined || session.anchored !== undefined)
      return invalidParameters('parameters.session is here twice; expected it once');
    if (parameters.anchor === true) return this.#anchors.open(session, parameters);
    if ((id === undefined) !== (secret === undefined)) {
      const missing = id === undefined ? 'id' : 'secret';
      return invalidParameters(`parameters.session.${missing} is missing; expected id and secret, or neither`);
    }
    if (id === undefined || secret === undefined) return this.#open(session, parameters, 'opened');
    if (session.locks.claimCount > 0) {
      return invalidParameters('parameters.session.id came after a lock request; expected it in the first message');
    }
    const { maxLocksPerSession, maxPendingRequests } = this.#limits;
    if (holds.length > maxLocksPerSession) return limitReached('maxLocksPerSession', maxLocksPerSession);
    if (requests.length > maxPendingRequests) return limitReached('maxPendingRequests', maxPendingRequests);
    return (
      this.#resume(session, { id, secret }, { tokens: holds, requests, attempt }) ??
      this.#open(session, parameters, 'gone')
    );
  }

  /** Ends the session on the client's wish. The connection goes on without one. */
  bye(session: LockServerSession): void {
    if (session.kept !== undefined) void this.#sessions.end(session.kept);
    session.kept = undefined;
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
    const restoreInTurn = (): void => this.#doInTurn(restore);
    const refuse = ({ message }: Error): void => answer.settle(invalidParameters(`parameters.holds: ${message}`));
    const greatest = holds.reduce((token, hold) => Math.max(token, hold.token), 0);
    this.#whenDone(this.#manager.raiseTokens(greatest), restoreInTurn, refuse);
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

  /** Suspends or ends the session, and says what becomes of its locks (S1): `kept` also when that was decided before. */
  connectionEnded(session: LockServerSession, end: ConnectionEnd | 'killed'): 'kept' | 'over' {
    this.#anchors.ended(session, end);
    const { kept } = session;
    if (kept === undefined) return 'over';
    if (kept.client !== session || kept.state === 'ended') return 'kept';
    if (kept.state === 'reclaiming' && end !== 'left' && end !== 'killed') {
      this.#sessions.awaitAgain(kept);
      return 'over';
    }
    if (end === 'stopped' && this.#manager.isDurable) {
      // The next run has the session.
      session.sendEvent({ event: 'goaway' });
      return 'kept';
    }
    if (this.#anchors.hold(kept, end, session.connection.heardMs)) return 'kept';
    if (end === 'lost' && this.#suspend(session, kept, session.connection.heardMs)) return 'kept';
    const recorded = this.#sessions.end(kept);
    if (end === 'stopped') session.sendEvent({ event: 'ended' });
    // L3: a client that has left does not come back. Another may, when too many sessions are suspended already.
    if ((end !== 'lost' && end !== 'killed') || recorded === undefined) return 'over';
    void recorded.then(() => session.locks.end(end));
    return 'kept';
  }

  /** A session that has nothing does not wait for its client. */
  #suspend(session: LockServerSession, kept: KeptSession<LockServerSession>, lastHeardMs: number): boolean {
    if (session.locks.claimCount === 0) return false;
    if (this.#sessions.suspend(kept, lastHeardMs)) return true;
    const { maxSuspendedSessions } = this.#limits;
    this.#onRefused(session, atLimit('maxSuspendedSessions', maxSuspendedSessions, 'a session without a connection'));
    return false;
  }

  /** Ends the sessions of such clients that wait for them to come back, or that anchors keep; returns how many. */
  kill(isMeant: (client: ObservedClient) => boolean): number {
    const killed = [...this.#sessions].filter((kept) => {
      const client = kept.client ?? this.#loaded.get(kept.id)?.client;
      return (kept.state === 'suspended' || kept.state === 'anchored') && client !== undefined && isMeant(client);
    });
    for (const kept of killed) {
      const endLocks = (): void => (kept.client?.locks ?? this.#takeLoaded(kept))?.end('killed');
      // L3: before that is on record, nobody else may have them.
      const recorded = this.#sessions.end(kept);
      if (recorded === undefined) endLocks();
      else void recorded.then(endLocks);
    }
    return killed.length;
  }

  get statistics(): SessionStatistics {
    const { suspendedCount, awaitedCount, resumedCount, expiredCount } = this.#sessions;
    return {
      suspendedSessions: suspendedCount,
      awaitedSessions: awaitedCount,
      resumedSessions: resumedCount,
      expiredSessions: expiredCount,
    };
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
  ): SessionInformation | Refusal | PendingResult<SessionInformation> | undefined {
    const kept = this.#sessions.find(key);
    if (kept === undefined) return undefined;
    const { attempt } = listed;
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
    const listInTurn = (): void => this.#doInTurn(list);
    if (kept.recorded instanceof Promise) this.#whenDone(kept.recorded, listInTurn, listInTurn);
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

const IN_GRACE: NotGranted = { status: 'unavailable', reason: 'grace' };

function partition<Item>(items: readonly Item[], isFirst: (item: Item) => boolean): readonly [Item[], Item[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}
