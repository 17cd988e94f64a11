/**
 * The state of the lock table: locks, claims, deadlines, counts, and the events of the current operation. Claims are granted
 * and removed here. The acquisitions decide which requests are allowed, the admission decides which waiter is next.
 */

import type { AllGranted, Granted, LockMode, LossReason } from '../protocol.ts';
import { DeadlineHeap } from './deadline-heap.ts';
import { mayPass } from './group.ts';
import {
  addHolder,
  countRequests,
  enqueue,
  isAwaited,
  isUnused,
  lostHold,
  markStealable,
  moveQueue,
  passClaim,
  removeFromLock,
} from './lock.ts';
import { LockMap } from './lock-map.ts';
import { joinPlace, leavePlace, makePlace, modeOfPlace } from './place.ts';
import { addToIndex, addToWaits, attach, detach, removeFromIndex, removeFromWaits } from './session.ts';
import { bytesOfClaim, bytesOfId, bytesOfWait, LEASE_BYTES } from './table-bytes.ts';
import type {
  BookOptions,
  Claim,
  GrantTerms,
  Group,
  HolderWalk,
  Lease,
  Lock,
  LockAllRequest,
  LockKind,
  LockRequest,
  Owner,
  Session,
  TableCounts,
  TableEvent,
  TableObserver,
  Wait,
  WaitingRequest,
  WaitResult,
} from './types.ts';

const CANCELLED = Object.freeze({ status: 'cancelled' }) satisfies WaitResult;

export class LockBook {
  readonly locks: Readonly<Record<LockKind, LockMap>> = {
    readerWriter: new LockMap('readerWriter'),
    permit: new LockMap('permit'),
  };
  readonly deadlines: DeadlineHeap<Lease | WaitingRequest> = new DeadlineHeap<Lease | WaitingRequest>();
  /** Locks where a waiter may be granted now, and groups to be cancelled. `Admission` empties this list. */
  readonly changed: (Lock | Group)[] = [];
  /** The listings of holders under way. */
  readonly walks: Set<HolderWalk> = new Set();
  sessionCount = 0;
  /** How much memory all claims and waiting requests count. */
  bytes = 0;
  /** Whether there are tokens for so many grants. */
  readonly mayGrant: (count: number) => boolean;
  readonly #isClosed: ((name: string, kind: LockKind) => boolean) | undefined;
  readonly #onLoss: ((claim: Claim, reason: LossReason) => void) | undefined;
  readonly #nextToken: () => number;
  observer: TableObserver | undefined;
  /** The events of the current operation. */
  events: TableEvent[] = [];
  /** How many locks of each kind are held. */
  readonly #heldLocks: Record<LockKind, number> = { readerWriter: 0, permit: 0 };
  #holders = 0;
  #waiting = 0;

  constructor({ nextToken, mayGrant = () => true, isClosed, onLoss }: BookOptions) {
    this.#nextToken = nextToken;
    this.mayGrant = mayGrant;
    this.#isClosed = isClosed;
    this.#onLoss = onLoss;
  }

  /** Whether newcomers and waiters may be granted the lock. One that is closed (L3) only its holders and thieves get. */
  isOpen(name: string, kind: LockKind): boolean {
    return this.#isClosed?.(name, kind) !== true;
  }

  get counts(): TableCounts {
    return {
      locks: this.#heldLocks.readerWriter,
      permits: this.#heldLocks.permit,
      holders: this.#holders,
      waiting: this.#waiting,
      sessions: this.sessionCount,
      tableBytes: this.bytes,
    };
  }

  /** Forgets a lock that nobody holds and nobody waits for. */
  forgetIfUnused(lock: Lock): void {
    if (isUnused(lock)) this.locks[lock.kind].delete(lock);
  }

  /** Puts a new lock with the same queue in the place of one, whose holders hold it no more, though they are not told yet. */
  replaceLock(lock: Lock): Lock {
    const successor = this.locks[lock.kind].replace(lock);
    moveQueue(lock, successor);
    this.#holders -= lock.holderCount;
    this.#heldLocks[lock.kind] -= 1;
    return successor;
  }

  /** A new claim of an owner, which is neither granted nor waits yet. */
  addClaim(lock: Lock, owner: Owner, mode: LockMode, nowMs: number): Claim {
    const claim: Claim = {
      lock,
      owner,
      state: 'new',
      mode,
      token: 0,
      sinceMs: Math.floor(nowMs),
      requestId: undefined,
      ownerPrevious: undefined,
      ownerNext: undefined,
    };
    attach(claim);
    this.#count(owner.session, bytesOfClaim(claim));
    return claim;
  }

  /** Drops a new claim, which was neither granted nor queued. It has no waiting request to answer. */
  dropClaim(claim: Claim): void {
    this.#count(claim.owner.session, -bytesOfClaim(claim));
    detach(claim);
    this.forgetIfUnused(claim.lock);
  }

  /** Adds a waiting request to a claim. A new claim enters the queue with it; the caller tells the observer unless it takes that back. */
  addWait(claim: Claim, request: LockRequest, nowMs: number): void {
    const wait: Wait = {
      kind: 'wait',
      claim,
      request,
      bytes: bytesOfWait(request),
      previous: undefined,
      next: undefined,
      deadlineMs: 0,
      heapIndex: -1,
      heapSequence: 0,
    };
    if (claim.state === 'new') this.#enqueue(claim);
    claim.place ??= makePlace();
    joinPlace(claim.place, wait);
    addToWaits(claim.owner.session, wait);
    this.#count(claim.owner.session, wait.bytes);
    countRequests(claim.lock, 1);
    this.#waiting += 1;
    this.deadlines.add(wait, nowMs + request.waitMs);
  }

  /** Puts the new claims of a group at the end of their queues. The caller tells the observer of the first, unless it takes that back. */
  addGroup(group: Group, nowMs: number): void {
    const { owner, request } = group;
    for (const claim of group.waiting) {
      claim.group = group;
      this.#enqueue(claim);
      countRequests(claim.lock, 1);
    }
    for (const claim of group.held) {
      claim.dependents ??= new Set();
      claim.dependents.add(group);
    }
    if (group.hasUnlimited) {
      owner.groups ??= new Set();
      owner.groups.add(group);
    }
    addToWaits(owner.session, group);
    this.#count(owner.session, group.bytes);
    this.#waiting += 1;
    this.deadlines.add(group, nowMs + request.waitMs);
  }

  /** Answers one request of a claim. The claim waits on for the others, if there are any. */
  endWait(wait: Wait, result: WaitResult): void {
    const { claim } = wait;
    const { place } = claim;
    if (place === undefined) return;
    this.#forgetWait(wait);
    leavePlace(place, wait);
    this.#answer(wait, claim.owner, result);
    if (place.waits.size === 0) this.removeClaim(claim);
    else claim.mode = modeOfPlace(place);
  }

  /** Grants a claim that is new or waits. */
  grant(claim: Claim, terms: GrantTerms, nowMs: number): Granted {
    if (claim.state === 'waiting') {
      this.#waitLess(claim.owner);
      claim.waitedMs = Math.floor(nowMs) - claim.sinceMs;
    }
    const granted = this.hold(claim, this.#nextToken(), terms, nowMs);
    this.observer?.granted(claim);
    return granted;
  }

  /** Makes a claim a hold with that token, which may be one of an earlier run. */
  hold(claim: Claim, token: number, { id, leaseMs, isStealable }: GrantTerms, nowMs: number): Granted {
    const { lock, owner } = claim;
    addHolder(claim, token);
    claim.sinceMs = Math.floor(nowMs);
    claim.requestId = id;
    if (typeof id === 'string') this.#count(owner.session, bytesOfId(id));
    if (isStealable === true) markStealable(claim);
    if (leaseMs !== undefined) this.startLease(claim, leaseMs, nowMs);
    if (owner.session.holdIndex !== undefined) addToIndex(owner.session.holdIndex, claim);
    this.#holders += 1;
    if (lock.holderCount === 1) this.#heldLocks[lock.kind] += 1;
    return { status: 'ok', token: claim.token, count: lock.holderCount };
  }

  /** Grants a waiting claim and answers all its requests: the first with the grant, the others with `alreadyHeld`. */
  grantPlace(claim: Claim, nowMs: number): void {
    const first = claim.place?.waits.first;
    if (first === undefined) return;
    claim.place = undefined;
    const granted = this.grant(claim, first.request, nowMs);
    for (let wait: Wait | undefined = first; wait !== undefined; wait = wait.next) {
      const { leaseMs } = wait.request;
      this.#forgetWait(wait);
      if (wait !== first && leaseMs !== undefined) this.startLease(claim, leaseMs, nowMs);
      this.#answer(wait, claim.owner, wait === first ? granted : { ...granted, alreadyHeld: true });
    }
  }

  /** Grants the claims that are not held yet. All are in the answer, and all get the lease. */
  grantAll(claims: readonly Claim[], request: LockAllRequest, nowMs: number): AllGranted {
    const alreadyHeld = claims.filter(({ state }) => state === 'held').map(({ lock }) => lock.name);
    for (const claim of claims) {
      if (claim.state !== 'held') this.grant(claim, request, nowMs);
      else if (request.leaseMs !== undefined) this.startLease(claim, request.leaseMs, nowMs);
    }
    const tokens = claims.map(({ token }) => token);
    const counts = claims.map(({ lock }) => lock.holderCount);
    return { status: 'ok', tokens, counts, ...(alreadyHeld.length > 0 && { alreadyHeld }) };
  }

  /** Grants a group. Its locks are noted as changed, because waiters behind it may share some of them. */
  grantGroup(group: Group, nowMs: number): void {
    this.#forgetGroup(group);
    const granted = this.grantAll(group.claims, group.request, nowMs);
    for (const { lock } of group.waiting) this.changed.push(lock);
    this.#answer(group, group.owner, granted);
  }

  /** Starts or renews a lease. */
  startLease(claim: Claim, leaseMs: number, nowMs: number): void {
    if (claim.lease === undefined) {
      claim.lease = { kind: 'lease', claim, deadlineMs: 0, heapIndex: -1, heapSequence: 0 };
      this.#count(claim.owner.session, LEASE_BYTES);
    } else {
      this.deadlines.remove(claim.lease);
    }
    this.deadlines.add(claim.lease, nowMs + leaseMs);
  }

  /**
   * Removes a claim that waits or is held, and its whole group if it has one. Requests that wait for it are answered. The
   * caller must let waiters of the lock in.
   */
  removeClaim(claim: Claim, answer: WaitResult = CANCELLED): void {
    if (claim.group !== undefined) {
      this.removeGroup(claim.group, answer);
      return;
    }
    const { place } = claim;
    if (claim.state === 'held') this.observer?.ended(claim, 'released');
    this.#forgetPlace(claim);
    if (place !== undefined) for (const wait of place.waits) this.#answer(wait, claim.owner, answer);
    this.#remove(claim);
  }

  /** The same for a group: removes it from all its queues, whose locks are noted as changed. */
  removeGroup(group: Group, answer: WaitResult = CANCELLED): void {
    this.takeBackGroup(group);
    this.#answer(group, group.owner, answer);
  }

  /** Removes a claim that was just queued and that the caller refuses, or a hold that goes on as another. Nobody is told of that. */
  takeBackClaim(claim: Claim): void {
    this.#forgetPlace(claim);
    this.#remove(claim);
  }

  /** The same for a group. */
  takeBackGroup(group: Group): void {
    this.#forgetGroup(group);
    for (const claim of group.waiting) {
      this.#remove(claim);
      if (isAwaited(claim.lock)) this.changed.push(claim.lock);
      else this.forgetIfUnused(claim.lock);
    }
  }

  /** Ends a hold that its owner did not release. */
  takeAway(claim: Claim, reason: LossReason): void {
    if (reason !== 'sessionEnded') this.#onLoss?.(claim, reason);
    this.events.push({ kind: 'lost', session: claim.owner.session, hold: lostHold(claim, reason) });
    this.observer?.ended(claim, reason);
    this.#remove(claim);
  }

  /** The events since the last call. */
  takeEvents(): readonly TableEvent[] {
    const { events } = this;
    this.events = [];
    return events;
  }

  /** Before a hold of the lock ends. */
  #countLess(lock: Lock): void {
    this.#holders -= 1;
    if (lock.holderCount === 1) this.#heldLocks[lock.kind] -= 1;
  }

  #count(session: Session, bytes: number): void {
    session.bytes += bytes;
    this.bytes += bytes;
  }

  #enqueue(claim: Claim): void {
    enqueue(claim);
    claim.owner.waitingCount += 1;
  }

  /** Removes a claim from its lock and its owner. Its requests must have been forgotten before. */
  #remove(claim: Claim): void {
    const { owner, lock } = claim;
    const wasHeld = claim.state === 'held';
    if (wasHeld) {
      if (claim.lease !== undefined) this.deadlines.remove(claim.lease);
      if (owner.session.holdIndex !== undefined) removeFromIndex(owner.session.holdIndex, claim);
      if (lock.isInMap) this.#countLess(lock);
      if (this.walks.size > 0) passClaim(this.walks, claim);
    } else {
      this.#waitLess(owner);
    }
    this.#count(owner.session, -bytesOfClaim(claim));
    removeFromLock(claim);
    detach(claim);
    // A group that names this hold among its locks cannot be granted any more.
    for (const group of claim.dependents ?? []) this.changed.push(group);
  }

  /** Forgets the requests of a claim. */
  #forgetPlace(claim: Claim): void {
    const { place } = claim;
    if (place === undefined) return;
    claim.place = undefined;
    for (const wait of place.waits) this.#forgetWait(wait);
  }

  #forgetWait(wait: Wait): void {
    removeFromWaits(wait.claim.owner.session, wait);
    this.#count(wait.claim.owner.session, -wait.bytes);
    countRequests(wait.claim.lock, -1);
    this.#waiting -= 1;
    this.deadlines.remove(wait);
  }

  #forgetGroup(group: Group): void {
    for (const claim of group.waiting) {
      claim.group = undefined;
      countRequests(claim.lock, -1);
    }
    for (const claim of group.held) {
      claim.dependents?.delete(group);
      if (claim.dependents?.size === 0) claim.dependents = undefined;
    }
    group.owner.groups?.delete(group);
    removeFromWaits(group.owner.session, group);
    this.#count(group.owner.session, -group.bytes);
    this.#waiting -= 1;
    this.deadlines.remove(group);
  }

  /** With one wait less, the permits without limit of a group may pass waiters now, if it is the owner's only wait. */
  #waitLess(owner: Owner): void {
    owner.waitingCount -= 1;
    if (owner.groups?.size !== 1 || owner.tag === '') return;
    for (const group of owner.groups) {
      if (mayPass(group)) for (const { lock } of group.waiting) this.changed.push(lock);
    }
  }

  #answer(waiting: WaitingRequest, { session }: Owner, result: WaitResult): void {
    this.events.push({ kind: 'answered', session, context: waiting.request.context, result });
    if (result.status !== 'ok') this.observer?.refused(waiting, result);
  }
}
