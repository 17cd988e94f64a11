/** The rules for a request for several locks: all are granted in one step, or none. */

import type { Invalid, LimitReached, RequestedLock } from '../protocol.ts';
import type { Admission } from './admission.ts';
import { type DeadlockDetector, isWaitedFor, passesWhileWaiting } from './deadlock.ts';
import { makeGroup } from './group.ts';
import { admitsNewcomer, findClaim, KIND_OF } from './lock.ts';
import type { LockBook } from './lock-book.ts';
import { limitOf } from './place.ts';
import { bytesReached, idInFlight, invalid, limitReached, locksReached, upgradeRefused } from './refusals.ts';
import { findOwner, isWaiting, ownerOf } from './session.ts';
import type { AcquireAllResult, AllTableLimits, Claim, Lock, LockAllRequest, Session } from './types.ts';

const MAX_SHOWN_CHARACTERS = 80;

/** One of the requested locks, as the table has it. */
interface Part {
  readonly wanted: RequestedLock;
  readonly lock: Lock | undefined;
  /** The owner's claim on it, if it has one. */
  readonly claim: Claim | undefined;
}

/** Answers requests for several locks. */
export class GroupAcquisition {
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
  acquireAll(session: Session, request: LockAllRequest, isDraining: boolean, nowMs: number): AcquireAllResult {
    const mistake = this.#findMistake(request.locks);
    if (mistake !== undefined) return mistake;
    const parts = request.locks.map((wanted) => this.#find(session, request.tag, wanted));
    for (const part of parts) {
      const refusal = askedAgainRefused(part);
      if (refusal !== undefined) return refusal;
    }
    const missing = parts.filter(({ claim }) => claim === undefined);
    if (missing.length > 0 && isDraining) return { status: 'draining' };
    const isAdmitted = missing.every((part) => this.#isAdmittedAtOnce(part)) && this.#book.mayGrant(missing.length);
    if (!isAdmitted && request.waitMs <= 0) return { status: 'unavailable' };
    const refusal = this.#limitReached(session, missing, isAdmitted);
    if (refusal !== undefined) return refusal;
    if (!isAdmitted && isWaiting(session, request.id)) return idInFlight(request.id);
    const claims = parts.map((part) => part.claim ?? this.#addClaim(session, request.tag, part, nowMs));
    return isAdmitted ? this.#grant(request, claims, nowMs) : this.#wait(request, claims, nowMs);
  }

  #findMistake(locks: readonly RequestedLock[]): Invalid | LimitReached | undefined {
    if (locks.length === 0) return invalid('locks is empty; expected at least one lock');
    if (locks.length > this.#limits.maxLocksPerRequest) return limitReached(this.#limits, 'maxLocksPerRequest');
    const names = { readerWriter: new Set<string>(), permit: new Set<string>() };
    for (const { name, mode } of locks) {
      const known = names[KIND_OF[mode]];
      if (known.has(name)) return invalid(`locks names ${shown(name)} twice; expected each lock once`);
      known.add(name);
    }
    return undefined;
  }

  #isAdmittedAtOnce({ wanted, lock }: Part): boolean {
    const { name, mode } = wanted;
    return (
      (lock === undefined || admitsNewcomer(lock, mode, limitOf(wanted))) && this.#book.isOpen(name, KIND_OF[mode])
    );
  }

  #find(session: Session, tag: string, wanted: RequestedLock): Part {
    const lock = this.#book.locks[KIND_OF[wanted.mode]].get(wanted.name);
    return { wanted, lock, claim: findClaim(lock, findOwner(session, tag)) };
  }

  #addClaim(session: Session, tag: string, { wanted, lock }: Part, nowMs: number): Claim {
    const { name, mode } = wanted;
    const used = lock ?? this.#book.locks[KIND_OF[mode]].getOrAdd(name);
    const claim = this.#book.addClaim(used, ownerOf(session, tag), mode, nowMs);
    claim.groupLimit = limitOf(wanted);
    return claim;
  }

  #grant(request: LockAllRequest, claims: readonly Claim[], nowMs: number): AcquireAllResult {
    const owner = (claims[0] as Claim).owner;
    const passing = claims.filter(passesWhileWaiting);
    const deadlock = passing.length === 0 ? undefined : this.#deadlocks.find(owner, { passing });
    if (deadlock === undefined) return this.#book.grantAll(claims, request, nowMs);
    for (const claim of claims) if (claim.state === 'new') this.#book.dropClaim(claim);
    return deadlock;
  }

  #wait(request: LockAllRequest, claims: readonly Claim[], nowMs: number): AcquireAllResult {
    const group = makeGroup(request, claims as readonly [Claim, ...Claim[]]);
    const { owner, waiting } = group;
    this.#book.addGroup(group, nowMs);
    const deadlock = isWaitedFor(owner) ? this.#deadlocks.find(owner, { waiting }) : undefined;
    if (deadlock === undefined) {
      this.#book.observer?.queued(waiting[0] as Claim);
      return { status: 'queued' };
    }
    this.#book.takeBackGroup(group);
    this.#admission.letInRest(nowMs);
    return deadlock;
  }

  #limitReached(session: Session, missing: readonly Part[], isAdmitted: boolean): LimitReached | undefined {
    const limits = this.#limits;
    if (missing.length === 0) return undefined;
    const refusal = locksReached(limits, session, missing.length);
    if (refusal !== undefined) return refusal;
    const newLocks = missing.filter(({ lock }) => lock === undefined).length;
    const { readerWriter, permit } = this.#book.locks;
    if (newLocks > 0 && readerWriter.size + permit.size + newLocks > limits.maxLocks)
      return limitReached(limits, 'maxLocks');
    const isFull = ({ lock }: Part) => (lock?.requestCount ?? 0) >= limits.maxWaitersPerLock;
    if (!isAdmitted && missing.some(isFull)) return limitReached(limits, 'maxWaitersPerLock');
    return bytesReached(limits, session, this.#book.bytes);
  }
}

function askedAgainRefused({ claim, wanted }: Part): Invalid | undefined {
  if (claim === undefined) return undefined;
  if (claim.state === 'waiting') return invalid(`the owner awaits ${shown(wanted.name)} already`);
  return upgradeRefused(claim, wanted.mode);
}

/** The beginning of a name, for a message. */
function shown(name: string): string {
  return JSON.stringify(name.slice(0, MAX_SHOWN_CHARACTERS));
}
