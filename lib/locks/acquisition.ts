/** The rules for a request for one lock: it is granted, queued or refused, or it steals the lock. */

import type { Granted, LimitReached } from '../protocol.ts';
import type { Admission } from './admission.ts';
import { type DeadlockDetector, isWaitedFor, passesWhileWaiting } from './deadlock.ts';
import { admitsNewcomer, admitsWaiter, areAllStealable, findClaim, isUnused, KIND_OF } from './lock.ts';
import type { LockBook } from './lock-book.ts';
import { limitOf } from './place.ts';
import {
  awaitedInGroup,
  bytesReached,
  idInFlight,
  invalid,
  limitReached,
  locksReached,
  upgradeRefused,
} from './refusals.ts';
import { findOwner, isWaiting, ownerOf } from './session.ts';
import type { AcquireResult, AllTableLimits, Claim, Lock, LockRequest, Session } from './types.ts';

const QUEUED = Object.freeze({ status: 'queued' }) satisfies AcquireResult;

/** Answers requests for one lock. */
export class Acquisition {
  readonly #book: LockBook;
  readonly #admission: Admission;
  readonly #deadlocks: DeadlockDetector;
  readonly #limits: AllTableLimits;

  constructor(book: LockBook, admission: Admission, deadlocks: DeadlockDetector, limits: AllTableLimits) {
    this.#book = book;
    this.#admission = admission;
    this.#deadlocks = deadlocks;
    this.#limits = limits;
  }

  /** Grants, queues or refuses a request. While the server drains, only current holders are answered. */
  acquire(session: Session, request: LockRequest, isDraining: boolean, nowMs: number): AcquireResult {
    const lock = this.#book.locks[KIND_OF[request.mode]].getOrAdd(request.name);
    const result =
      isUnused(lock) && request.steal === undefined && !isDraining && this.#mayGrant(lock)
        ? this.#acquireFree(session, lock, request, nowMs)
        : this.#acquireUsed(session, lock, request, isDraining, nowMs);
    if (result.status !== 'ok' && result.status !== 'stolen') this.#book.forgetIfUnused(lock);
    return result;
  }

  #mayGrant({ name, kind }: Lock): boolean {
    return this.#book.mayGrant(1) && this.#book.isOpen(name, kind);
  }

  /** Nobody holds the lock and nobody waits for it. */
  #acquireFree(session: Session, lock: Lock, request: LockRequest, nowMs: number): AcquireResult {
    const refusal = this.#limitReached(session, lock, true);
    if (refusal !== undefined) return refusal;
    const claim = this.#book.addClaim(lock, ownerOf(session, request.tag), request.mode, nowMs);
    return this.#book.grant(claim, request, nowMs);
  }

  #acquireUsed(session: Session, lock: Lock, request: LockRequest, isDraining: boolean, nowMs: number): AcquireResult {
    const claim = findClaim(lock, findOwner(session, request.tag));
    if (request.steal !== undefined && request.mode !== 'exclusive') {
      return invalid(`a lock can be stolen exclusive only; mode is ${request.mode}`);
    }
    if (claim === undefined && isDraining) return { status: 'draining' };
    if (request.steal !== undefined) return this.#steal(session, claim, lock, request, nowMs);
    if (claim !== undefined) return this.#acquireAgain(claim, request, nowMs);
    return this.#acquireAnew(session, lock, request, nowMs);
  }

  #acquireAnew(session: Session, lock: Lock, request: LockRequest, nowMs: number): AcquireResult {
    const isAdmitted = admitsNewcomer(lock, request.mode, limitOf(request)) && this.#mayGrant(lock);
    if (!isAdmitted && request.waitMs <= 0) return { status: 'unavailable' };
    const refusal = this.#limitReached(session, lock, isAdmitted);
    if (refusal !== undefined) return refusal;
    if (!isAdmitted && isWaiting(session, request.id)) return idInFlight(request.id);
    const claim = this.#book.addClaim(lock, ownerOf(session, request.tag), request.mode, nowMs);
    if (!isAdmitted) return this.#wait(claim, request, nowMs);
    const deadlock = passesWhileWaiting(claim) ? this.#deadlocks.find(claim.owner, { passing: [claim] }) : undefined;
    if (deadlock === undefined) return this.#book.grant(claim, request, nowMs);
    this.#book.dropClaim(claim);
    return deadlock;
  }

  #wait(claim: Claim, request: LockRequest, nowMs: number): AcquireResult {
    this.#book.addWait(claim, request, nowMs);
    const deadlock = isWaitedFor(claim.owner) ? this.#deadlocks.find(claim.owner, { waiting: [claim] }) : undefined;
    if (deadlock === undefined) {
      this.#book.observer?.queued(claim);
      return QUEUED;
    }
    this.#book.takeBackClaim(claim);
    return deadlock;
  }

  /** The owner holds the lock already or waits for it. */
  #acquireAgain(claim: Claim, request: LockRequest, nowMs: number): AcquireResult {
    const refusal = upgradeRefused(claim, request.mode) ?? awaitedInGroup(claim);
    if (refusal !== undefined) return refusal;
    if (claim.place !== undefined) {
      if (!admitsWaiter(claim, limitOf(request)) || !this.#mayGrant(claim.lock))
        return this.#joinPlace(claim, request, nowMs);
      const deadlock = passesWhileWaiting(claim) ? this.#deadlocks.find(claim.owner, { passing: [claim] }) : undefined;
      if (deadlock !== undefined) return deadlock;
      this.#book.grantPlace(claim, nowMs);
      this.#admission.letIn(claim.lock, nowMs);
    }
    return this.#answerHolder(claim, request, nowMs);
  }

  #joinPlace(claim: Claim, request: LockRequest, nowMs: number): AcquireResult {
    if (request.waitMs <= 0) return { status: 'unavailable' };
    if (isWaiting(claim.owner.session, request.id)) return idInFlight(request.id);
    if (this.#hasMaxWaiters(claim.lock)) return limitReached(this.#limits, 'maxWaitersPerLock');
    const refusal = bytesReached(this.#limits, claim.owner.session, this.#book.bytes);
    if (refusal !== undefined) return refusal;
    this.#book.addWait(claim, request, nowMs);
    return QUEUED;
  }

  /** Takes the lock from its holders and passes its waiters. A free lock is granted ahead of its waiters, too. */
  #steal(session: Session, claim: Claim | undefined, lock: Lock, request: LockRequest, nowMs: number): AcquireResult {
    if (claim?.state === 'held') {
      return upgradeRefused(claim, request.mode) ?? this.#answerHolder(claim, request, nowMs);
    }
    const refusal = this.#stealRefused(session, claim, lock, request);
    if (refusal !== undefined) return refusal;
    const eviction = lock.holderCount === 0 ? undefined : this.#admission.evict(lock, 'stolen');
    const granted = this.#grantStolen(session, claim, eviction?.successor ?? lock, request, nowMs);
    this.#admission.letInRest(nowMs);
    return eviction === undefined ? granted : { status: 'stolen', granted, count: eviction.count, rest: eviction };
  }

  #grantStolen(session: Session, claim: Claim | undefined, lock: Lock, request: LockRequest, nowMs: number): Granted {
    if (claim === undefined) {
      const newClaim = this.#book.addClaim(lock, ownerOf(session, request.tag), request.mode, nowMs);
      return this.#book.grant(newClaim, request, nowMs);
    }
    this.#book.grantPlace(claim, nowMs);
    return this.#answerHolder(claim, request, nowMs);
  }

  #stealRefused(
    session: Session,
    claim: Claim | undefined,
    lock: Lock,
    request: LockRequest,
  ): AcquireResult | undefined {
    const refusal = claim === undefined ? undefined : (upgradeRefused(claim, request.mode) ?? awaitedInGroup(claim));
    if (refusal !== undefined) return refusal;
    const waitsElsewhere = (findOwner(session, request.tag)?.waitingCount ?? 0) > (claim === undefined ? 0 : 1);
    // It would keep the stolen lock until that wait ends, and it may be waiting for the very owners that it passes.
    if (waitsElsewhere) return invalid('the owner waits for another lock and cannot steal');
    if (request.steal === 'stealable' && !areAllStealable(lock)) return { status: 'denied' };
    // A steal does not wait either. Where the lock is closed, its grant counts once that is open.
    if (!this.#book.mayGrant(1)) return { status: 'unavailable' };
    return claim === undefined ? this.#limitReached(session, lock, true) : undefined;
  }

  #answerHolder(claim: Claim, { leaseMs }: LockRequest, nowMs: number): Granted {
    if (leaseMs !== undefined) this.#book.startLease(claim, leaseMs, nowMs);
    return { status: 'ok', token: claim.token, count: claim.lock.holderCount, alreadyHeld: true };
  }

  #limitReached(session: Session, lock: Lock, isAdmitted: boolean): LimitReached | undefined {
    const limits = this.#limits;
    const refusal = locksReached(limits, session, 1);
    if (refusal !== undefined) return refusal;
    const { readerWriter, permit } = this.#book.locks;
    // A lock that nobody uses was added for this request.
    if (readerWriter.size + permit.size > limits.maxLocks && isUnused(lock)) return limitReached(limits, 'maxLocks');
    if (!isAdmitted && this.#hasMaxWaiters(lock)) return limitReached(limits, 'maxWaitersPerLock');
    return bytesReached(limits, session, this.#book.bytes);
  }

  #hasMaxWaiters({ requestCount = 0 }: Lock): boolean {
    return requestCount >= this.#limits.maxWaitersPerLock;
  }
}
