/**
 * The book that the lock table keeps: locks, claims, deadlines, counts and the record of what an operation caused.
 * Here claims are granted, removed and let in; what may be asked for is the lock table's business.
 */

import { type Claim, type Place, Wait } from './claim.ts';
import { DeadlineHeap } from './deadline-heap.ts';
import { Lock, type LockKind } from './lock.ts';
import type { LockSession } from './lock-session.ts';
import type { AcquireRequest, Granted, LossReason, RequestId, TableCounts, TableEvent, WaitResult } from './types.ts';

const NOTHING_HAPPENED: readonly never[] = Object.freeze([]);
const CANCELLED: WaitResult = Object.freeze({ status: 'cancelled' });

/** State and its transitions; after each public operation of the table every lock has let in whom it has room for. */
export class LockBook<Subject, Context> {
  readonly readerWriterLocks: Map<string, Lock<Subject, Context>> = new Map<string, Lock<Subject, Context>>();
  readonly permits: Map<string, Lock<Subject, Context>> = new Map<string, Lock<Subject, Context>>();
  readonly deadlines: DeadlineHeap<Claim<Subject, Context> | Wait<Subject, Context>> = new DeadlineHeap<
    Claim<Subject, Context> | Wait<Subject, Context>
  >();
  /** Sessions that ended with claims still to be worked off. */
  readonly #lingering = new Set<LockSession<Subject, Context>>();
  sessionCount = 0;
  readonly #nextToken: () => number;
  /** How many sessions have ever lingered. */
  #lingeredCount = 0;
  #events: TableEvent<Subject, Context>[] | undefined;
  #heldLocks = 0;
  #heldPermits = 0;
  #holders = 0;
  #waiting = 0;

  constructor(nextToken: () => number) {
    this.#nextToken = nextToken;
  }

  get counts(): TableCounts {
    return {
      locks: this.#heldLocks,
      permits: this.#heldPermits,
      holders: this.#holders,
      waiting: this.#waiting,
      sessions: this.sessionCount,
    };
  }

  /** Locks that are held or waited for. */
  get lockCount(): number {
    return this.readerWriterLocks.size + this.permits.size;
  }

  locksOf(kind: LockKind): Map<string, Lock<Subject, Context>> {
    return kind === 'permit' ? this.permits : this.readerWriterLocks;
  }

  addLock(name: string, kind: LockKind): Lock<Subject, Context> {
    const lock = new Lock<Subject, Context>(name, kind, this.#lingeredCount);
    this.locksOf(kind).set(name, lock);
    return lock;
  }

  /** What an operation finds under a name: no claim of an ended session is left on it. */
  touch(lock: Lock<Subject, Context> | undefined, nowMs: number): Lock<Subject, Context> | undefined {
    if (lock === undefined || this.#lingering.size === 0 || lock.clearedAt === this.#lingeredCount) return lock;
    this.settle(lock, nowMs);
    return lock.isUnused ? undefined : lock;
  }

  /** Adds one more waiting request to a claim that has a place. */
  addWait(claim: Claim<Subject, Context>, request: AcquireRequest<Context>, nowMs: number): void {
    const wait = new Wait<Subject, Context>(claim, request);
    claim.place?.push(wait);
    claim.owner.session.addWait(wait);
    claim.lock.waitingCount += 1;
    this.#waiting += 1;
    this.deadlines.add(wait, nowMs + request.waitMs);
  }

  /** Answers a waiting request without a grant; false when its lock turns out to be free and it is granted instead. */
  endWait(wait: Wait<Subject, Context>, result: WaitResult, nowMs: number): boolean {
    const claim = wait.claim;
    this.touch(claim.lock, nowMs);
    if (claim.place === undefined) return false;
    this.#forgetWait(wait);
    claim.place.remove(wait);
    this.#answer(wait, result);
    if (claim.place.size === 0) this.removeClaim(claim);
    else claim.mode = claim.place.mode;
    this.settle(claim.lock, nowMs);
    return true;
  }

  grant(
    claim: Claim<Subject, Context>,
    requestId: RequestId | undefined,
    leaseMs: number | undefined,
    nowMs: number,
  ): Granted {
    const lock = claim.lock;
    lock.addHolder(claim);
    claim.token = this.#nextToken();
    claim.sinceMs = nowMs;
    claim.requestId = requestId;
    claim.owner.session.addHold(claim);
    this.#holders += 1;
    if (lock.holders.size === 1) this.#countHeld(lock, 1);
    if (leaseMs !== undefined) this.startLease(claim, leaseMs, nowMs);
    return { status: 'ok', token: claim.token, count: lock.holders.size };
  }

  /** Grants a claim that waits and answers all requests in its place: the first has the grant, the others share it. */
  grantPlace(claim: Claim<Subject, Context>, place: Place<Subject, Context>, nowMs: number): void {
    claim.place = undefined;
    const granted = this.grant(claim, place.first?.id, undefined, nowMs);
    for (const wait of place) {
      this.#forgetWait(wait);
      if (wait.leaseMs !== undefined) this.startLease(claim, wait.leaseMs, nowMs);
      this.#answer(wait, wait === place.first ? granted : { ...granted, alreadyHeld: true });
    }
  }

  /** Starts a lease, or starts it anew. */
  startLease(claim: Claim<Subject, Context>, leaseMs: number, nowMs: number): void {
    this.deadlines.remove(claim);
    this.deadlines.add(claim, nowMs + leaseMs);
  }

  /** Takes a hold whose lease is over away from its owner; one whose session ended before was lost by that. */
  expireHold(claim: Claim<Subject, Context>, nowMs: number): void {
    this.touch(claim.lock, nowMs);
    if (claim.state !== 'held') return;
    this.#takeAway(claim, 'lease');
    this.settle(claim.lock, nowMs);
  }

  /** Takes a hold or a queue place out of the book. Its lock may have room for others afterwards: see `settle`. */
  removeClaim(claim: Claim<Subject, Context>, answer: WaitResult = CANCELLED): void {
    const { lock, owner, place } = claim;
    for (const wait of place ?? NOTHING_HAPPENED) {
      this.#forgetWait(wait);
      this.#answer(wait, answer);
    }
    claim.place = undefined;
    if (claim.state === 'held') {
      this.deadlines.remove(claim);
      owner.session.removeHold(claim);
      this.#holders -= 1;
      if (lock.holders.size === 1) this.#countHeld(lock, -1);
    }
    lock.remove(claim);
    owner.detach(claim);
  }

  /** Grants what a lock has room for, in order, and forgets the lock when nobody holds it or waits for it. */
  settle(lock: Lock<Subject, Context>, nowMs: number): void {
    this.#clearLingering(lock);
    for (let claim = lock.queue.first; claim !== undefined; claim = lock.queue.first) {
      const place = claim.place as Place<Subject, Context>;
      if (!lock.admitsWaiter(claim, place.limit)) break;
      this.grantPlace(claim, place, nowMs);
    }
    if (lock.isUnused) this.locksOf(lock.kind).delete(lock.name);
  }

  /**
   * Takes away up to `max` claims of a session that has ended; the rest lingers. All of them leave before anybody is let
   * in, so that no grant counts a holder who is gone.
   */
  freeClaims(session: LockSession<Subject, Context>, max: number, nowMs: number): void {
    const locks = new Set<Lock<Subject, Context>>();
    for (let freed = 0; freed < max && session.claimCount > 0; freed += 1) {
      const claim = session.anyClaim(undefined) as Claim<Subject, Context>;
      locks.add(claim.lock);
      this.#freeClaim(claim);
    }
    if (session.claimCount === 0) this.#lingering.delete(session);
    else this.#linger(session);
    // A lock where nobody waits is left to whoever touches it: to look through its holders for each session that ends
    // would cost more the more of them end together.
    for (const lock of locks) {
      if (lock.queue.size > 0) this.settle(lock, nowMs);
      else if (lock.isUnused) this.locksOf(lock.kind).delete(lock.name);
    }
  }

  get hasLingering(): boolean {
    return this.#lingering.size > 0;
  }

  /** Takes away up to `max` claims of the session that has lingered longest. */
  sweep(max: number, nowMs: number): void {
    for (const session of this.#lingering) {
      this.freeClaims(session, max, nowMs);
      return;
    }
  }

  /** What happened since this was last asked. */
  takeEvents(): readonly TableEvent<Subject, Context>[] {
    const events = this.#events;
    if (events === undefined) return NOTHING_HAPPENED;
    this.#events = undefined;
    return events;
  }

  #linger(session: LockSession<Subject, Context>): void {
    if (this.#lingering.has(session)) return;
    this.#lingering.add(session);
    this.#lingeredCount += 1;
  }

  /** Looks through a lock once after each session that lingers, so that touching it stays cheap. */
  #clearLingering(lock: Lock<Subject, Context>): void {
    if (this.#lingering.size === 0 || lock.clearedAt === this.#lingeredCount) return;
    lock.clearedAt = this.#lingeredCount;
    for (const claims of [lock.holders, lock.queue]) {
      for (const claim of claims) {
        if (claim.owner.session.state === 'ended') this.#freeClaim(claim);
      }
    }
  }

  #freeClaim(claim: Claim<Subject, Context>): void {
    if (claim.state === 'held') this.#takeAway(claim, 'sessionEnded');
    else this.removeClaim(claim);
  }

  /** Takes a hold away from an owner who did not ask for it. */
  #takeAway(claim: Claim<Subject, Context>, reason: LossReason): void {
    this.removeClaim(claim);
    const { owner, lock, mode, token } = claim;
    this.#tell({ kind: 'lost', session: owner.session, name: lock.name, mode, tag: owner.tag, token, reason });
  }

  #forgetWait(wait: Wait<Subject, Context>): void {
    wait.claim.owner.session.removeWait(wait);
    wait.claim.lock.waitingCount -= 1;
    this.#waiting -= 1;
    this.deadlines.remove(wait);
  }

  #countHeld(lock: Lock<Subject, Context>, change: 1 | -1): void {
    if (lock.kind === 'permit') this.#heldPermits += change;
    else this.#heldLocks += change;
  }

  #answer(wait: Wait<Subject, Context>, result: WaitResult): void {
    this.#tell({ kind: 'answered', session: wait.claim.owner.session, context: wait.context, result });
  }

  #tell(event: TableEvent<Subject, Context>): void {
    this.#events ??= [];
    this.#events.push(event);
  }
}
