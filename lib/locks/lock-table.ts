/**
 * The lock table: every lock, who holds it and who waits, and the rules by which that changes. It is synchronous and
 * deterministic, keeps no clock and calls nobody: each operation is given the time and returns what happened.
 */

import { Claim, Place, Wait } from './claim.ts';
import { HolderScan, viewHolder } from './holder-scan.ts';
import { ListScan, type PageRequest } from './list-scan.ts';
import { kindOf, type Lock, type LockKind } from './lock.ts';
import { LockBook } from './lock-book.ts';
import { LockSession } from './lock-session.ts';
import type {
  AcquireRequest,
  AcquireResult,
  CancelResult,
  HolderView,
  LimitReached,
  LockMode,
  LockView,
  Outcome,
  ReleaseAllResult,
  ReleaseRequest,
  ReleaseResult,
  RequestId,
  TableCounts,
  TableEvent,
  TableLimits,
  TableOptions,
  WaiterView,
  WaitResult,
} from './types.ts';

const KINDS: readonly LockKind[] = ['readerWriter', 'permit'];
/** How many claims are worked off at a time when their locks are in the way of a new one. */
const CLAIMS_SWEPT_FOR_ROOM = 64;
const QUEUED: AcquireResult = Object.freeze({ status: 'queued' });
const UNAVAILABLE: AcquireResult = Object.freeze({ status: 'unavailable' });
const DRAINING: { readonly status: 'draining' } = Object.freeze({ status: 'draining' });
const CANCELLED: WaitResult = Object.freeze({ status: 'cancelled' });
const TIMEOUT: WaitResult = Object.freeze({ status: 'timeout' });
const NOT_HELD: ReleaseResult = Object.freeze({ status: 'notHeld' });

/**
 * Locks, holders and queues. Operations cost the same however many locks, waiters and sessions there are, O(log n)
 * where they have a deadline; all times are milliseconds of one monotonic clock of the caller's.
 */
export class LockTable<Subject, Context> {
  readonly #book: LockBook<Subject, Context>;
  readonly #limits: TableLimits;
  readonly #compareNames: (a: string, b: string) => number;
  #state: 'serving' | 'draining' = 'serving';

  constructor(options: TableOptions) {
    this.#book = new LockBook<Subject, Context>(options.nextToken);
    this.#limits = options.limits;
    this.#compareNames = options.compareNames;
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
  ): Outcome<Subject, Context, AcquireResult> {
    requireLive(session);
    const lock = this.#touch(request.name, request.mode, nowMs);
    const owner = lock === undefined ? undefined : session.findOwner(request.tag);
    const claim = owner === undefined ? undefined : lock?.find(owner);
    const result =
      claim === undefined
        ? this.#acquireAnew(session, lock, request, nowMs)
        : this.#acquireAgain(claim, request, nowMs);
    return this.#outcome(result);
  }

  /** Gives up one hold, or leaves a queue: the requests that waited there are answered `cancelled`. */
  release(
    session: LockSession<Subject, Context>,
    request: ReleaseRequest,
    nowMs: number,
  ): Outcome<Subject, Context, ReleaseResult> {
    requireLive(session);
    const claim = this.#findClaim(session, request);
    if (claim === undefined || !fits(claim, request)) return this.#outcome(NOT_HELD);
    const lock = claim.lock;
    this.#book.touch(lock, nowMs);
    const wasHeld = claim.state === 'held';
    this.#book.removeClaim(claim);
    const count = lock.holders.size;
    this.#book.settle(lock, nowMs);
    return this.#outcome(wasHeld ? { status: 'ok', count } : { status: 'ok', count, withdrawn: true });
  }

  /** Gives up all holds and queue places of a session, or those of one of its owners. */
  releaseAll(
    session: LockSession<Subject, Context>,
    tag: string | undefined,
    nowMs: number,
  ): Outcome<Subject, Context, ReleaseAllResult> {
    requireLive(session);
    let released = 0;
    // All leave before anybody is let in, so that no owner of the session is granted what it is about to give up.
    const locks = new Set<Lock<Subject, Context>>();
    for (let claim = session.anyClaim(tag); claim !== undefined; claim = session.anyClaim(tag)) {
      this.#book.touch(claim.lock, nowMs);
      if (claim.state === 'held') released += 1;
      locks.add(claim.lock);
      this.#book.removeClaim(claim);
    }
    for (const lock of locks) this.#book.settle(lock, nowMs);
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
    if (wait !== undefined && this.#book.endWait(wait, CANCELLED, nowMs)) {
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
      if (due instanceof Wait) this.#book.endWait(due, TIMEOUT, nowMs);
      else this.#book.expireHold(due, nowMs);
    }
    return this.#book.takeEvents();
  }

  /**
   * Ends a session: from now on none of its claims counts. Up to `max` of them are taken away here, the rest by
   * `sweep` or by whoever touches one of those locks first. Its waiting requests are answered `cancelled`.
   */
  endSession(
    session: LockSession<Subject, Context>,
    max: number,
    nowMs: number,
  ): readonly TableEvent<Subject, Context>[] {
    if (session.state === 'live') {
      session.state = 'ended';
      this.#book.sessionCount -= 1;
      this.#book.freeClaims(session, max, nowMs);
    }
    return this.#book.takeEvents();
  }

  /** Whether sessions that ended still have claims to be swept away. */
  get needsSweep(): boolean {
    return this.#book.hasLingering;
  }

  /** Takes away up to `max` claims of sessions that have ended. */
  sweep(max: number, nowMs: number): readonly TableEvent<Subject, Context>[] {
    this.#book.sweep(max, nowMs);
    return this.#book.takeEvents();
  }

  /** From now on nothing new is granted; every waiting request is answered `draining`. */
  drain(nowMs: number): readonly TableEvent<Subject, Context>[] {
    this.#state = 'draining';
    for (const locks of [this.#book.readerWriterLocks, this.#book.permits]) {
      for (const lock of locks.values()) {
        // Who waits only for sessions that have ended is granted the lock yet.
        this.#book.touch(lock, nowMs);
        for (const claim of lock.queue) this.#book.removeClaim(claim, DRAINING);
        if (lock.isUnused) locks.delete(lock.name);
      }
    }
    return this.#book.takeEvents();
  }

  get counts(): TableCounts {
    return this.#book.counts;
  }

  /**
   * Who holds a name and who waits for it, at most `max` of each; nobody, when there is no such lock. Of one kind only
   * if that is given, otherwise of the reader/writer lock and then of the permit.
   */
  inspect(
    name: string,
    max: number,
    nowMs: number,
    kind?: LockKind,
  ): Outcome<Subject, Context, LockView<Subject, Context>> {
    const holders: HolderView<Subject, Context>[] = [];
    const waiters: WaiterView<Subject, Context>[] = [];
    let holderCount = 0;
    let waiterCount = 0;
    for (const each of kind === undefined ? KINDS : [kind]) {
      const lock = this.#book.touch(this.#book.locksOf(each).get(name), nowMs);
      if (lock === undefined) continue;
      holderCount += lock.holders.size;
      waiterCount += lock.queue.size;
      for (let claim = lock.holders.first; claim !== undefined && holders.length < max; claim = claim.next) {
        holders.push(viewHolder(claim));
      }
      for (let claim = lock.queue.first; claim !== undefined && waiters.length < max; claim = claim.next) {
        waiters.push(viewWaiter(claim));
      }
    }
    return this.#outcome({ name, holderCount, waiterCount, holders, waiters });
  }

  /**
   * Starts the search for one page of the names that are held or waited for, of one kind only if that is given. Names
   * whose sessions have all ended may be among them: `inspect` tells.
   */
  scan(request: PageRequest, kind?: LockKind): ListScan {
    return new ListScan(request, this.#compareNames, this.#names(kind));
  }

  /** Starts the search for one page of the holders of one kind of lock, or of one lock, in the order of their grants. */
  scanHolders(kind: LockKind, afterToken: number, max: number, name?: string): HolderScan<Subject, Context> {
    return new HolderScan<Subject, Context>(this.#holders(kind, name), afterToken, max);
  }

  *#names(kind: LockKind | undefined): Generator<string, void, undefined> {
    for (const each of kind === undefined ? KINDS : [kind]) yield* this.#book.locksOf(each).keys();
  }

  *#holders(kind: LockKind, name: string | undefined): Generator<Claim<Subject, Context>, void, undefined> {
    if (name !== undefined) {
      yield* [...(this.#book.locksOf(kind).get(name)?.holders ?? [])];
      return;
    }
    // A copy of each lock's holders, which may change before the next step.
    for (const lock of this.#book.locksOf(kind).values()) yield* [...lock.holders];
  }

  #touch(name: string, mode: LockMode, nowMs: number): Lock<Subject, Context> | undefined {
    return this.#book.touch(this.#book.locksOf(kindOf(mode)).get(name), nowMs);
  }

  #acquireAnew(
    session: LockSession<Subject, Context>,
    lock: Lock<Subject, Context> | undefined,
    request: AcquireRequest<Context>,
    nowMs: number,
  ): AcquireResult {
    if (this.#state === 'draining') return DRAINING;
    const isAdmitted = lock === undefined || lock.admitsNewcomer(request.mode, limitOf(request));
    if (!isAdmitted && request.waitMs <= 0) return UNAVAILABLE;
    const refusal = this.#limitReached(session, lock, isAdmitted, nowMs);
    if (refusal !== undefined) return refusal;
    if (!isAdmitted && isWaiting(session, request)) return idInFlight(request);
    const known = lock ?? this.#book.addLock(request.name, kindOf(request.mode));
    const claim = new Claim<Subject, Context>(known, session.owner(request.tag), request.mode, nowMs);
    claim.owner.attach(claim);
    if (isAdmitted) return this.#book.grant(claim, request.id, request.leaseMs, nowMs);
    claim.place = new Place<Subject, Context>();
    this.#book.addWait(claim, request, nowMs);
    known.enqueue(claim);
    return QUEUED;
  }

  /** The owner holds the lock already or waits for it. */
  #acquireAgain(claim: Claim<Subject, Context>, request: AcquireRequest<Context>, nowMs: number): AcquireResult {
    if (claim.mode === 'shared' && request.mode === 'exclusive') {
      const verb = claim.state === 'held' ? 'holds' : 'awaits';
      return { status: 'invalid', message: `the owner ${verb} the lock shared and cannot ask for it exclusive` };
    }
    const lock = claim.lock;
    if (claim.place !== undefined) {
      if (!lock.admitsWaiter(claim, limitOf(request))) return this.#joinPlace(claim, request, nowMs);
      this.#book.grantPlace(claim, claim.place, nowMs);
      this.#book.settle(lock, nowMs);
    }
    if (request.leaseMs !== undefined) this.#book.startLease(claim, request.leaseMs, nowMs);
    return { status: 'ok', token: claim.token, count: lock.holders.size, alreadyHeld: true };
  }

  #joinPlace(claim: Claim<Subject, Context>, request: AcquireRequest<Context>, nowMs: number): AcquireResult {
    if (request.waitMs <= 0) return UNAVAILABLE;
    if (isWaiting(claim.owner.session, request)) return idInFlight(request);
    const { maxWaitersPerLock } = this.#limits;
    if (claim.lock.waitingCount >= maxWaitersPerLock) return limitReached('maxWaitersPerLock', maxWaitersPerLock);
    this.#book.addWait(claim, request, nowMs);
    return QUEUED;
  }

  #limitReached(
    session: LockSession<Subject, Context>,
    lock: Lock<Subject, Context> | undefined,
    isAdmitted: boolean,
    nowMs: number,
  ): LimitReached | undefined {
    const { maxLocks, maxLocksPerSession, maxWaitersPerLock } = this.#limits;
    if (session.claimCount >= maxLocksPerSession) return limitReached('maxLocksPerSession', maxLocksPerSession);
    if (lock === undefined) {
      // Locks of sessions that have ended do not count.
      while (this.#book.lockCount >= maxLocks && this.#book.hasLingering)
        this.#book.sweep(CLAIMS_SWEPT_FOR_ROOM, nowMs);
      return this.#book.lockCount >= maxLocks ? limitReached('maxLocks', maxLocks) : undefined;
    }
    if (!isAdmitted && lock.waitingCount >= maxWaitersPerLock) {
      return limitReached('maxWaitersPerLock', maxWaitersPerLock);
    }
    return undefined;
  }

  #findClaim(session: LockSession<Subject, Context>, request: ReleaseRequest): Claim<Subject, Context> | undefined {
    const { name, mode, tag, token } = request;
    if (token !== undefined && (name === undefined || tag === undefined)) return session.findHoldByToken(token);
    const owner = session.findOwner(tag ?? '');
    if (owner === undefined || name === undefined) return undefined;
    const claim = this.#book
      .locksOf(kindOf(mode ?? 'exclusive'))
      .get(name)
      ?.find(owner);
    if (token === undefined || mode !== undefined || claim?.token === token) return claim;
    // A token names its hold in whichever of the two name spaces that is.
    return this.#book.permits.get(name)?.find(owner);
  }

  #outcome<Result>(result: Result): Outcome<Subject, Context, Result> {
    return { result, events: this.#book.takeEvents() };
  }
}

function requireLive<Subject, Context>(session: LockSession<Subject, Context>): void {
  if (session.state === 'ended') throw new Error('a session that has ended asked for something');
}

function limitOf<Context>(request: AcquireRequest<Context>): number {
  return request.limit ?? Number.POSITIVE_INFINITY;
}

function isWaiting<Subject, Context>(
  session: LockSession<Subject, Context>,
  request: AcquireRequest<Context>,
): boolean {
  return request.id !== undefined && session.findWait(request.id) !== undefined;
}

function idInFlight<Context>(request: AcquireRequest<Context>): AcquireResult {
  return { status: 'invalid', message: `id ${JSON.stringify(request.id)} is in flight` };
}

function limitReached(limit: keyof TableLimits, value: number): LimitReached {
  return { status: 'limit', limit, value };
}

/** Whether everything that the request names is true of the claim. */
function fits<Subject, Context>(claim: Claim<Subject, Context>, request: ReleaseRequest): boolean {
  const { name = claim.lock.name, mode = claim.mode, tag = claim.owner.tag, token } = request;
  if (claim.lock.name !== name || claim.mode !== mode || claim.owner.tag !== tag) return false;
  return token === undefined || (claim.state === 'held' && claim.token === token);
}

function viewWaiter<Subject, Context>(claim: Claim<Subject, Context>): WaiterView<Subject, Context> {
  const limit = claim.mode === 'permit' ? claim.place?.limit : undefined;
  return { session: claim.owner.session, tag: claim.owner.tag, mode: claim.mode, limit, sinceMs: claim.sinceMs };
}
