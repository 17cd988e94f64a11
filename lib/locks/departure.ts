/** The end of everything that a session has, or one of its owners. */

import type { Admission } from './admission.ts';
import type { LockBook } from './lock-book.ts';
import { claimsOfSession } from './session.ts';
import { stepsFor } from './steps.ts';
import type { Claim, Lock, Rest, Session, SessionClient } from './types.ts';

/** `sessionEnded`: what was held is lost. `released`: it was given up. */
export type DepartureReason = 'sessionEnded' | 'released';

/**
 * Cancels the waits, then releases the holds one after the other, in the order of their grants. All of that may be done in slices;
 * until its turn a wait waits and a hold is held as before.
 */
export class Departure implements Rest {
  /** How many holds were released. */
  releasedCount = 0;
  readonly #book: LockBook;
  readonly #admission: Admission;
  readonly #session: Session;
  readonly #tag: string | undefined;
  readonly #reason: DepartureReason;
  readonly #client: SessionClient;
  #phase: 'waits' | 'holds' | 'over' = 'waits';
  /** What is left of the phase, the next one last; undefined before its first step. */
  #claims: Claim[] | undefined;

  constructor(
    book: LockBook,
    admission: Admission,
    { session, tag, reason }: { session: Session; tag?: string | undefined; reason: DepartureReason },
  ) {
    this.#book = book;
    this.#admission = admission;
    this.#session = session;
    this.#client = session.client;
    this.#tag = tag;
    this.#reason = reason;
  }

  get isOver(): boolean {
    return this.#phase === 'over';
  }

  /** Goes on until so many steps are taken, or all is done. */
  advance(maxSteps: number, nowMs: number): void {
    // A client that has come back said what it has, and may hold new locks by now.
    if (this.#session.client !== this.#client) this.#phase = 'over';
    let left = maxSteps;
    while (left > 0 && this.#phase !== 'over') {
      left -= this.#phase === 'waits' ? this.#cancelSome(left, nowMs) : this.#releaseNext(nowMs);
      if (this.#claims?.length !== 0) continue;
      this.#phase = this.#phase === 'waits' ? 'holds' : 'over';
      this.#claims = undefined;
    }
  }

  /** Cancels several waits before others are let in, so that no other owner of the session is granted one of these locks. */
  #cancelSome(max: number, nowMs: number): number {
    this.#claims ??= [...claimsOfSession(this.#session, this.#tag)]
      .filter(({ state }) => state === 'waiting')
      .reverse();
    const locks = new Set<Lock>();
    for (let count = 0; count < max; count += 1) {
      const claim = this.#claims.pop();
      if (claim === undefined) break;
      // Claims of one request for several locks all leave with the first one.
      if (claim.state !== 'waiting') continue;
      locks.add(claim.lock);
      this.#book.removeClaim(claim);
    }
    const before = this.#admission.takenSteps;
    for (const lock of locks) this.#admission.letIn(lock, nowMs);
    return locks.size + this.#admission.takenSteps - before;
  }

  #releaseNext(nowMs: number): number {
    this.#claims ??= [...claimsOfSession(this.#session, this.#tag)].sort((a, b) => b.token - a.token);
    const claim = this.#claims.pop();
    // A lock that was taken from it is not in the map; an `Eviction` tells of it.
    if (claim?.state !== 'held' || !claim.lock.isInMap) return 1;
    const before = this.#admission.takenSteps;
    if (this.#reason === 'sessionEnded') this.#book.takeAway(claim, this.#reason);
    else this.#book.removeClaim(claim);
    this.releasedCount += 1;
    this.#admission.letIn(claim.lock, nowMs);
    return stepsFor(claim) + this.#admission.takenSteps - before;
  }
}
