/** Opens and resumes the sessions that outlive their connections, and decides what the end of a connection ends. */

import type { SessionList } from '../ledger/ledger.ts';
import type { SavedSession } from '../locks/types.ts';
import type { Logger } from '../message/logger.ts';
import type { ConnectionEnd } from '../message/message-server.ts';
import type { MessageId } from '../message/message-session.ts';
import type { PendingResult } from '../message/pending-result.ts';
import type { NotGranted, SessionInformation, SessionStatistics } from '../protocol.ts';
import { type KeptSession, KeptSessions } from '../sessions/kept-sessions.ts';
import { Anchors } from './anchors.ts';
import { atLimit, type OnRefused } from './command-refusals.ts';
import { LateSteps } from './late-steps.ts';
import type { ReclaimParameters, SessionParameters } from './lock-commands.ts';
import type { AbsentClient, LockAllResult, LockManager, LockResult, ManagedSession } from './lock-manager.ts';
import type { ObservedClient } from './lock-observer.ts';
import { invalidParameters, type Refusal } from './lock-requests.ts';
import type { SavedLocks } from './planned-stop.ts';
import { onceRecorded } from './recorded-answer.ts';
import { type KeeperLimits, MS_A_SECOND, ReturningClients } from './returning-clients.ts';
import type { LockServerSession } from './session.ts';

const DEFAULT_TIMEOUT_SECONDS = 20;

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
  readonly #present: SessionKeeperOptions['present'];
  readonly #onRefused: SessionKeeperOptions['onRefused'];
  readonly #steps: LateSteps;
  readonly #returning: ReturningClients;
  /** The locks of sessions of a planned stop that are not back, by their ids. */
  readonly #loaded = new Map<string, { readonly locks: ManagedSession; readonly client: ObservedClient }>();

  constructor({ limits, list, manager, nowMs, logger, present, onRefused }: SessionKeeperOptions) {
    this.#limits = limits;
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
    this.#steps = new LateSteps(logger);
    this.#returning = new ReturningClients({
      limits,
      sessions: this.#sessions,
      manager,
      steps: this.#steps,
      takeLoaded: (kept) => this.#takeLoaded(kept),
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
    this.#steps.whenDone(recorded, confirm, refuse);
    return confirmed;
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
    return (
      this.#returning.resume(session, { id, secret }, { tokens: holds, requests, attempt }) ??
      this.#open(session, parameters, 'gone')
    );
  }

  /** Ends the session on the client's wish. The connection goes on without one. */
  bye(session: LockServerSession): void {
    if (session.kept !== undefined) void this.#sessions.end(session.kept);
    session.kept = undefined;
  }

  /** Takes what the client held in an earlier run of the server. */
  reclaim(session: LockServerSession, parameters: ReclaimParameters): Refusal | PendingResult<object> {
    return this.#returning.reclaim(session, parameters);
  }

  /**
   * Suspends or ends the session, and says what is to become of its locks. `over`: the caller ends them. `kept`: it leaves them
   * alone, since they stay, end later, or are no longer those of this connection (S1).
   */
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
}

const IN_GRACE: NotGranted = { status: 'unavailable', reason: 'grace' };
