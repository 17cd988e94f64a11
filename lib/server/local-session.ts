/** One client's locks in this process. */

import { ChosenMap } from '../locks/chosen-map.ts';
import type { LockTable } from '../locks/lock-table.ts';
import type {
  EarlierHold,
  LockAllRequest,
  LockKind,
  LockRequest,
  Outcome,
  ReleaseRequest,
  Rest,
  Resumed,
  Resumption,
  Session,
} from '../locks/types.ts';
import { type SessionClaims, sessionClaims } from '../locks/views.ts';
import { PendingResult } from '../message/pending-result.ts';
import type {
  CancelResult,
  Granted,
  NotGranted,
  ReleaseAllResult,
  ReleaseResult,
  RequestId,
  SessionEnd,
} from '../protocol.ts';
import type { Clock } from './clock.ts';
import type { LockAllResult, LockClientInfo, LockResult, ManagedSession } from './lock-manager.ts';
import type { LockObservers } from './lock-observers.ts';
import { takenBy } from './taken-holds.ts';

/** What a session needs of its lock manager. */
interface Manager {
  readonly table: LockTable;
  readonly clock: Clock;
  /** Sends the answers and events of an operation, then returns its own result. */
  publish<Result>(outcome: Outcome<Result>): Result;
  /** Counts an answer and returns it as it is sent. */
  answer<Answer extends LockResult | LockAllResult>(answer: Answer): LockResult | LockAllResult;
  /** The result of an operation, once all of it is done. */
  finish<Result extends object>(rest: Rest, makeResult: () => Result): Result | PendingResult<Result>;
  readonly isDurable: boolean;
  /** Keeps a lock closed until the result is called. */
  closeLock(name: string, kind: LockKind): () => void;
  /** Calls back once the lock is open, at once if it is. */
  whenOpen(name: string, kind: LockKind, callBack: () => void): void;
  recordReleases(count: number): void;
  endSession(session: Session, how: SessionEnd): void;
  readonly observers: LockObservers | undefined;
}

export class LocalSession implements ManagedSession {
  readonly #manager: Manager;
  readonly #session: Session;
  /** Requests that steal and are not answered yet. */
  #thefts: Set<RequestId | undefined> | undefined;

  constructor(manager: Manager, session: Session) {
    this.#manager = manager;
    this.#session = session;
  }

  acquire(request: LockRequest): LockResult | PendingResult<LockResult> {
    const { table, clock } = this.#manager;
    const outcome = table.acquire(this.#session, request, clock.nowMs());
    const { result } = outcome;
    if (result.status === 'queued') return this.#pend<LockResult>(outcome, request);
    this.#manager.publish(outcome);
    if (result.status !== 'ok' && result.status !== 'stolen') this.#tellRefused(request, result);
    if (result.status !== 'stolen') return this.#whenRecorded(request, this.#manager.answer(result) as LockResult);
    const answer = this.#manager.answer(result.granted) as Granted;
    const taken = takenBy(outcome.events, result.count);
    const reopen = this.#manager.closeLock(request.name, 'readerWriter');
    const stolen = this.#manager.finish<LockResult>(result.rest, () => {
      reopen();
      return { ...answer, taken };
    });
    return this.#whenRecorded(request, stolen);
  }

  /** L3: a thief learns of its grant once it is on record that the holders before it have lost the lock. */
  #whenRecorded(
    { id, name, steal }: LockRequest,
    result: LockResult | PendingResult<LockResult>,
  ): LockResult | PendingResult<LockResult> {
    const isRefused = 'status' in result && result.status !== 'ok';
    if (steal === undefined || isRefused || !this.#manager.isDurable) return result;
    const recorded = new PendingResult<LockResult>(true);
    this.#thefts ??= new Set();
    this.#thefts.add(id);
    const settle = (answer: LockResult): void =>
      this.#manager.whenOpen(name, 'readerWriter', () => {
        if (this.#thefts?.delete(id) === true) recorded.settle(answer);
      });
    if (result instanceof PendingResult) result.whenSettled(settle);
    else settle(result);
    return recorded;
  }

  acquireAll(request: LockAllRequest): LockAllResult | PendingResult<LockAllResult> {
    const { table, clock } = this.#manager;
    const outcome = table.acquireAll(this.#session, request, clock.nowMs());
    const { result } = outcome;
    if (result.status === 'queued') return this.#pend<LockAllResult>(outcome, request);
    this.#manager.publish(outcome);
    if (result.status !== 'ok') this.#tellRefused(request, result);
    return this.#manager.answer(result) as LockAllResult;
  }

  #tellRefused(request: LockRequest | LockAllRequest, result: NotGranted): void {
    this.#manager.observers?.refusedAtOnce(this.#session, request, result);
  }

  release(request: ReleaseRequest): ReleaseResult {
    const { table, clock } = this.#manager;
    const result = this.#manager.publish(table.release(this.#session, request, clock.nowMs()));
    if (result.status === 'ok' && result.withdrawn === undefined) this.#manager.recordReleases(1);
    return result;
  }

  releaseAll(tag: string | undefined): ReleaseAllResult | PendingResult<ReleaseAllResult> {
    const { table, clock } = this.#manager;
    const departure = this.#manager.publish(table.releaseAll(this.#session, tag, clock.nowMs()));
    return this.#manager.finish(departure, () => {
      this.#manager.recordReleases(departure.releasedCount);
      return { status: 'ok', released: departure.releasedCount };
    });
  }

  cancel(id: RequestId): CancelResult {
    const { table, clock } = this.#manager;
    return this.#manager.publish(table.cancel(this.#session, id, clock.nowMs()));
  }

  get claimCount(): number {
    return this.#session.claimCount;
  }

  claims(max: number): SessionClaims {
    return sessionClaims(this.#session, max, this.#manager.clock.nowMs());
  }

  resume(client: LockClientInfo, resumption: Resumption): Resumed {
    const { table, clock } = this.#manager;
    this.#session.client = client;
    const [undone, requests] = this.#undoThefts(resumption.requests);
    const outcome = table.resume(this.#session, { ...resumption, requests }, clock.nowMs());
    const resumed = this.#manager.publish(outcome);
    this.#manager.recordReleases(resumed.released);
    return { ...resumed, unknown: [...resumed.unknown, ...undone] };
  }

  /** L3: what was stolen and is not on record yet is given up when the client comes back, and may be stolen again. */
  #undoThefts(requests: Resumption['requests']): readonly [readonly RequestId[], Resumption['requests']] {
    const thefts = this.#thefts;
    this.#thefts = undefined;
    if (thefts === undefined || thefts.size === 0) return [[], requests];
    const others = [...requests].filter(([id]) => !thefts.has(id));
    return [requests.ids.filter((id) => thefts.has(id)), new ChosenMap(others)];
  }

  restore(holds: readonly EarlierHold[]): readonly number[] {
    const { table, clock } = this.#manager;
    const isRestored = (hold: EarlierHold): boolean =>
      this.#manager.publish(table.restore(this.#session, hold, clock.nowMs()));
    return holds.filter((hold) => !isRestored(hold)).map(({ token }) => token);
  }

  end(how: SessionEnd): void {
    this.#manager.endSession(this.#session, how);
  }

  /**
   * The answer comes later, as an event that carries this request's context. It may come as early as the outcome is published,
   * if the search for a deadlock is over by then.
   */
  #pend<Answer extends object>(
    outcome: Outcome<unknown>,
    request: LockRequest | LockAllRequest,
  ): PendingResult<Answer> {
    const pending = new PendingResult<Answer>();
    request.context = pending;
    this.#manager.publish(outcome);
    return pending;
  }
}
