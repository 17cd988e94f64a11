/**
 * Lets in whom a lock has room for after something ended, in strict order. After each operation of the table every lock
 * that was touched has let in everybody it could.
 */

import { Claim, type Place } from './claim.ts';
import { findDeadlock, isWaitedFor } from './deadlock.ts';
import { viewNamedHolder } from './holder-view.ts';
import type { Lock } from './lock.ts';
import type { LockBook } from './lock-book.ts';
import type { WaitingRequest } from './lock-session.ts';
import type { NamedHolderView, WaitResult } from './types.ts';
import { WaitGroup } from './wait-group.ts';

/** How many of those who hold what was waited for a time-out tells of. */
const MAX_HOLDERS_TOLD = 10;
const CANCELLED = Object.freeze({ status: 'cancelled' }) satisfies WaitResult;
const DRAINING = Object.freeze({ status: 'draining' }) satisfies WaitResult;

/** Works on a lock table's book. */
export class Settlement<Subject, Context> {
  readonly #book: LockBook<Subject, Context>;
  readonly #compareNames: (a: string, b: string) => number;

  constructor(book: LockBook<Subject, Context>, compareNames: (a: string, b: string) => number) {
    this.#book = book;
    this.#compareNames = compareNames;
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

  /** Answers a waiting request without a grant. */
  endRequest(request: WaitingRequest<Subject, Context>, status: 'timeout' | 'cancelled', nowMs: number): void {
    if (request instanceof WaitGroup) {
      this.#book.removeGroup(request, this.#resultOf(status, request.waiting));
      this.settleRest(nowMs);
      return;
    }
    const { claim } = request;
    const place = claim.place as Place<Subject, Context>;
    const limitBefore = place.limit;
    this.#book.endWait(request, place, this.#resultOf(status, [claim]));
    if (place.size > 0 && place.limit < limitBefore) this.#endDeadlock(claim);
    this.settle(claim.lock, nowMs);
  }

  /** A place that was given a smaller limit may never be granted by that. */
  #endDeadlock(claim: Claim<Subject, Context>): void {
    const deadlock = isWaitedFor(claim.owner) ? findDeadlock(claim.owner, { waiting: [claim] }) : undefined;
    if (deadlock !== undefined) this.#book.removeClaim(claim, deadlock);
  }

  /** Takes a hold away from an owner who did not ask for it, and lets in those behind it. */
  endHold(claim: Claim<Subject, Context>, reason: 'lease' | 'sessionEnded', nowMs: number): void {
    this.#book.takeAway(claim, reason);
    this.settleAfter(claim, nowMs);
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
  drain(): void {
    const { readerWriterLocks, permits, unsettled } = this.#book;
    // Nobody waits behind a claim that is alone.
    const awaited: Lock<Subject, Context>[] = [];
    for (const locks of [readerWriterLocks, permits]) {
      for (const entry of locks.entries()) if (!(entry instanceof Claim) && entry.queue.size > 0) awaited.push(entry);
    }
    // The index has them in an order of chance.
    awaited.sort((a, b) => this.#compareNames(a.name, b.name));
    for (const lock of awaited) for (const claim of lock.queue) this.#book.removeClaim(claim, DRAINING);
    for (const lock of awaited) this.#book.forgetIfUnused(lock);
    unsettled.length = 0;
  }

  #letIn(lock: Lock<Subject, Context>, nowMs: number): void {
    for (let claim = lock.queue.first; claim !== undefined; claim = lock.queue.first) {
      if (!lock.admitsWaiter(claim, claim.waitLimit)) break;
      if (claim.place !== undefined) this.#book.grantPlace(claim, claim.place, nowMs);
      else if (!this.#admitGroup(claim.group as WaitGroup<Subject, Context>, nowMs)) break;
    }
    this.#book.forgetIfUnused(lock);
  }

  /** Grants a group if each of its claims could be granted, as its claim on the lock that was looked at could. */
  #admitGroup(group: WaitGroup<Subject, Context>, nowMs: number): boolean {
    const count = group.waiting.length;
    for (let looked = 0; looked < count; looked += 1) {
      if (!group.couldGrant(group.waiting[group.blockedAt] as Claim<Subject, Context>)) return false;
      group.blockedAt = (group.blockedAt + 1) % count;
    }
    this.#book.grantGroup(group, nowMs);
    return true;
  }

  #resultOf(status: 'timeout' | 'cancelled', claims: readonly Claim<Subject, Context>[]): WaitResult<Subject, Context> {
    return status === 'cancelled' ? CANCELLED : { status, holders: viewSomeHolders(claims) };
  }
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
