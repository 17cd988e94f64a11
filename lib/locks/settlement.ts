/**
 * Lets in whom a lock has room for after something ended, in strict order, and clears away what is left of sessions
 * that have ended. After each operation of the table every lock that was touched has let in everybody it could.
 */

import { Claim } from './claim.ts';
import { findDeadlock, isWaitedFor } from './deadlock.ts';
import { viewNamedHolder } from './holder-view.ts';
import type { Lock } from './lock.ts';
import type { LockBook } from './lock-book.ts';
import type { LockSession, Owner, WaitingRequest } from './lock-session.ts';
import type { NamedHolderView, WaitResult } from './types.ts';
import { isUnlimited, WaitGroup } from './wait-group.ts';

/** How many of those who hold what was waited for a time-out tells of. */
const MAX_HOLDERS_TOLD = 10;
const CANCELLED = Object.freeze({ status: 'cancelled' }) satisfies WaitResult;
const DRAINING = Object.freeze({ status: 'draining' }) satisfies WaitResult;

/** Works on a lock table's book. */
export class Settlement<Subject, Context> {
  readonly #book: LockBook<Subject, Context>;
  readonly #compareNames: (a: string, b: string) => number;
  /** Sessions that ended with claims still to be worked off. */
  readonly #lingering = new Set<LockSession<Subject, Context>>();
  /** How many sessions have ever lingered. */
  #lingeredCount = 0;
  /** How many had when the last came that may have left claims where others wait. */
  #lingeredOnAwaitedCount = 0;

  constructor(book: LockBook<Subject, Context>, compareNames: (a: string, b: string) => number) {
    this.#book = book;
    this.#compareNames = compareNames;
  }

  get hasLingering(): boolean {
    return this.#lingering.size > 0;
  }

  /** What a lock that is new now is marked with: no claim of an ended session is on it. */
  get clearedAt(): number {
    return this.#lingeredCount;
  }

  /** What an operation finds under a name: no claim of an ended session is left on it. */
  touch(lock: Lock<Subject, Context> | undefined, nowMs: number): Lock<Subject, Context> | undefined {
    if (lock === undefined || !this.#isStale(lock)) return lock;
    this.settle(lock, nowMs);
    return lock.isUnused ? undefined : lock;
  }

  /** Touches every lock that decides what becomes of a claim and of the groups that depend on it. */
  touchClaim(claim: Claim<Subject, Context>, nowMs: number): void {
    if (this.#lingering.size === 0) return;
    if (!claim.isAlone) this.touch(claim.lock, nowMs);
    else if (claim.owner.session.state === 'ended') this.#freeClaim(claim);
    if (claim.group !== undefined) this.#touchGroup(claim.group, nowMs);
    for (const group of [...(claim.reliers ?? [])]) this.#touchGroup(group, nowMs);
  }

  /** Grants what a lock has room for, in order, then whatever that makes room for elsewhere. */
  settle(lock: Lock<Subject, Context>, nowMs: number): void {
    this.#letIn(lock, nowMs);
    if (this.#book.unsettled.length > 0) this.settleRest(nowMs);
  }

  /** Grants what there is room for since a claim was removed. */
  settleAfter(claim: Claim<Subject, Context>, nowMs: number): void {
    if (claim.isAlone) this.settleRest(nowMs);
    else this.settle(claim.lock, nowMs);
  }

  /** Settles the locks that the book says may have room for others. */
  settleRest(nowMs: number): void {
    const { unsettled } = this.#book;
    // The list grows on the way.
    for (let index = 0; index < unsettled.length; index += 1) {
      this.#letIn(unsettled[index] as Lock<Subject, Context>, nowMs);
    }
    unsettled.length = 0;
  }

  /**
   * Answers a waiting request without a grant; false when what it waits for turns out to be free and it is granted
   * instead.
   */
  endRequest(request: WaitingRequest<Subject, Context>, status: 'timeout' | 'cancelled', nowMs: number): boolean {
    if (request instanceof WaitGroup) return this.#endGroup(request, status, nowMs);
    const claim = request.claim;
    this.touch(claim.lock, nowMs);
    const { place } = claim;
    if (place === undefined) return false;
    const limitBefore = place.limit;
    this.#book.endWait(request, place, this.#resultOf(status, [claim]));
    if (place.size > 0 && place.limit < limitBefore) this.#endDeadlock(claim);
    this.settle(claim.lock, nowMs);
    return true;
  }

  /** A place that was given a smaller limit may never be granted by that. */
  #endDeadlock(claim: Claim<Subject, Context>): void {
    const deadlock = isWaitedFor(claim.owner) ? findDeadlock(claim.owner, { waiting: [claim] }) : undefined;
    if (deadlock !== undefined) this.#book.removeClaim(claim, deadlock);
  }

  /** Takes a hold whose lease is over away from its owner; one whose session ended before was lost by that. */
  expireHold(claim: Claim<Subject, Context>, nowMs: number): void {
    this.touchClaim(claim, nowMs);
    if (claim.state !== 'held') return;
    this.#book.takeAway(claim, 'lease');
    this.settleAfter(claim, nowMs);
  }

  /** The same for all claims of a session, or of one of its owners. None of them comes or goes by that. */
  touchClaims(session: LockSession<Subject, Context>, tag: string | undefined, nowMs: number): void {
    for (const claim of session.claims(tag)) this.touchClaim(claim, nowMs);
  }

  /** Touches every lock that decides what becomes of those who hold a lock, and of the groups that count on them. */
  touchHolders(lock: Lock<Subject, Context>, nowMs: number): void {
    if (this.#lingering.size === 0) return;
    for (const claim of [...lock.holders]) this.touchClaim(claim, nowMs);
  }

  /** Takes a lock away from all who hold it and tells how many. It is left unsettled. */
  takeFromHolders(lock: Lock<Subject, Context>, reason: 'forced' | 'stolen'): number {
    const count = lock.holders.size;
    for (const claim of lock.holders) this.#book.takeAway(claim, reason);
    return count;
  }

  /**
   * Answers every waiting request `draining`, in name order: of one name, those of the reader/writer lock come before
   * those of the permit.
   */
  drain(nowMs: number): void {
    const { readerWriterLocks, permits, unsettled } = this.#book;
    // Nobody waits behind a claim that is alone.
    const awaited: Lock<Subject, Context>[] = [];
    for (const locks of [readerWriterLocks, permits]) {
      for (const entry of locks.entries()) if (!(entry instanceof Claim) && entry.queue.size > 0) awaited.push(entry);
    }
    // The index has them in an order of chance.
    awaited.sort((a, b) => this.#compareNames(a.name, b.name));
    // Who waits only for sessions that have ended is granted the lock yet.
    for (const lock of awaited) this.touch(lock, nowMs);
    for (const lock of awaited) for (const claim of lock.queue) this.#book.removeClaim(claim, DRAINING);
    for (const lock of awaited) this.#book.forgetIfUnused(lock);
    unsettled.length = 0;
  }

  /**
   * Takes away about `max` claims of a session that has ended; the rest lingers. All of them leave before anybody is
   * let in, so that no grant counts a holder who is gone. A group goes as a whole.
   */
  freeClaims(session: LockSession<Subject, Context>, max: number, nowMs: number): void {
    if (max === 0 && session.claimCount > 0) {
      this.#linger(session);
      return;
    }
    const locks = new Set<Lock<Subject, Context>>();
    const enough = session.claimCount - max;
    while (session.claimCount > 0 && session.claimCount > enough) {
      const claim = session.anyClaim(undefined) as Claim<Subject, Context>;
      if (!claim.isAlone) locks.add(claim.lock);
      this.#freeClaim(claim);
    }
    if (session.claimCount === 0) this.#lingering.delete(session);
    else this.#linger(session);
    // A lock where nobody waits is left to whoever touches it: to look through its holders for each session that ends
    // would cost more the more of them end together.
    for (const lock of locks) {
      if (lock.queue.size > 0) this.settle(lock, nowMs);
      else this.#book.forgetIfUnused(lock);
    }
    this.settleRest(nowMs);
  }

  /**
   * Does so for a session that ends now. While a group waits for a permit without limit, all claims go at once that
   * others wait behind: whether such a permit passes somebody or comes after he was let in depends on which session
   * ended first, and that could not be told later.
   */
  endClaims(session: LockSession<Subject, Context>, max: number, nowMs: number): void {
    if (this.#book.unlimitedGroups.size > 0) this.#freeAwaitedClaims(session, nowMs);
    this.freeClaims(session, max, nowMs);
  }

  /** Takes away about `max` claims of the session that has lingered longest. */
  sweep(max: number, nowMs: number): void {
    for (const session of this.#lingering) {
      this.freeClaims(session, max, nowMs);
      return;
    }
  }

  #freeAwaitedClaims(session: LockSession<Subject, Context>, nowMs: number): void {
    const awaited: Claim<Subject, Context>[] = [];
    for (const claim of session.claims(undefined)) {
      if (!claim.isAlone && claim.lock.queue.size > 0) awaited.push(claim);
    }
    // A group goes as a whole.
    for (const claim of awaited) if (claim.state !== 'gone') this.#freeClaim(claim);
    // What is left counts as free for those who are let in now.
    if (session.claimCount > 0) this.#linger(session);
    for (const claim of awaited) this.settle(claim.lock, nowMs);
  }

  #letIn(lock: Lock<Subject, Context>, nowMs: number): void {
    this.#clearLingering(lock);
    for (let claim = lock.queue.first; claim !== undefined; claim = lock.queue.first) {
      if (!lock.admitsWaiter(claim, claim.waitLimit)) break;
      if (claim.place !== undefined) this.#book.grantPlace(claim, claim.place, nowMs);
      else if (!this.#admitGroup(claim.group as WaitGroup<Subject, Context>, lock, nowMs)) break;
    }
    this.#book.forgetIfUnused(lock);
  }

  /**
   * Grants a group if each of its claims could be granted, as its claim on `lock` could. A lock that still has to be
   * cleared of ended sessions is settled first, and the group looked at again: there if it is the head of that queue,
   * otherwise here.
   */
  #admitGroup(group: WaitGroup<Subject, Context>, lock: Lock<Subject, Context>, nowMs: number): boolean {
    const count = group.waiting.length;
    for (let looked = 0; looked < count; looked += 1) {
      const claim = group.waiting[group.blockedAt] as Claim<Subject, Context>;
      const isStale = this.#isStale(claim.lock);
      if (isStale) this.#book.unsettled.push(claim.lock);
      if (isStale && isUnlimited(claim)) this.#book.unsettled.push(lock);
      if (isStale || !group.couldGrant(claim)) {
        if (isUnlimited(claim)) this.#unsettleStaleLocksOf(group.owner);
        return false;
      }
      group.blockedAt = (group.blockedAt + 1) % count;
    }
    for (const claim of group.held) if (!claim.isAlone) this.#countAnew(claim.lock);
    this.#book.grantGroup(group, nowMs);
    return true;
  }

  /** The grant of a group tells of those beside whom its owner held a lock before, too. */
  #countAnew(lock: Lock<Subject, Context>): void {
    if (!this.#isStale(lock)) return;
    this.#clearLingering(lock);
    if (lock.queue.size > 0) this.#book.unsettled.push(lock);
  }

  /** What an owner waits for elsewhere may be free, and then its permits without limit may pass. */
  #unsettleStaleLocksOf(owner: Owner<Subject, Context>): void {
    for (let claim = owner.firstClaim; claim !== undefined; claim = claim.ownerNext) {
      if (!claim.isAlone && this.#isStale(claim.lock)) this.#book.unsettled.push(claim.lock);
    }
  }

  #endGroup(group: WaitGroup<Subject, Context>, status: 'timeout' | 'cancelled', nowMs: number): boolean {
    this.#touchGroup(group, nowMs);
    if (!isWaiting(group)) return false;
    this.#book.removeGroup(group, this.#resultOf(status, group.waiting));
    this.settleRest(nowMs);
    return true;
  }

  #touchGroup(group: WaitGroup<Subject, Context>, nowMs: number): void {
    if (this.#lingering.size === 0) return;
    for (const claim of group.waiting) this.touch(claim.lock, nowMs);
  }

  #resultOf(status: 'timeout' | 'cancelled', claims: readonly Claim<Subject, Context>[]): WaitResult<Subject, Context> {
    return status === 'cancelled' ? CANCELLED : { status, holders: viewSomeHolders(claims) };
  }

  #isStale(lock: Lock<Subject, Context>): boolean {
    if (this.#lingering.size === 0 || lock.clearedAt === this.#lingeredCount) return false;
    // Who waits here has cleared the lock when he came, and not every session since may have left claims behind.
    return lock.queue.size === 0 || lock.clearedAt < this.#lingeredOnAwaitedCount;
  }

  #linger(session: LockSession<Subject, Context>): void {
    if (this.#lingering.has(session)) return;
    this.#lingering.add(session);
    this.#lingeredCount += 1;
    if (this.#book.unlimitedGroups.size === 0) this.#lingeredOnAwaitedCount = this.#lingeredCount;
  }

  /** Looks through a lock once after each session that lingers, so that touching it stays cheap. */
  #clearLingering(lock: Lock<Subject, Context>): void {
    if (!this.#isStale(lock)) return;
    lock.clearedAt = this.#lingeredCount;
    for (const claims of [lock.holders, lock.queue]) {
      for (const claim of claims) {
        if (claim.owner.session.state === 'ended') this.#freeClaim(claim);
      }
    }
  }

  #freeClaim(claim: Claim<Subject, Context>): void {
    if (claim.state === 'held') this.#book.takeAway(claim, 'sessionEnded');
    else this.#book.removeClaim(claim);
  }
}

function isWaiting<Subject, Context>(group: WaitGroup<Subject, Context>): boolean {
  return group.waiting[0]?.group === group;
}

function viewSomeHolders<Subject, Context>(
  claims: readonly Claim<Subject, Context>[],
): readonly NamedHolderView<Subject, Context>[] {
  const holders: NamedHolderView<Subject, Context>[] = [];
  for (const { lock } of claims) {
    for (let claim = lock.holders.first; claim !== undefined; claim = claim.next) {
      if (holders.length === MAX_HOLDERS_TOLD) return holders;
      holders.push(viewNamedHolder(claim));
    }
  }
  return holders;
}
