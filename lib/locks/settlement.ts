/**
 * Lets in whom a lock has room for after something ended, in strict order. After each operation of the table every lock
 * that was touched has let in everybody it could.
 */

import type { LossReason, NamedLockHolder } from '../protocol.ts';
import { findDeadlock, isWaitedFor } from './deadlock.ts';
import { canGrant } from './group.ts';
import { admitsWaiter, holdersOf, isAwaited } from './lock.ts';
import type { LockBook } from './lock-book.ts';
import type { Claim, Lock, WaitingRequest, WaitResult } from './types.ts';
import { viewNamedHolder } from './views.ts';

/** How many holders of what was waited for a time-out tells of. */
const MAX_HOLDERS_TOLD = 10;
const CANCELLED = Object.freeze({ status: 'cancelled' }) satisfies WaitResult;
const DRAINING = Object.freeze({ status: 'draining' }) satisfies WaitResult;

/** Works on a lock table's book. */
export class Settlement {
  readonly #book: LockBook;

  constructor(book: LockBook) {
    this.#book = book;
  }

  /** Grants what a lock has room for, in order, then whatever that makes room for elsewhere. */
  settle(lock: Lock, nowMs: number): void {
    this.#letIn(lock, nowMs);
    if (this.#book.unsettled.length > 0) this.settleRest(nowMs);
  }

  /** Settles the locks that the book says may have room for others. */
  settleRest(nowMs: number): void {
    const { unsettled } = this.#book;
    // The list grows on the way.
    for (let index = 0; index < unsettled.length; index += 1) this.#letIn(unsettled[index] as Lock, nowMs);
    unsettled.length = 0;
  }

  /** Answers a waiting request without a grant. */
  endRequest(request: WaitingRequest, status: 'timeout' | 'cancelled', nowMs: number): void {
    if (request.kind === 'group') {
      this.#book.removeGroup(request, resultOf(status, request.waiting, nowMs));
      this.settleRest(nowMs);
      return;
    }
    const { claim } = request;
    const limitBefore = claim.place?.limit ?? 0;
    this.#book.endWait(request, resultOf(status, [claim], nowMs));
    if (claim.place !== undefined && claim.place.limit < limitBefore) this.#endDeadlock(claim);
    this.settle(claim.lock, nowMs);
  }

  /** Takes a hold away from an owner who did not ask for it, and lets in those behind it. */
  endHold(claim: Claim, reason: LossReason, nowMs: number): void {
    this.#book.takeAway(claim, reason);
    this.settle(claim.lock, nowMs);
  }

  /** Takes a lock away from all who hold it and tells how many. It is left unsettled. */
  takeFromHolders(lock: Lock, reason: LossReason): number {
    const count = lock.holderCount;
    for (const claim of holdersOf(lock)) this.#book.takeAway(claim, reason);
    return count;
  }

  /**
   * Answers every waiting request `draining`, in name order: of one name, those of the reader/writer lock come before
   * those of the permit.
   */
  drain(compareNames: (a: string, b: string) => number): void {
    const { readerWriterLocks, permits, unsettled } = this.#book;
    const awaited = [...readerWriterLocks, ...permits].filter(isAwaited);
    awaited.sort((a, b) => compareNames(a.name, b.name));
    for (const { queue } of awaited) for (const claim of queue ?? []) this.#book.removeClaim(claim, DRAINING);
    for (const lock of awaited) this.#book.forgetIfUnused(lock);
    unsettled.length = 0;
  }

  /** A place that was given a smaller limit may never be granted by that. */
  #endDeadlock(claim: Claim): void {
    const deadlock = isWaitedFor(claim.owner) ? findDeadlock(claim.owner, { waiting: [claim] }) : undefined;
    if (deadlock !== undefined) this.#book.removeClaim(claim, deadlock);
  }

  #letIn(lock: Lock, nowMs: number): void {
    for (let claim = lock.queue?.first; claim !== undefined; claim = lock.queue?.first) {
      const { place, group } = claim;
      if (place !== undefined) {
        if (!admitsWaiter(claim, place.limit)) break;
        this.#book.grantPlace(claim, nowMs);
      } else {
        if (group === undefined || !canGrant(group)) break;
        this.#book.grantGroup(group, nowMs);
      }
    }
    this.#book.forgetIfUnused(lock);
  }
}

function resultOf(status: 'timeout' | 'cancelled', claims: readonly Claim[], nowMs: number): WaitResult {
  return status === 'cancelled' ? CANCELLED : { status, holders: viewSomeHolders(claims, nowMs) };
}

function viewSomeHolders(claims: readonly Claim[], nowMs: number): readonly NamedLockHolder[] {
  const holders: NamedLockHolder[] = [];
  for (const { lock } of claims) {
    for (const claim of holdersOf(lock)) {
      if (holders.length === MAX_HOLDERS_TOLD) return holders;
      holders.push(viewNamedHolder(claim, nowMs));
    }
  }
  return holders;
}
