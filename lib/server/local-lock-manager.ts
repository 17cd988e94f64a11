/** Keeps the locks of this process: a lock table with a clock and tokens. Long work is done in slices. */

import { randomUUID } from 'node:crypto';
import { microsecondsAt } from '../ledger/clock-tokens.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { MemoryLedger } from '../ledger/memory-ledger.ts';
import { LockTable } from '../locks/lock-table.ts';
import type { Survey, SurveyOptions } from '../locks/survey.ts';
import type {
  AllTableLimits,
  Claim,
  LockKind,
  Outcome,
  Rest,
  SavedSession,
  SavedTable,
  Session,
  TableEvent,
} from '../locks/types.ts';
import type { Logger } from '../message/logger.ts';
import { mapResult, PendingResult } from '../message/pending-result.ts';
import { TurnBudget } from '../message/scheduler.ts';
import type {
  LockInformation,
  LockPage,
  LockStatistics,
  LossReason,
  RequestId,
  SessionEnd,
  VerifyResult,
} from '../protocol.ts';
import { type Clock, systemClock } from './clock.ts';
import { ClosedLocks } from './closed-locks.ts';
import { LocalSession } from './local-session.ts';
import { LockListings } from './lock-listings.ts';
import type {
  AbsentClient,
  ForceRelease,
  HoldersPage,
  LockAllResult,
  LockClientInfo,
  LockManager,
  LockResult,
  ManagedSession,
  NamesRequest,
  PageLimits,
  Pages,
} from './lock-manager.ts';
import type { LockObserver } from './lock-observer.ts';
import { LockObservers } from './lock-observers.ts';
import { isTooLarge, sizeOfCycle } from './page-size.ts';
import { StatisticsRecorder } from './statistics-recorder.ts';
import { takenBy } from './taken-holds.ts';

/** Milliseconds of each turn that long work may take. The last step may run over. */
const LONG_WORK_MS = 0.5;
/** How many items to handle before looking at the clock again. */
const CLAIMS_A_STEP = 8;
const DEADLINES_A_STEP = 2;
/** How many requests to let in, or claims to search for a deadlock, before looking at the clock again. */
const CATCHING_UP_STEPS = 32;

/** Limits, clock and ledger of a lock manager. */
export interface LocalLockManagerOptions {
  readonly limits: AllTableLimits & PageLimits;
  readonly clock?: Clock;
  /** Gives the fencing tokens; by default they begin at the wall clock. */
  readonly ledger?: Ledger;
}

/** A lock manager that keeps the locks in this process. */
export class LocalLockManager implements LockManager {
  readonly epoch: string = randomUUID();
  readonly table: LockTable;
  readonly clock: Clock;
  observers: LockObservers | undefined;
  readonly #ledger: Ledger;
  readonly #limits: PageLimits;
  readonly #statistics = new StatisticsRecorder();
  /** Shared by ends of sessions, deadlines, waiters let in by others and searches for deadlocks. */
  readonly #longWork: TurnBudget;
  readonly #listings: LockListings;
  readonly #closed: ClosedLocks;
  #isHeldBack = false;
  #isDraining = false;
  #isCatchingUp = false;
  #armedForMs = Number.POSITIVE_INFINITY;
  #stopTimer: (() => void) | undefined;
  #whenUnheld: (() => void) | undefined;

  constructor(options: LocalLockManagerOptions) {
    this.clock = options.clock ?? systemClock;
    this.#longWork = new TurnBudget(LONG_WORK_MS, this.clock);
    this.#limits = options.limits;
    this.#ledger = options.ledger ?? new MemoryLedger(microsecondsAt(Date.now()));
    const { tokens } = this.#ledger;
    this.#closed = new ClosedLocks((name, kind) => {
      this.#handle(this.table.letIn(name, kind, this.clock.nowMs()));
      this.#afterwards();
    });
    this.table = new LockTable({
      limits: options.limits,
      nextToken: () => tokens.next(),
      mayGrant: (count) => !this.#isHeldBack && !this.#isDraining && tokens.has(count),
      isBusy: () => this.#longWork.isUsedUp,
      maxCycleSteps: () => options.limits.maxPageEntries,
      ...(this.isDurable && {
        isClosed: (name, kind) => this.#closed.has(name, kind),
        onLoss: (claim, reason) => this.#recordLoss(claim, reason),
      }),
    });
    this.#listings = new LockListings(this.table, this.clock, options.limits);
    tokens.onRefill(() => this.#letInAll());
  }

  get lineage(): string {
    return this.#ledger.lineage;
  }

  get isDurable(): boolean {
    return this.#ledger.isDurable;
  }

  observe(observers: readonly LockObserver[], logger: Logger): LockObservers {
    const all: LockObservers = new LockObservers({
      nowMs: () => this.clock.nowMs(),
      logger,
      setObserved: (isObserved) => {
        this.observers = isObserved ? all : undefined;
        this.table.observe(this.observers);
      },
    });
    for (const observer of observers) all.add(observer);
    return all;
  }

  get tokensLeft(): number {
    return this.#ledger.tokens.left;
  }

  openSession(client: LockClientInfo): ManagedSession {
    return new LocalSession(this, this.table.openSession(client));
  }

  inspect(lockName: string, maxEntries: number, kind?: LockKind): LockInformation {
    return this.table.inspect(lockName, maxEntries, this.clock.nowMs(), kind);
  }

  list(request: NamesRequest): Pages<LockPage> {
    return this.#listings.list(request);
  }

  listHolders(kind: LockKind, lockName?: string): Pages<HoldersPage> {
    return this.#listings.listHolders(kind, lockName);
  }

  survey(options: SurveyOptions): PendingResult<Survey> {
    return this.#listings.survey(options);
  }

  verify(lockName: string, token: number): VerifyResult | PendingResult<VerifyResult> {
    return mapResult(this.#listings.isHeldWith(lockName, token), ({ isHeld }): VerifyResult => {
      if (isHeld) return { status: 'ok', outcome: 'current' };
      // In grace, its client may still claim the lock with this token.
      if (this.#isHeldBack) return { status: 'ok', outcome: 'unknown' };
      const { begin, last } = this.#ledger.tokens;
      // Whatever earlier runs without a lasting ledger have given, nothing is known of it.
      const isOfThisLineage = token > (this.isDurable ? 0 : begin) && token <= last;
      return { status: 'ok', outcome: isOfThisLineage ? 'superseded' : 'unknown' };
    });
  }

  forceRelease(lockName: string, kind: LockKind): ForceRelease | PendingResult<ForceRelease> {
    const reopen = this.closeLock(lockName, kind);
    const outcome = this.table.forceRelease(lockName, kind, this.clock.nowMs());
    const eviction = this.publish(outcome);
    const taken = takenBy(outcome.events, eviction?.count ?? 0);
    return this.finish(eviction, () => {
      reopen();
      return { status: 'ok', released: taken.count, taken };
    });
  }

  /** Closes a lock, so that nobody is granted it; returns what opens it again. Does nothing without a lasting ledger, which alone needs it (L3). */
  closeLock(name: string, kind: LockKind): () => void {
    return this.isDurable ? this.#closed.close(name, kind) : () => {};
  }

  whenOpen(name: string, kind: LockKind, callBack: () => void): void {
    this.#closed.whenOpen(name, kind, callBack);
  }

  /** L3: before others are granted what a session has lost, that is on record, or its client could reclaim it after a crash. */
  #recordLoss({ owner, lock, token }: Claim, reason: LossReason): void {
    const { keptId } = owner.session.client;
    const recorded = keptId === undefined ? undefined : this.#ledger.sessions.lose(keptId, { token, reason });
    if (recorded !== undefined) void recorded.then(this.closeLock(lock.name, lock.kind));
  }

  holdBack(isHeldBack: boolean): void {
    this.#isHeldBack = isHeldBack;
    if (!isHeldBack) this.#letInAll();
  }

  raiseTokens(token: number): Promise<void> {
    return this.#ledger.tokens.raiseTo(token);
  }

  statistics(): LockStatistics {
    return { ...this.table.counts, ...this.#statistics.totals };
  }

  drain(): Promise<void> {
    this.#isDraining = true;
    this.#handle(this.isDurable ? this.table.prepareStop() : this.table.drain());
    return new Promise((resolve) => {
      this.#whenUnheld = resolve;
      this.#afterwards();
    });
  }

  save(): SavedTable {
    return this.table.save(this.clock.nowMs());
  }

  load(
    saved: SavedTable,
    clientOf: (session: SavedSession) => AbsentClient | undefined,
  ): ReadonlyMap<string, ManagedSession> {
    const clients = saved.sessions.map(clientOf);
    const sessions = clients.map((client) => client && this.table.openSession(client));
    const contextOf = (session: number, id: RequestId | undefined): PendingResult<LockResult | LockAllResult> => {
      const pending = new PendingResult<LockResult | LockAllResult>();
      if (id !== undefined) pending.whenSettled((result) => clients[session]?.answer(id, result));
      return pending;
    };
    this.table.load(saved, sessions, contextOf, this.clock.nowMs());
    this.#afterwards();
    const opened = saved.sessions.map(({ id }, index) => [id, sessions[index]] as const);
    return new Map(opened.flatMap(([id, session]) => (session ? [[id, new LocalSession(this, session)]] : [])));
  }

  close(): void {
    this.#stopTimer?.();
  }

  /** Cancels the waits and frees the locks of a session in slices, because thousands of sessions may end in one turn. */
  endSession(session: Session, how: SessionEnd): void {
    const departure = this.table.endSession(session, how);
    this.observers?.sessionEnded(session);
    if (session.claimCount > 0) this.#doInSlices(departure);
  }

  /** The result of an operation, once all of it is done. */
  finish<Result extends object>(rest: Rest | undefined, makeResult: () => Result): Result | PendingResult<Result> {
    if (rest === undefined || rest.isOver) return makeResult();
    const result = new PendingResult<Result>(true);
    this.#doInSlices(rest, () => result.settle(makeResult()));
    return result;
  }

  #doInSlices(rest: Rest, whenOver?: () => void): void {
    this.#longWork.add(() => {
      this.publish({ result: undefined, events: this.table.goOn(rest, CLAIMS_A_STEP, this.clock.nowMs()) });
      if (!rest.isOver) return 'again';
      whenOver?.();
      return 'done';
    });
  }

  /** Sends the answers and events of an operation, then returns its own result. */
  publish<Result>(outcome: Outcome<Result>): Result {
    if (outcome.events.length > 0) this.#handle(outcome.events);
    const { nextDeadlineMs, isBehind } = this.table;
    if (nextDeadlineMs < this.#armedForMs || isBehind || this.#whenUnheld !== undefined) this.#afterwards();
    return outcome.result;
  }

  /** Counts an answer and returns it, without a deadlock's cycle if that is too long to send. */
  answer<Answer extends LockResult | LockAllResult>(answer: Answer): LockResult | LockAllResult {
    this.#statistics.recordAnswer(answer);
    return answer.status === 'deadlock' && isTooLarge(sizeOfCycle(answer.cycle ?? []), this.#limits)
      ? { status: 'deadlock' }
      : answer;
  }

  recordReleases(count: number): void {
    this.#statistics.releases += count;
  }

  #handle(events: readonly TableEvent[]): void {
    for (const event of events) {
      if (event.kind === 'answered') {
        (event.context as PendingResult<LockResult | LockAllResult>).settle(this.answer(event.result));
      } else {
        this.#statistics.recordLoss(event.hold);
        // A client that has left is told nothing.
        if (event.hold.reason !== 'sessionEnded') (event.session.client as LockClientInfo).lost(event.hold);
      }
    }
  }

  /** After each change: goes on with what was not possible at once, sets the timer for the next deadline, and ends the drain once nothing is held. */
  #afterwards(): void {
    if (this.table.isBehind && !this.#isCatchingUp) this.#catchUp();
    if (this.table.nextDeadlineMs < this.#armedForMs) this.#armTimer();
    if (this.#whenUnheld !== undefined && this.table.counts.holders === 0) {
      this.#whenUnheld();
      this.#whenUnheld = undefined;
    }
  }

  /** Grants what had to wait until more tokens were reserved. */
  #letInAll(): void {
    this.#handle(this.table.letInAll(this.clock.nowMs()));
    this.#afterwards();
  }

  /** In slices lets waiters in, and looks for the deadlocks that were not found at once. */
  #catchUp(): void {
    this.#isCatchingUp = true;
    this.#longWork.add(() => {
      this.#handle(this.table.catchUp(CATCHING_UP_STEPS, this.clock.nowMs()));
      if (this.table.isBehind) return 'again';
      this.#isCatchingUp = false;
      this.#afterwards();
      return 'done';
    });
  }

  /**
   * There is one timer, for the earliest deadline. If that deadline was cancelled, the timer fires early and is set
   * again.
   */
  #armTimer(): void {
    this.#stopTimer?.();
    this.#armedForMs = this.table.nextDeadlineMs;
    this.#stopTimer = this.clock.startTimeout(Math.max(0, this.#armedForMs - this.clock.nowMs()), () => {
      // Input comes first: when the process was stopped or busy, a release may have arrived in time.
      this.clock.defer(() =>
        this.#longWork.add(() => {
          const nowMs = this.clock.nowMs();
          this.#handle(this.table.expire(DEADLINES_A_STEP, nowMs));
          if (this.table.nextDeadlineMs <= nowMs) return 'again';
          this.#armedForMs = Number.POSITIVE_INFINITY;
          this.#afterwards();
          return 'done';
        }),
      );
    });
  }
}
