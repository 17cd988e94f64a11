/** The rules by which a single lock is asked for: granted, queued, refused or stolen. */

import { Claim, Place } from './claim.ts';
import { findDeadlock, isWaitedFor, passesWhileWaiting } from './deadlock.ts';
import { kindOf, type Lock } from './lock.ts';
import type { LockBook } from './lock-book.ts';
import type { LockSession } from './lock-session.ts';
import type { Settlement } from './settlement.ts';
import type { AcquireRequest, AcquireResult, Granted, Invalid, LimitReached, RequestId, TableLimits } from './types.ts';

const QUEUED = Object.freeze({ status: 'queued' }) satisfies AcquireResult;
const UNAVAILABLE = Object.freeze({ status: 'unavailable' }) satisfies AcquireResult;
const DRAINING = Object.freeze({ status: 'draining' }) satisfies AcquireResult;
const DENIED = Object.freeze({ status: 'denied' }) satisfies AcquireResult;

/** Answers requests for one lock, on a lock table's book. */
export class Acquisition<Subject, Context> {
  readonly #book: LockBook<Subject, Context>;
  readonly #settlement: Settlement<Subject, Context>;
  readonly #limits: TableLimits;

  constructor(book: LockBook<Subject, Context>, settlement: Settlement<Subject, Context>, limits: TableLimits) {
    this.#book = book;
    this.#settlement = settlement;
    this.#limits = limits;
  }

  /** What becomes of a request; `draining` when nothing new is granted any more. */
  acquire(
    session: LockSession<Subject, Context>,
    request: AcquireRequest<Context>,
    isDraining: boolean,
    nowMs: number,
  ): AcquireResult<Subject, Context> {
    const locks = this.#book.locksOf(kindOf(request.mode));
    const entry = locks.get(request.name);
    const owner = entry === undefined ? undefined : session.findOwner(request.tag);
    const isOwn = entry instanceof Claim && entry.isAlone && entry.owner === owner;
    const lock = isOwn ? undefined : locks.lockOf(entry);
    const claim = isOwn ? entry : owner === undefined ? undefined : lock?.find(owner);
    if (request.steal !== undefined && request.mode !== 'exclusive') {
      return invalid(`a lock can be stolen exclusive only; mode is ${request.mode}`);
    }
    if (claim === undefined && isDraining) return DRAINING;
    if (request.steal !== undefined) return this.#steal(session, claim, lock, request, nowMs);
    if (claim !== undefined) return this.#acquireAgain(claim, request, nowMs);
    return this.#acquireAnew(session, lock, request, nowMs);
  }

  #acquireAnew(
    session: LockSession<Subject, Context>,
    lock: Lock<Subject, Context> | undefined,
    request: AcquireRequest<Context>,
    nowMs: number,
  ): AcquireResult<Subject, Context> {
    const isAdmitted = lock === undefined || lock.admitsNewcomer(request.mode, limitOf(request));
    if (!isAdmitted && request.waitMs <= 0) return UNAVAILABLE;
    const refusal = this.#limitReached(session, lock, isAdmitted);
    if (refusal !== undefined) return refusal;
    if (!isAdmitted && isWaiting(session, request.id)) return idInFlight(request.id);
    const claim = this.#addClaim(session, lock, request, nowMs);
    if (isAdmitted) {
      const deadlock = passesWhileWaiting(claim) ? findDeadlock(claim.owner, { passing: [claim] }) : undefined;
      if (deadlock === undefined) return this.#grant(claim, request, nowMs);
      claim.owner.detach(claim);
      return deadlock;
    }
    claim.place = new Place<Subject, Context>();
    this.#book.addWait(claim, request, nowMs);
    this.#book.enqueue(claim);
    const deadlock = isWaitedFor(claim.owner) ? findDeadlock(claim.owner, { waiting: [claim] }) : undefined;
    if (deadlock === undefined) return QUEUED;
    this.#book.takeBackClaim(claim);
    return deadlock;
  }

  /** The owner holds the lock already or waits for it. */
  #acquireAgain(
    claim: Claim<Subject, Context>,
    request: AcquireRequest<Context>,
    nowMs: number,
  ): AcquireResult<Subject, Context> {
    const refusal = upgradeRefused(claim, request.mode) ?? awaitedInGroup(claim);
    if (refusal !== undefined) return refusal;
    if (claim.place !== undefined) {
      if (!claim.lock.admitsWaiter(claim, limitOf(request))) return this.#joinPlace(claim, request, nowMs);
      const deadlock = passesWhileWaiting(claim) ? findDeadlock(claim.owner, { passing: [claim] }) : undefined;
      if (deadlock !== undefined) return deadlock;
      this.#book.grantPlace(claim, claim.place, nowMs);
      this.#settlement.settle(claim.lock, nowMs);
    }
    return this.#answerHolder(claim, request, nowMs);
  }

  #joinPlace(
    claim: Claim<Subject, Context>,
    request: AcquireRequest<Context>,
    nowMs: number,
  ): AcquireResult<Subject, Context> {
    if (request.waitMs <= 0) return UNAVAILABLE;
    if (isWaiting(claim.owner.session, request.id)) return idInFlight(request.id);
    const { maxWaitersPerLock } = this.#limits;
    if (claim.lock.waitingCount >= maxWaitersPerLock) return limitReached('maxWaitersPerLock', maxWaitersPerLock);
    this.#book.addWait(claim, request, nowMs);
    return QUEUED;
  }

  /** Takes the lock from its holders, ahead of those who wait; a lock that is free is granted ahead of them, too. */
  #steal(
    session: LockSession<Subject, Context>,
    claim: Claim<Subject, Context> | undefined,
    lock: Lock<Subject, Context> | undefined,
    request: AcquireRequest<Context>,
    nowMs: number,
  ): AcquireResult<Subject, Context> {
    if (claim?.state === 'held')
      return upgradeRefused(claim, request.mode) ?? this.#answerHolder(claim, request, nowMs);
    const refusal = this.#stealRefused(session, claim, lock, request);
    if (refusal !== undefined) return refusal;
    if (lock !== undefined) this.#settlement.takeFromHolders(lock, 'stolen');
    if (claim?.place !== undefined) {
      this.#book.grantPlace(claim, claim.place, nowMs);
      this.#settlement.settleRest(nowMs);
      return this.#answerHolder(claim, request, nowMs);
    }
    const granted = this.#grant(this.#addClaim(session, lock, request, nowMs), request, nowMs);
    this.#settlement.settleRest(nowMs);
    return granted;
  }

  #stealRefused(
    session: LockSession<Subject, Context>,
    claim: Claim<Subject, Context> | undefined,
    lock: Lock<Subject, Context> | undefined,
    request: AcquireRequest<Context>,
  ): AcquireResult<Subject, Context> | undefined {
    const refusal = claim === undefined ? undefined : (upgradeRefused(claim, request.mode) ?? awaitedInGroup(claim));
    if (refusal !== undefined) return refusal;
    // It would keep what it steals until that wait is over, and those it passes might be who it waits for.
    if (countWaits(session, request.tag) > (claim === undefined ? 0 : 1)) {
      return invalid('the owner waits for another lock and cannot steal');
    }
    if (lock !== undefined && request.steal === 'stealable') {
      for (const holder of lock.holders) if (!holder.isStealable) return DENIED;
    }
    return claim === undefined ? this.#limitReached(session, lock, true) : undefined;
  }

  #addClaim(
    session: LockSession<Subject, Context>,
    lock: Lock<Subject, Context> | undefined,
    request: AcquireRequest<Context>,
    nowMs: number,
  ): Claim<Subject, Context> {
    const { name, mode, tag } = request;
    return this.#book.addClaim(lock ?? name, session.owner(tag), mode, nowMs);
  }

  #grant(claim: Claim<Subject, Context>, request: AcquireRequest<Context>, nowMs: number): Granted {
    if (request.isStealable === true) claim.isStealable = true;
    const granted = this.#book.grant(claim, request.id, nowMs);
    if (request.leaseMs !== undefined) this.#book.startLease(claim, request.leaseMs, nowMs);
    return granted;
  }

  #answerHolder(claim: Claim<Subject, Context>, request: AcquireRequest<Context>, nowMs: number): Granted {
    if (request.leaseMs !== undefined) this.#book.startLease(claim, request.leaseMs, nowMs);
    return { status: 'ok', token: claim.token, count: claim.holderCount, alreadyHeld: true };
  }

  #limitReached(
    session: LockSession<Subject, Context>,
    lock: Lock<Subject, Context> | undefined,
    isAdmitted: boolean,
  ): LimitReached | undefined {
    const { maxLocks, maxLocksPerSession, maxWaitersPerLock } = this.#limits;
    if (session.claimCount >= maxLocksPerSession) return limitReached('maxLocksPerSession', maxLocksPerSession);
    if (lock === undefined) {
      return this.#book.lockCount >= maxLocks ? limitReached('maxLocks', maxLocks) : undefined;
    }
    if (!isAdmitted && lock.waitingCount >= maxWaitersPerLock) {
      return limitReached('maxWaitersPerLock', maxWaitersPerLock);
    }
    return undefined;
  }
}

/** The limit of a request or of a part of one, `Infinity` for none. */
export function limitOf(request: { readonly limit?: number | undefined }): number {
  return request.limit ?? Number.POSITIVE_INFINITY;
}

/** Whether a request with that id waits in the session. */
export function isWaiting<Subject, Context>(
  session: LockSession<Subject, Context>,
  id: RequestId | undefined,
): boolean {
  return id !== undefined && session.findWait(id) !== undefined;
}

/** The answer to a request that must wait while another with its id does. */
export function idInFlight(id: RequestId | undefined): Invalid {
  return invalid(`id ${JSON.stringify(id)} is in flight`);
}

/** The answer when an owner with a claim on a lock asks for more than the claim is for. */
export function upgradeRefused<Subject, Context>(claim: Claim<Subject, Context>, mode: string): Invalid | undefined {
  if (claim.mode !== 'shared' || mode !== 'exclusive') return undefined;
  const verb = claim.state === 'held' ? 'holds' : 'awaits';
  return invalid(`the owner ${verb} the lock shared and cannot ask for it exclusive`);
}

/** The answer when a limit of the table forbids a request. */
export function limitReached(limit: keyof TableLimits, value: number): LimitReached {
  return { status: 'limit', limit, value };
}

/** The answer to a request that makes no sense where it is made. */
export function invalid(message: string): Invalid {
  return { status: 'invalid', message };
}

function awaitedInGroup<Subject, Context>(claim: Claim<Subject, Context>): Invalid | undefined {
  if (claim.group === undefined) return undefined;
  return invalid('the owner awaits the lock together with others and cannot ask for it alone meanwhile');
}

function countWaits<Subject, Context>(session: LockSession<Subject, Context>, tag: string): number {
  return session.findOwner(tag)?.waitingCount ?? 0;
}
