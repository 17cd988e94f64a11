/**
 * The lock table: every lock, who holds it and who waits, and the rules by which that changes. It is synchronous and
 * deterministic, keeps no clock and calls nobody: each operation is given the time and returns what happened.
 */

import { Acquisition } from './acquisition.ts';
import { type Claim, Lease } from './claim.ts';
import { GroupAcquisition } from './group-acquisition.ts';
import type { Listing } from './listing.ts';
import { kindOf, type Lock, type LockKind } from './lock.ts';
import { LockBook } from './lock-book.ts';
import { LockSession } from './lock-session.ts';
import { type HolderListing, LockViews } from './lock-views.ts';
import { SessionEnd } from './session-end.ts';
import { Settlement } from './settlement.ts';
import type {
  AcquireAllResult,
  AcquireRequest,
  AcquireResult,
  CancelResult,
  ForceReleaseResult,
  LockAllRequest,
  LockView,
  NamesRequest,
  Outcome,
  ReleaseAllResult,
  ReleaseRequest,
  ReleaseResult,
  RequestId,
  TableCounts,
  TableEvent,
  TableOptions,
} from './types.ts';

const NOT_HELD: ReleaseResult = Object.freeze({ status: 'notHeld' });

/**
 * Locks, holders and queues. Operations cost the same however many locks, waiters and sessions there are, O(log n)
 * where they have a deadline; all times are milliseconds of one monotonic clock of the caller's.
 */
export class LockTable<Subject, Context> {
  readonly #book: LockBook<Subject, Context>;
  readonly #settlement: Settlement<Subject, Context>;
  readonly #acquisition: Acquisition<Subject, Context>;
  readonly #groupAcquisition: GroupAcquisition<Subject, Context>;
  readonly #views: LockViews<Subject, Context>;
  #state: 'serving' | 'draining' = 'serving';

  constructor({ limits, nextToken, compareNames, hashName }: TableOptions) {
    this.#book = new LockBook<Subject, Context>(nextToken, hashName);
    this.#settlement = new Settlement<Subject, Context>(this.#book, compareNames);
    this.#acquisition = new Acquisition<Subject, Context>(this.#book, this.#settlement, limits);
    this.#groupAcquisition = new GroupAcquisition<Subject, Context>(this.#book, this.#settlement, limits);
    this.#views = new LockViews<Subject, Context>(this.#book, compareNames);
  }

  openSession(subject: Subject): LockSession<Subject, Context> {
    this.#book.sessionCount += 1;
    return new LockSession<Subject, Context>(subject);
  }

  /** Asks for a lock. When the result is `queued`, the answer is an event of some later operation. */
  acquire(
    session: LockSession<Subject, Context>,
    request: AcquireRequest<Context>,
    nowMs: number,
  ): Outcome<Subject, Context, AcquireResult<Subject, Context>> {
    requireLive(session);
    return this.#outcome(this.#acquisition.acquire(session, request, this.#state === 'draining', nowMs));
  }

  /**
   * Asks for several locks: all are granted in one step, or none. When the result is `queued`, the answer is an event of
   * some later operation; `cancelled` also when one of those that the owner held before has ended meanwhile.
   */
  acquireAll(
    session: LockSession<Subject, Context>,
    request: LockAllRequest<Context>,
    nowMs: number,
  ): Outcome<Subject, Context, AcquireAllResult<Subject, Context>> {
    requireLive(session);
    return this.#outcome(this.#groupAcquisition.acquireAll(session, request, this.#state === 'draining', nowMs));
  }

  /**
   * Gives up one hold, or leaves a queue: the requests that waited there are answered `cancelled`. A request for several
   * locks leaves all of their queues.
   */
  release(
    session: LockSession<Subject, Context>,
    request: ReleaseRequest,
    nowMs: number,
  ): Outcome<Subject, Context, ReleaseResult> {
    requireLive(session);
    const claim = this.#findClaim(session, request);
    if (claim === undefined || !fits(claim, request)) return this.#outcome(NOT_HELD);
    const wasHeld = claim.state === 'held';
    this.#book.removeClaim(claim);
    const count = claim.holderCount;
    this.#settlement.settleAfter(claim, nowMs);
    return this.#outcome(wasHeld ? { status: 'ok', count } : { status: 'ok', count, withdrawn: true });
  }

  /** Gives up all holds and queue places of a session, or those of one of its owners. */
  releaseAll(
    session: LockSession<Subject, Context>,
    tag: string | undefined,
    nowMs: number,
  ): Outcome<Subject, Context, ReleaseAllResult> {
    requireLive(session);
    const claims = [...session.claims(tag)];
    const released = claims.filter(({ state }) => state === 'held').length;
    this.#removeAll(claims, nowMs);
    return this.#outcome({ status: 'ok', released });
  }

  /** Ends one waiting request by its id; a grant that came first is left alone. */
  cancel(
    session: LockSession<Subject, Context>,
    id: RequestId,
    nowMs: number,
  ): Outcome<Subject, Context, CancelResult> {
    requireLive(session);
    const wait = session.findWait(id);
    if (wait !== undefined) {
      this.#settlement.endRequest(wait, 'cancelled', nowMs);
      return this.#outcome({ status: 'ok', outcome: 'cancelled' });
    }
    const isGranted = session.holdsGrantOf(id);
    return this.#outcome({ status: 'ok', outcome: isGranted ? 'granted' : 'unknown' });
  }

  /** When the next wait limit or lease ends; `Infinity` when none does. */
  get nextDeadlineMs(): number {
    return this.#book.deadlines.earliestMs;
  }

  /** Ends up to `max` waits and leases whose time has come. */
  expire(max: number, nowMs: number): readonly TableEvent<Subject, Context>[] {
    for (let ended = 0; ended < max; ended += 1) {
      const due = this.#book.deadlines.takeDue(nowMs);
      if (due === undefined) break;
      if (due instanceof Lease) this.#settlement.endHold(due.claim, 'lease', nowMs);
      else this.#settlement.endRequest(due, 'timeout', nowMs);
    }
    return this.#book.takeEvents();
  }

  /** Ends a session: its waits are cancelled, and what it holds is released by `continueEnd`. */
  endSession(
    session: LockSession<Subject, Context>,
    nowMs: number,
  ): Outcome<Subject, Context, SessionEnd<Subject, Context>> {
    requireLive(session);
    session.state = 'ended';
    this.#book.sessionCount -= 1;
    const waits = [...session.claims(undefined)].filter(({ state }) => state === 'waiting');
    this.#removeAll(waits, nowMs);
    return this.#outcome(new SessionEnd<Subject, Context>(session));
  }

  /** Releases up to `max` holds of a session that has ended, one after the other. */
  continueEnd(end: SessionEnd<Subject, Context>, max: number, nowMs: number): readonly TableEvent<Subject, Context>[] {
    for (let ended = 0; ended < max; ) {
      const hold = end.next();
      if (hold === undefined) break;
      if (hold.state !== 'held') continue;
      this.#settlement.endHold(hold, 'sessionEnded', nowMs);
      ended += 1;
    }
    return this.#book.takeEvents();
  }

  /** From now on nothing new is granted; every waiting request is answered `draining`, in name order. */
  drain(): readonly TableEvent<Subject, Context>[] {
    this.#state = 'draining';
    this.#settlement.drain();
    return this.#book.takeEvents();
  }

  /** Takes a lock away from all who hold it, whoever they are, and lets in those who wait. */
  forceRelease(name: string, kind: LockKind, nowMs: number): Outcome<Subject, Context, ForceReleaseResult> {
    const lock = this.#book.locksOf(kind).find(name);
    if (lock === undefined) return this.#outcome({ status: 'ok', released: 0 });
    const released = this.#settlement.takeFromHolders(lock, 'forced');
    this.#settlement.settle(lock, nowMs);
    return this.#outcome({ status: 'ok', released });
  }

  get counts(): TableCounts {
    return this.#book.counts;
  }

  /**
   * Who holds a name and who waits for it, at most `max` of each; nobody, when there is no such lock. Of one kind only
   * if that is given, otherwise of the reader/writer lock and then of the permit.
   */
  inspect(name: string, max: number, kind?: LockKind): LockView<Subject, Context> {
    return this.#views.inspect(name, max, kind);
  }

  /** Lists the names that are held or waited for, in name order. */
  listNames(request: NamesRequest): Listing<string> {
    return this.#views.listNames(request);
  }

  /** Lists the holders of one kind of lock, or of one lock, in the order of their grants. */
  listHolders(kind: LockKind, name?: string): HolderListing<Subject, Context> {
    return this.#views.listHolders(kind, name);
  }

  /** All leave before anybody is let in, so that no owner of a session is granted what it is about to give up. */
  #removeAll(claims: readonly Claim<Subject, Context>[], nowMs: number): void {
    const locks = new Set<Lock<Subject, Context>>();
    for (const claim of claims) {
      // One of a request for several locks has left with the first of them.
      if (claim.state === 'gone') continue;
      if (!claim.isAlone) locks.add(claim.lock);
      this.#book.removeClaim(claim);
    }
    for (const lock of locks) this.#settlement.settle(lock, nowMs);
    this.#settlement.settleRest(nowMs);
  }

  #findClaim(session: LockSession<Subject, Context>, request: ReleaseRequest): Claim<Subject, Context> | undefined {
    const { name, mode, tag, token } = request;
    if (token !== undefined && (name === undefined || tag === undefined)) return session.findHoldByToken(token);
    const owner = session.findOwner(tag ?? '');
    if (owner === undefined || name === undefined) return undefined;
    const claim = this.#book.locksOf(kindOf(mode ?? 'exclusive')).findClaim(name, owner);
    if (token === undefined || mode !== undefined || claim?.token === token) return claim;
    // A token names its hold in whichever of the two name spaces that is.
    return this.#book.permits.findClaim(name, owner);
  }

  #outcome<Result>(result: Result): Outcome<Subject, Context, Result> {
    return { result, events: this.#book.takeEvents() };
  }
}

function requireLive<Subject, Context>(session: LockSession<Subject, Context>): void {
  if (session.state === 'ended') throw new Error('a session that has ended asked for something');
}

/** Whether everything that the request names is true of the claim. */
function fits<Subject, Context>(claim: Claim<Subject, Context>, request: ReleaseRequest): boolean {
  const { name = claim.name, mode = claim.mode, tag = claim.owner.tag, token } = request;
  if (claim.name !== name || claim.mode !== mode || claim.owner.tag !== tag) return false;
  return token === undefined || (claim.state === 'held' && claim.token === token);
}
