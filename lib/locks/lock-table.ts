/**
 * The lock table: every lock, who holds it and who waits, and the rules by which that changes. It is synchronous and
 * deterministic, keeps no clock and calls nobody: each operation is given the time and returns what happened.
 */

import type { CancelResult, LockInformation, ReleaseResult, RequestId, SessionEnd } from '../protocol.ts';
import { Acquisition } from './acquisition.ts';
import { Admission } from './admission.ts';
import { DeadlockDetector } from './deadlock.ts';
import { Departure } from './departure.ts';
import type { Eviction } from './eviction.ts';
import { GroupAcquisition } from './group-acquisition.ts';
import { findClaim, isHeldWith, KIND_OF } from './lock.ts';
import { LockBook } from './lock-book.ts';
import { restore } from './restoration.ts';
import { describeResumed, unlistedHolds, unlistedWaits } from './resumption.ts';
import { loadTable, saveTable } from './saved-table.ts';
import { findHoldByToken, findOwner, findWait, holdsGrantOf, makeSession } from './session.ts';
import { type SurveyOptions, SurveyPass } from './survey.ts';
import type {
  AcquireAllResult,
  AcquireResult,
  AllTableLimits,
  Claim,
  EarlierHold,
  LockAllRequest,
  LockKind,
  LockRequest,
  Outcome,
  ReleaseRequest,
  Rest,
  Resumed,
  Resumption,
  SavedTable,
  Session,
  SessionClient,
  TableCounts,
  TableEvent,
  TableObserver,
  TableOptions,
} from './types.ts';
import { allHolds, allNames, inspect } from './views.ts';

/** A search for a deadlock takes about so many steps within a request, a fraction of a millisecond; more in slices. */
const SEARCH_STEPS_AT_ONCE = 1_000;
/** As many waiters are let in within the request that makes room for them, in a fraction of a millisecond; more in slices. */
const ANSWERS_AT_ONCE = 200;
/** While the table is busy. Most operations let in one waiter. */
const ANSWERS_WHEN_BUSY = 4;
const NOTHING: readonly never[] = Object.freeze([]);
const NOT_HELD: ReleaseResult = Object.freeze({ status: 'notHeld' });

/**
 * Locks, holders and queues. Operations cost the same however many locks, waiters and sessions there are, O(log n)
 * where they have a deadline; all times are milliseconds of one monotonic clock of the caller's.
 */
export class LockTable {
  readonly #book: LockBook;
  readonly #deadlocks: DeadlockDetector;
  readonly #admission: Admission;
  readonly #acquisition: Acquisition;
  readonly #groupAcquisition: GroupAcquisition;
  readonly #answersAtOnce: number;
  readonly #isBusy: () => boolean;
  readonly #limits: AllTableLimits;
  /** `stopping`: it drains, but for the sessions that outlive the process. */
  #state: 'serving' | 'draining' | 'stopping' = 'serving';

  constructor(options: TableOptions) {
    const { limits } = options;
    const { searchStepsAtOnce = SEARCH_STEPS_AT_ONCE, answersAtOnce = ANSWERS_AT_ONCE } = options;
    const { maxCycleSteps = () => Number.POSITIVE_INFINITY, isBusy = () => false } = options;
    this.#book = new LockBook(options);
    this.#answersAtOnce = answersAtOnce;
    this.#isBusy = isBusy;
    this.#limits = limits;
    this.#deadlocks = new DeadlockDetector(searchStepsAtOnce, maxCycleSteps);
    const answersNow = (): number => (isBusy() ? Math.min(ANSWERS_WHEN_BUSY, answersAtOnce) : answersAtOnce);
    this.#admission = new Admission(this.#book, this.#deadlocks, answersNow);
    this.#acquisition = new Acquisition(this.#book, this.#admission, this.#deadlocks, limits);
    this.#groupAcquisition = new GroupAcquisition(this.#book, this.#admission, this.#deadlocks, limits);
  }

  /** Has an observer told of claims as they begin and end from now on, or nobody. */
  observe(observer: TableObserver | undefined): void {
    this.#book.observer = observer;
  }

  openSession(client: SessionClient): Session {
    this.#book.sessionCount += 1;
    return makeSession(client);
  }

  /** Asks for a lock. When the result is `queued`, the answer is an event of some later operation. */
  acquire(session: Session, request: LockRequest, nowMs: number): Outcome<AcquireResult> {
    requireLive(session);
    return this.#outcome(this.#acquisition.acquire(session, request, this.#isRefused(session, request), nowMs));
  }

  /**
   * Asks for several locks: all are granted in one step, or none. When the result is `queued`, the answer is an event of
   * some later operation. It is `cancelled` also when a hold ends that the request names.
   */
  acquireAll(session: Session, request: LockAllRequest, nowMs: number): Outcome<AcquireAllResult> {
    requireLive(session);
    return this.#outcome(this.#groupAcquisition.acquireAll(session, request, this.#isRefused(session, request), nowMs));
  }

  /**
   * Releases one hold, or leaves a queue: the requests that waited there are answered `cancelled`. A request for several
   * locks leaves all its queues.
   */
  release(session: Session, request: ReleaseRequest, nowMs: number): Outcome<ReleaseResult> {
    requireLive(session);
    const claim = this.#findClaim(session, request);
    if (claim === undefined || !fits(claim, request)) return this.#outcome(NOT_HELD);
    const wasHeld = claim.state === 'held';
    this.#book.removeClaim(claim);
    const count = claim.lock.holderCount;
    this.#admission.letIn(claim.lock, nowMs);
    return this.#outcome(wasHeld ? { status: 'ok', count } : { status: 'ok', count, withdrawn: true });
  }

  /**
   * Releases all holds of a session, or of one of its owners, and leaves all queues. What is not possible at once is for `goOn`;
   * the session should ask for nothing until then.
   */
  releaseAll(session: Session, tag: string | undefined, nowMs: number): Outcome<Departure> {
    requireLive(session);
    const departure = new Departure(this.#book, this.#admission, { session, tag, reason: 'released' });
    // The first step looks at all claims.
    const isLater = session.claimCount > ANSWERS_WHEN_BUSY && this.#isBusy();
    if (!isLater) departure.advance(this.#answersAtOnce, nowMs);
    return this.#outcome(departure);
  }

  /** Ends one waiting request by its id; a grant that came first is left alone. */
  cancel(session: Session, id: RequestId, nowMs: number): Outcome<CancelResult> {
    requireLive(session);
    const wait = findWait(session, id);
    if (wait !== undefined) {
      this.#admission.endRequest(wait, 'cancelled', nowMs);
      return this.#outcome({ status: 'ok', outcome: 'cancelled' });
    }
    return this.#outcome({ status: 'ok', outcome: holdsGrantOf(session, id) ? 'granted' : 'unknown' });
  }

  /** When the next wait limit or lease ends; `Infinity` when none does. */
  get nextDeadlineMs(): number {
    return this.#book.deadlines.earliestMs;
  }

  /** Ends up to `max` waits and leases whose time has come. */
  expire(max: number, nowMs: number): readonly TableEvent[] {
    for (let ended = 0; ended < max; ended += 1) {
      const due = this.#book.deadlines.takeDue(nowMs);
      if (due === undefined) break;
      if (due.kind === 'lease') this.#admission.endHold(due.claim, 'lease', nowMs);
      else this.#admission.endRequest(due, 'timeout', nowMs);
    }
    return this.#book.takeEvents();
  }

  /** Ends a session. Its waits are cancelled and its holds released by `goOn`. */
  endSession(session: Session, how?: SessionEnd): Departure {
    requireLive(session);
    session.state = 'ended';
    session.end = how;
    this.#book.sessionCount -= 1;
    return new Departure(this.#book, this.#admission, { session, reason: 'sessionEnded' });
  }

  /** Goes on with what an operation could not do at once: takes about so many steps, each a request or a hold that ends. */
  goOn(rest: Rest, maxSteps: number, nowMs: number): readonly TableEvent[] {
    rest.advance(maxSteps, nowMs);
    this.#admission.letInRest(nowMs);
    return this.#book.takeEvents();
  }

  /** Whether something is left for `catchUp`. */
  get isBehind(): boolean {
    return this.#admission.isBehind || this.#deadlocks.isSearching;
  }

  /**
   * Goes on with what operations could not do at once for others: lets in those for whom there is room, then looks for deadlocks and
   * refuses a request that is in one. Takes about so many steps.
   */
  catchUp(maxSteps: number, nowMs: number): readonly TableEvent[] {
    if (this.#admission.isBehind) this.#admission.goOn(maxSteps, nowMs);
    else {
      const stuck = this.#deadlocks.goOn(maxSteps, nowMs);
      if (stuck !== undefined) this.#admission.refuse(stuck.claim, stuck.deadlock, nowMs);
    }
    return this.#book.takeEvents();
  }

  /**
   * Goes on with a session whose client has come back. In one step, what the client does not list ends; the answers tell
   * what was granted by then.
   */
  resume(session: Session, resumption: Resumption, nowMs: number): Outcome<Resumed> {
    requireLive(session);
    this.#admission.withdraw(unlistedWaits(session, resumption));
    const holds = unlistedHolds(session, resumption);
    for (const hold of holds) {
      this.#book.removeClaim(hold);
      this.#book.changed.push(hold.lock);
    }
    // Behind all of them, so that no other owner of the session is granted one of these locks; as far as that is possible at once.
    this.#admission.letInRest(nowMs);
    return this.#outcome({ ...describeResumed(session, resumption), released: holds.length });
  }

  /** Gives a hold of an earlier run back to its session. The result is whether it has it now. Nothing may be granted meanwhile. */
  restore(session: Session, hold: EarlierHold, nowMs: number): Outcome<boolean> {
    requireLive(session);
    // Not the bytes of the whole table: those of another attempt of the same client may still be in it.
    const isFull = session.bytes >= this.#limits.maxBytesPerSession;
    return this.#outcome(!isFull && restore(this.#book, session, hold, nowMs));
  }

  /** Lets in those who had to wait only because `mayGrant` was false. Looks at all that wait; at most of them in slices. */
  letInAll(nowMs: number): readonly TableEvent[] {
    this.#admission.letInAll(nowMs);
    return this.#book.takeEvents();
  }

  /** Lets in those who had to wait only because their lock was closed. */
  letIn(name: string, kind: LockKind, nowMs: number): readonly TableEvent[] {
    const lock = this.#book.locks[kind].get(name);
    if (lock !== undefined) this.#admission.letInOne(lock, nowMs);
    return this.#book.takeEvents();
  }

  /** Stops granting new requests, and answers every waiting request `draining`. */
  drain(): readonly TableEvent[] {
    this.#state = 'draining';
    this.#admission.drain();
    return this.#book.takeEvents();
  }

  /**
   * The same before a planned stop: requests of sessions with a `keptId` wait on, for the next run. `mayGrant` must be false from now
   * on.
   */
  prepareStop(): readonly TableEvent[] {
    this.#state = 'stopping';
    this.#admission.drain((session) => session.client.keptId !== undefined);
    return this.#book.takeEvents();
  }

  /** What the sessions with a `keptId` have, for the next run. */
  save(nowMs: number): SavedTable {
    return saveTable(this.#book, nowMs);
  }

  /**
   * Gives sessions back what they had in an earlier run; those that are undefined are left out. `contextOf` gives the context of each
   * request. Nothing may have been granted before; `letInAll` grants what can be.
   */
  load(
    saved: SavedTable,
    sessions: readonly (Session | undefined)[],
    contextOf: (session: number, id: RequestId | undefined) => unknown,
    nowMs: number,
  ): void {
    loadTable(this.#book, saved, sessions, contextOf, nowMs);
  }

  /** Takes a lock away from all its holders and lets waiters in. Holders that could not be told at once are told by `goOn`. */
  forceRelease(name: string, kind: LockKind, nowMs: number): Outcome<Eviction | undefined> {
    const lock = this.#book.locks[kind].get(name);
    if (lock === undefined || lock.holderCount === 0) return this.#outcome(undefined);
    const eviction = this.#admission.evict(lock, 'forced');
    this.#admission.letIn(eviction.successor, nowMs);
    return this.#outcome(eviction);
  }

  /** Whether the reader/writer lock or the permit of a name is held with this token. Looks at all holders. */
  isHeldWith(name: string, token: number): boolean {
    const { readerWriter, permit } = this.#book.locks;
    return isHeldWith(readerWriter.get(name), token) || isHeldWith(permit.get(name), token);
  }

  get counts(): TableCounts {
    return this.#book.counts;
  }

  /**
   * The holders and waiters of a name, at most `max` of each. Of one kind of lock if it is given, otherwise of the
   * reader/writer lock and then of the permit.
   */
  inspect(name: string, max: number, nowMs: number, kind?: LockKind): LockInformation {
    return inspect(this.#book, name, max, nowMs, kind);
  }

  /** All names with a lock, in any order. A name that stays is seen, whatever other names come and go meanwhile. */
  names(kind?: LockKind): Iterator<string> {
    return allNames(this.#book, kind);
  }

  /** All holds of one kind of lock, or of one lock, in any order. */
  holds(kind: LockKind, name?: string): Generator<Claim, void, undefined> {
    return allHolds(this.#book, kind, name);
  }

  /** Begins a pass over all locks that finds what stands out. */
  survey(options: SurveyOptions, nowMs: () => number): SurveyPass {
    return new SurveyPass(this.#book, options, nowMs);
  }

  /** Whether a request that is not answered at once is answered `draining`. */
  #isRefused({ client }: Session, request: LockRequest | LockAllRequest): boolean {
    if (this.#state !== 'stopping') return this.#state === 'draining';
    const isSteal = 'steal' in request && request.steal !== undefined;
    return client.keptId === undefined || request.waitMs <= 0 || isSteal;
  }

  #findClaim(session: Session, { name, mode, tag, token }: ReleaseRequest): Claim | undefined {
    if (token !== undefined && (name === undefined || tag === undefined)) return findHoldByToken(session, token);
    const owner = findOwner(session, tag ?? '');
    if (owner === undefined || name === undefined) return undefined;
    const claim = findClaim(this.#book.locks[KIND_OF[mode ?? 'exclusive']].get(name), owner);
    if (token === undefined || mode !== undefined || claim?.token === token) return claim;
    // A token names its hold in either name space.
    return findClaim(this.#book.locks.permit.get(name), owner);
  }

  #outcome<Result>(result: Result): Outcome<Result> {
    return { result, events: this.#book.events.length === 0 ? NOTHING : this.#book.takeEvents() };
  }
}

function requireLive(session: Session): void {
  if (session.state === 'ended') throw new Error('a session that has ended asked for something');
}

/** Whether all keys of the request fit the claim. */
function fits({ lock, mode, owner, state, token }: Claim, request: ReleaseRequest): boolean {
  if (!lock.isInMap || lock.name !== (request.name ?? lock.name)) return false;
  if (mode !== (request.mode ?? mode) || owner.tag !== (request.tag ?? owner.tag)) return false;
  return request.token === undefined || (state === 'held' && token === request.token);
}
