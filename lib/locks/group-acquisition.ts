/** The rules by which several locks are asked for at once: all are granted in one step, or none. */

import { idInFlight, invalid, isWaiting, limitOf, limitReached, upgradeRefused } from './acquisition.ts';
import type { Claim } from './claim.ts';
import { findDeadlock, isWaitedFor, passesWhileWaiting } from './deadlock.ts';
import { kindOf, type Lock } from './lock.ts';
import type { LockBook } from './lock-book.ts';
import type { LockSession } from './lock-session.ts';
import type { Settlement } from './settlement.ts';
import type { AcquireAllResult, Invalid, LimitReached, LockAllRequest, LockWanted, TableLimits } from './types.ts';
import { WaitGroup } from './wait-group.ts';

/** One lock that is asked for, as it is found. */
interface Part<Subject, Context> {
  readonly wanted: LockWanted;
  readonly lock: Lock<Subject, Context> | undefined;
  /** What the owner has in it already. */
  readonly claim: Claim<Subject, Context> | undefined;
}

/** Answers requests for several locks, on a lock table's book. */
export class GroupAcquisition<Subject, Context> {
  readonly #book: LockBook<Subject, Context>;
  readonly #settlement: Settlement<Subject, Context>;
  readonly #limits: TableLimits;

  constructor(book: LockBook<Subject, Context>, settlement: Settlement<Subject, Context>, limits: TableLimits) {
    this.#book = book;
    this.#settlement = settlement;
    this.#limits = limits;
  }

  /** What becomes of a request; `draining` when nothing new is granted any more. */
  acquireAll(
    session: LockSession<Subject, Context>,
    request: LockAllRequest<Context>,
    isDraining: boolean,
    nowMs: number,
  ): AcquireAllResult<Subject, Context> {
    const malformed = this.#findMistake(request.locks);
    if (malformed !== undefined) return malformed;
    const owner = session.findOwner(request.tag);
    const parts = request.locks.map((wanted): Part<Subject, Context> => {
      const lock = this.#find(wanted);
      return { wanted, lock, claim: owner === undefined ? undefined : lock?.find(owner) };
    });
    for (const { claim, wanted } of parts) {
      if (claim === undefined) continue;
      if (claim.state === 'waiting') return invalid(`the owner awaits ${shown(wanted.name)} already`);
      const refusal = upgradeRefused(claim, wanted.mode);
      if (refusal !== undefined) return refusal;
    }
    const missing = parts.filter((part) => part.claim === undefined);
    if (missing.length > 0 && isDraining) return { status: 'draining' };
    const isAdmitted = missing.every(isAdmittedAtOnce);
    if (!isAdmitted && request.waitMs <= 0) return { status: 'unavailable' };
    const refusal = this.#limitReached(session, missing, isAdmitted);
    if (refusal !== undefined) return refusal;
    if (isAdmitted) return this.#grant(session, request, parts, nowMs);
    if (isWaiting(session, request.id)) return idInFlight(request.id);
    return this.#wait(session, request, parts, nowMs);
  }

  #findMistake(locks: readonly LockWanted[]): Invalid | LimitReached | undefined {
    const { maxLocksPerRequest } = this.#limits;
    if (locks.length === 0) return invalid('locks is empty; expected at least one lock');
    if (locks.length > maxLocksPerRequest) return limitReached('maxLocksPerRequest', maxLocksPerRequest);
    const names = { readerWriter: new Set<string>(), permit: new Set<string>() };
    for (const { name, mode } of locks) {
      const known = names[kindOf(mode)];
      if (known.has(name)) return invalid(`locks names ${shown(name)} twice; expected each lock once`);
      known.add(name);
    }
    return undefined;
  }

  #find({ name, mode }: LockWanted): Lock<Subject, Context> | undefined {
    return this.#book.locksOf(kindOf(mode)).find(name);
  }

  #grant(
    session: LockSession<Subject, Context>,
    request: LockAllRequest<Context>,
    parts: readonly Part<Subject, Context>[],
    nowMs: number,
  ): AcquireAllResult<Subject, Context> {
    const claims = this.#addClaims(session, request, parts, nowMs);
    const owner = session.owner(request.tag);
    const passing = claims.filter(passesWhileWaiting);
    const deadlock = passing.length === 0 ? undefined : findDeadlock(owner, { passing });
    if (deadlock === undefined) return this.#book.grantAll(claims, { id: request.id, leaseMs: request.leaseMs }, nowMs);
    for (const claim of claims) {
      if (claim.state !== 'new') continue;
      owner.detach(claim);
    }
    return deadlock;
  }

  #wait(
    session: LockSession<Subject, Context>,
    request: LockAllRequest<Context>,
    parts: readonly Part<Subject, Context>[],
    nowMs: number,
  ): AcquireAllResult<Subject, Context> {
    const places = parts.map((part) => ({ ...part, lock: part.lock ?? this.#addLock(part.wanted) }));
    const claims = this.#addClaims(session, request, places, nowMs);
    const owner = session.owner(request.tag);
    const group = new WaitGroup<Subject, Context>({
      owner,
      claims,
      leaseMs: request.leaseMs,
      id: request.id,
      context: request.context,
    });
    this.#book.addGroup(group, nowMs + request.waitMs);
    const { waiting } = group;
    const deadlock = isWaitedFor(owner) ? findDeadlock(owner, { waiting }) : undefined;
    if (deadlock === undefined) return { status: 'queued' };
    this.#book.takeBackGroup(group);
    this.#settlement.settleRest(nowMs);
    return deadlock;
  }

  /** The owner's claims in the order in which they are asked for; those that are new belong to no queue yet. */
  #addClaims(
    session: LockSession<Subject, Context>,
    request: LockAllRequest<Context>,
    parts: readonly Part<Subject, Context>[],
    nowMs: number,
  ): readonly Claim<Subject, Context>[] {
    const owner = session.owner(request.tag);
    return parts.map(({ wanted, lock, claim }) => {
      if (claim !== undefined) return claim;
      const { name, mode } = wanted;
      const added = this.#book.addClaim(lock ?? name, owner, mode, nowMs);
      if (lock !== undefined) added.groupLimit = limitOf(wanted);
      return added;
    });
  }

  #addLock({ name, mode }: LockWanted): Lock<Subject, Context> {
    return this.#book.addLock(name, kindOf(mode));
  }

  #limitReached(
    session: LockSession<Subject, Context>,
    missing: readonly Part<Subject, Context>[],
    isAdmitted: boolean,
  ): LimitReached | undefined {
    const { maxLocks, maxLocksPerSession, maxWaitersPerLock } = this.#limits;
    if (missing.length === 0) return undefined;
    if (session.claimCount + missing.length > maxLocksPerSession) {
      return limitReached('maxLocksPerSession', maxLocksPerSession);
    }
    const newLocks = missing.filter((part) => part.lock === undefined).length;
    if (newLocks > 0 && this.#book.lockCount + newLocks > maxLocks) return limitReached('maxLocks', maxLocks);
    if (!isAdmitted && missing.some(({ lock }) => lock !== undefined && lock.waitingCount >= maxWaitersPerLock)) {
      return limitReached('maxWaitersPerLock', maxWaitersPerLock);
    }
    return undefined;
  }
}

function isAdmittedAtOnce<Subject, Context>({ wanted, lock }: Part<Subject, Context>): boolean {
  return lock === undefined || lock.admitsNewcomer(wanted.mode, limitOf(wanted));
}

const MAX_SHOWN_CHARACTERS = 80;

/** A name in a message, cut short when it is long. */
function shown(name: string): string {
  return JSON.stringify(name.length > MAX_SHOWN_CHARACTERS ? `${name.slice(0, MAX_SHOWN_CHARACTERS)}...` : name);
}
