/**
 * Lets waiters in, in strict order, when a hold or a wait has ended. Where that are very many, the rest follows in slices: until
 * its turn a request waits as before. Once nothing is left, no waiter of any lock could be granted.
 */

import type { Deadlock, LossReason, NamedLockHolder } from '../protocol.ts';
import { Backlog } from './backlog.ts';
import { type DeadlockDetector, isWaitedFor } from './deadlock.ts';
import { Eviction } from './eviction.ts';
import { canGrant, isWaitingStill } from './group.ts';
import { admitsWaiter, holdersOf, isAwaited } from './lock.ts';
import type { LockBook } from './lock-book.ts';
import { limitOfPlace, waitLimitOf } from './place.ts';
import { bytesOfText } from './table-bytes.ts';
import type { Claim, Group, Lock, Place, Session, WaitingRequest, WaitResult } from './types.ts';
import { viewNamedHolder } from './views.ts';

/**
 * A time-out names at most this many holders, and stops earlier when the names of their locks get longer than this in all. It
 * always names the first.
 */
const MAX_HOLDERS_TOLD = 10;
const MAX_NAME_BYTES_TOLD = 16_384;

const CANCELLED = Object.freeze({ status: 'cancelled' } as const);

/** What became of the first of a queue. `later`: there is room, but others have to be served in between. */
type Attempt = 'granted' | 'later' | 'no room';

/** A look at all that wait. */
interface Sweep {
  readonly kind: 'sweep';
  /** With an undefined entry for each lock, since that takes a step, too. */
  claims: Iterator<Claim | undefined>;
  /** Whether it has to begin again when it is over. */
  isAwaited: boolean;
}

export class Admission {
  readonly #book: LockBook;
  readonly #deadlocks: DeadlockDetector;
  readonly #answersAtOnce: () => number;
  /** Locks and groups that need more than an operation may take. */
  readonly #backlog = new Backlog<Lock | Group | Sweep>();
  #sweep: Sweep | undefined;
  /** How many steps were taken ever. */
  takenSteps = 0;
  /** How many more requests may be answered now. */
  #left = 0;
  /** How many more than that may be answered if they belong to one group or place, which is not divided. */
  #overdraft = 0;

  /** `answersAtOnce` tells how many requests may be answered within an operation. */
  constructor(book: LockBook, deadlocks: DeadlockDetector, answersAtOnce: () => number) {
    this.#book = book;
    this.#deadlocks = deadlocks;
    this.#answersAtOnce = answersAtOnce;
  }

  /** Lets waiters of a lock in, then waiters of other locks that this makes room for. */
  letIn(lock: Lock, nowMs: number): void {
    const { changed } = this.#book;
    if (changed.length > 0) {
      changed.push(lock);
    } else if (isAwaited(lock)) {
      this.#left = this.#answersAtOnce();
      this.#overdraft = 0;
      if (!this.#letInSome(lock, nowMs)) this.#backlog.push(lock);
    } else {
      this.#book.forgetIfUnused(lock);
    }
    if (changed.length > 0) this.letInRest(nowMs);
  }

  /** Lets waiters in wherever something has changed, as far as that is possible at once. */
  letInRest(nowMs: number): void {
    const { changed } = this.#book;
    if (changed.length === 0) return;
    this.#left = this.#answersAtOnce();
    this.#overdraft = 0;
    // Each grant may add to the list.
    for (let index = 0; index < changed.length; index += 1) this.#workOff(changed[index] as Lock | Group, nowMs);
    while (changed.length > 0) changed.pop();
  }

  /** Whether `goOn` has something to do. */
  get isBehind(): boolean {
    return !this.#backlog.isEmpty;
  }

  /** Goes on with what was not possible at once: about so many steps, each a request or a lock to look at. */
  goOn(maxSteps: number, nowMs: number): void {
    const { changed } = this.#book;
    this.#left = maxSteps;
    this.#overdraft = Number.POSITIVE_INFINITY;
    while (this.#left > 0) {
      const next = this.#backlog.take();
      if (next === undefined) return;
      this.#workOff(next, nowMs);
      this.#left -= 1;
      for (const each of changed) this.#backlog.push(each);
      while (changed.length > 0) changed.pop();
    }
  }

  #workOff(each: Lock | Group | Sweep, nowMs: number): void {
    if (!this.#isDone(each, nowMs)) this.#backlog.push(each);
  }

  #isDone(each: Lock | Group | Sweep, nowMs: number): boolean {
    if (each.kind === 'sweep') return this.#sweepOn(each, nowMs);
    return each.kind === 'group' ? this.#cancel(each) : this.#letInSome(each, nowMs);
  }

  /** Takes steps if there are enough of them. If not, none are left. */
  #take(count: number): boolean {
    const isEnough = this.#left > 0 && count <= this.#left + this.#overdraft;
    this.#left = isEnough ? this.#left - count : 0;
    if (isEnough) this.takenSteps += count;
    return isEnough;
  }

  /** Lets in whoever can be, wherever it waits: permits without a limit wait anywhere in a queue while nothing is granted. */
  letInAll(nowMs: number): void {
    if (this.#sweep !== undefined) {
      this.#sweep.isAwaited = true;
      return;
    }
    this.#sweep = { kind: 'sweep', claims: this.#allWaiting(), isAwaited: false };
    this.#backlog.push(this.#sweep);
    this.goOn(this.#answersAtOnce(), nowMs);
  }

  *#allWaiting(): Generator<Claim | undefined, void, undefined> {
    const { readerWriter, permit } = this.#book.locks;
    for (const locks of [readerWriter, permit]) {
      for (const { queue } of locks) {
        yield undefined;
        // A copy, because those that are let in leave the queue.
        yield* [...(queue ?? [])];
      }
    }
  }

  /** False if some have to wait for their turn. */
  #sweepOn(sweep: Sweep, nowMs: number): boolean {
    while (this.#left > 0) {
      const { done, value: claim } = sweep.claims.next();
      if (done === true) {
        this.#sweep = sweep.isAwaited ? sweep : undefined;
        sweep.isAwaited = false;
        sweep.claims = this.#allWaiting();
        return this.#sweep === undefined;
      }
      if (claim?.state === 'waiting') this.#tryToGrant(claim, nowMs);
      this.#left -= 1;
    }
    return false;
  }

  /** The same for one lock. Only permits wait behind others who cannot be let in. */
  letInOne(lock: Lock, nowMs: number): void {
    if (lock.kind === 'permit') this.#letInAnywhere(lock, nowMs);
    this.letIn(lock, nowMs);
  }

  #letInAnywhere({ queue }: Lock, nowMs: number): void {
    this.#left = Number.POSITIVE_INFINITY;
    for (const claim of queue ?? []) this.#tryToGrant(claim, nowMs);
  }

  /** Answers a waiting request without a grant. */
  endRequest(request: WaitingRequest, status: 'timeout' | 'cancelled', nowMs: number): void {
    if (request.kind === 'group') {
      this.#book.removeGroup(request, resultOf(status, request.waiting, nowMs));
      this.letInRest(nowMs);
      return;
    }
    const { claim } = request;
    const limitBefore = waitLimitOf(claim);
    this.#book.endWait(request, resultOf(status, [claim], nowMs));
    this.#endDeadlock(claim, limitBefore);
    this.letIn(claim.lock, nowMs);
  }

  /** Cancels waiting requests before anybody is let in: their locks are noted as changed. */
  withdraw(requests: readonly WaitingRequest[]): void {
    const limits = new Map<Claim, number>();
    for (const request of requests) {
      if (request.kind === 'group') {
        this.#book.removeGroup(request, CANCELLED);
        continue;
      }
      const { claim } = request;
      if (claim.place !== undefined && !limits.has(claim)) limits.set(claim, limitOfPlace(claim.place));
      this.#book.endWait(request, CANCELLED);
    }
    for (const [claim, limitBefore] of limits) {
      this.#endDeadlock(claim, limitBefore);
      this.#book.changed.push(claim.lock);
    }
  }

  /** Ends a hold that its owner did not release, and lets waiters in. */
  endHold(claim: Claim, reason: LossReason, nowMs: number): void {
    this.#book.takeAway(claim, reason);
    this.letIn(claim.lock, nowMs);
  }

  /** Refuses all requests of a waiting claim that can never be granted. */
  refuse(claim: Claim, deadlock: Deadlock, nowMs: number): void {
    this.#book.removeClaim(claim, deadlock);
    this.letIn(claim.lock, nowMs);
  }

  /**
   * Takes a lock away from all its holders, and tells as many of them at once as an operation may. The caller grants the lock and
   * lets waiters in.
   */
  evict(lock: Lock, reason: 'stolen' | 'forced'): Eviction {
    const eviction = new Eviction(this.#book, lock, reason);
    this.#deadlocks.lockReplaced(lock, eviction.successor);
    eviction.advance(this.#answersAtOnce());
    return eviction;
  }

  /** Answers every waiting request `draining`, but those of sessions that are kept, in the order of each queue. */
  drain(isKept: (session: Session) => boolean = () => false): void {
    const { locks, changed } = this.#book;
    for (const lock of [...locks.readerWriter, ...locks.permit]) {
      for (const claim of lock.queue ?? [])
        if (!isKept(claim.owner.session)) this.#book.removeClaim(claim, { status: 'draining' });
      this.#book.forgetIfUnused(lock);
    }
    changed.length = 0;
    this.#backlog.clear();
    this.#sweep = undefined;
  }

  /** A place whose limit became smaller may be in a deadlock now. */
  #endDeadlock(claim: Claim, limitBefore: number): void {
    if (claim.place === undefined || limitOfPlace(claim.place) >= limitBefore) return;
    const deadlock = isWaitedFor(claim.owner) ? this.#deadlocks.find(claim.owner, { waiting: [claim] }) : undefined;
    if (deadlock !== undefined) this.#book.removeClaim(claim, deadlock);
  }

  /** Cancels a group of which a hold has ended; false if that has to wait. */
  #cancel(group: Group): boolean {
    if (!isWaitingStill(group)) return true;
    if (!this.#take(group.waiting.length)) return false;
    this.#book.removeGroup(group);
    return true;
  }

  /** Lets in everybody for whom there is room; false if some have to wait. */
  #letInSome(lock: Lock, nowMs: number): boolean {
    for (let claim = lock.queue?.first; claim !== undefined; claim = lock.queue?.first) {
      // Once no steps are left, it is not even asked whether there is room.
      if (this.#left <= 0) return false;
      const attempt = this.#tryToGrant(claim, nowMs);
      if (attempt === 'later') return false;
      if (attempt === 'no room') break;
    }
    this.#book.forgetIfUnused(lock);
    return true;
  }

  /** Grants a waiting claim, or its whole group, if that is possible now. */
  #tryToGrant(claim: Claim, nowMs: number): Attempt {
    const { place } = claim;
    return place === undefined ? this.#grantGroupOf(claim, nowMs) : this.#grantPlace(claim, place, nowMs);
  }

  #grantPlace(claim: Claim, place: Place, nowMs: number): Attempt {
    const { name, kind } = claim.lock;
    const admits = admitsWaiter(claim, limitOfPlace(place));
    if (!admits || !this.#book.mayGrant(1) || !this.#book.isOpen(name, kind)) return 'no room';
    if (!this.#take(place.waits.size)) return 'later';
    this.#book.grantPlace(claim, nowMs);
    return 'granted';
  }

  #mayGrantGroup({ waiting }: Group): boolean {
    return this.#book.mayGrant(waiting.length) && waiting.every(({ lock }) => this.#book.isOpen(lock.name, lock.kind));
  }

  #grantGroupOf({ group }: Claim, nowMs: number): Attempt {
    if (group === undefined || !canGrant(group) || !this.#mayGrantGroup(group)) return 'no room';
    if (!this.#take(group.claims.length)) return 'later';
    this.#book.grantGroup(group, nowMs);
    return 'granted';
  }
}

function resultOf(status: 'timeout' | 'cancelled', claims: readonly Claim[], nowMs: number): WaitResult {
  return status === 'cancelled' ? CANCELLED : { status, holders: viewSomeHolders(claims, nowMs) };
}

function viewSomeHolders(claims: readonly Claim[], nowMs: number): readonly NamedLockHolder[] {
  const holders: NamedLockHolder[] = [];
  let nameBytes = 0;
  for (const { lock } of claims) {
    for (const claim of holdersOf(lock)) {
      nameBytes += bytesOfText(lock.name);
      const isEnough = holders.length === MAX_HOLDERS_TOLD || nameBytes > MAX_NAME_BYTES_TOLD;
      if (isEnough && holders.length > 0) return holders;
      holders.push(viewNamedHolder(claim, nowMs));
    }
  }
  return holders;
}
