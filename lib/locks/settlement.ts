/**
 * Lets waiters in, in strict order, when a hold or a wait has ended. After each operation of the table no waiter of a changed
 * lock could be granted.
 */

import type { Deadlock, LossReason, NamedLockHolder } from '../protocol.ts';
import { type DeadlockDetector, isWaitedFor } from './deadlock.ts';
import { canGrant } from './group.ts';
import { admitsWaiter, holdersOf, isAwaited } from './lock.ts';
import type { LockBook } from './lock-book.ts';
import type { Claim, Lock, WaitingRequest, WaitResult } from './types.ts';
import { viewNamedHolder } from './views.ts';

/**
 * A time-out names at most this many holders, and stops earlier when the names of their locks get longer than this in all. It
 * always names the first.
 */
const MAX_HOLDERS_TOLD = 10;
const MAX_NAME_BYTES_TOLD = 16_384;

export class Settlement {
  readonly #book: LockBook;
  readonly #deadlocks: DeadlockDetector;

  constructor(book: LockBook, deadlocks: DeadlockDetector) {
    this.#book = book;
    this.#deadlocks = deadlocks;
  }

  /** Lets waiters of a lock in, then waiters of other locks that this makes room for. */
  settle(lock: Lock, nowMs: number): void {
    this.#letIn(lock, nowMs);
    if (this.#book.unsettled.length > 0) this.settleRest(nowMs);
  }

  /** Lets waiters in at all locks that the book lists as unsettled. */
  settleRest(nowMs: number): void {
    const { unsettled } = this.#book;
    // Each grant may add to the list.
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

  /** Ends a hold that its owner did not release, and lets waiters in. */
  endHold(claim: Claim, reason: LossReason, nowMs: number): void {
    this.#book.takeAway(claim, reason);
    this.settle(claim.lock, nowMs);
  }

  /** Refuses all requests of a waiting claim that can never be granted. */
  refuse(claim: Claim, deadlock: Deadlock, nowMs: number): void {
    this.#book.removeClaim(claim, deadlock);
    this.settle(claim.lock, nowMs);
  }

  /** Ends all holds of a lock and returns how many there were. The caller lets waiters in. */
  takeFromHolders(lock: Lock, reason: LossReason): number {
    const count = lock.holderCount;
    for (const claim of holdersOf(lock)) this.#book.takeAway(claim, reason);
    return count;
  }

  /**
   * Answers every waiting request `draining`, in name order. For one name, the reader/writer lock comes before the permit.
   */
  drain(compareNames: (a: string, b: string) => number): void {
    const { locks, unsettled } = this.#book;
    const awaited = [...locks.readerWriter, ...locks.permit].filter(isAwaited);
    awaited.sort((a, b) => compareNames(a.name, b.name));
    for (const { queue } of awaited)
      for (const claim of queue ?? []) this.#book.removeClaim(claim, { status: 'draining' });
    for (const lock of awaited) this.#book.forgetIfUnused(lock);
    unsettled.length = 0;
  }

  /** A place whose limit became smaller may be in a deadlock now. */
  #endDeadlock(claim: Claim): void {
    const deadlock = isWaitedFor(claim.owner) ? this.#deadlocks.find(claim.owner, { waiting: [claim] }) : undefined;
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
  return status === 'cancelled' ? { status } : { status, holders: viewSomeHolders(claims, nowMs) };
}

function viewSomeHolders(claims: readonly Claim[], nowMs: number): readonly NamedLockHolder[] {
  const holders: NamedLockHolder[] = [];
  let nameBytes = 0;
  for (const { lock } of claims) {
    for (const claim of holdersOf(lock)) {
      nameBytes += lock.nameBytes;
      const isEnough = holders.length === MAX_HOLDERS_TOLD || nameBytes > MAX_NAME_BYTES_TOLD;
      if (isEnough && holders.length > 0) return holders;
      holders.push(viewNamedHolder(claim, nowMs));
    }
  }
  return holders;
}
