/**
 * The book that the lock table keeps: locks, claims, deadlines, counts, and what an operation caused. Here claims are
 * granted and removed. Who is let in next is decided in the settlement, what may be asked for in the acquisitions.
 */

import type { AllGranted, Granted, LockMode, LossReason, LostHold, RequestId } from '../protocol.ts';
import { DeadlineHeap } from './deadline-heap.ts';
import { mayPass } from './group.ts';
import { addHolder, enqueue, isUnused, kindOf, makeLock, removeClaim } from './lock.ts';
import { LockMap } from './lock-map.ts';
import { joinPlace, leavePlace, makePlace, modeOfPlace } from './place.ts';
import { addHold, addWait, attach, detach, removeHold, removeWait } from './session.ts';
import type {
  Claim,
  Group,
  Lease,
  Lock,
  LockAllRequest,
  LockKind,
  LockRequest,
  Owner,
  TableCounts,
  TableEvent,
  Wait,
  WaitingRequest,
  WaitResult,
} from './types.ts';

const NOTHING: readonly never[] = Object.freeze([]);
const CANCELLED = Object.freeze({ status: 'cancelled' }) satisfies WaitResult;

/** The table's state, and how it changes. */
export class LockBook {
  readonly readerWriterLocks: LockMap = new LockMap();
  readonly permits: LockMap = new LockMap();
  readonly deadlines: DeadlineHeap<Lease | WaitingRequest> = new DeadlineHeap<Lease | WaitingRequest>();
  /** Locks that may have room for others since something else was granted or removed: the settlement works them off. */
  readonly unsettled: Lock[] = [];
  sessionCount = 0;
  readonly #nextToken: () => number;
  #events: TableEvent[] = [];
  #heldLocks = 0;
  #heldPermits = 0;
  #holders = 0;
  #waiting = 0;

  constructor(nextToken: () => number) {
    this.#nextToken = nextToken;
  }

  get counts(): TableCounts {
    return {
      locks: this.#heldLocks,
      permits: this.#heldPermits,
      holders: this.#holders,
      waiting: this.#waiting,
      sessions: this.sessionCount,
    };
  }

  /** Locks that are held or waited for. */
  get lockCount(): number {
    return this.readerWriterLocks.size + this.permits.size;
  }

  locksOf(kind: LockKind): LockMap {
    return kind === 'permit' ? this.permits : this.readerWriterLocks;
  }

  addLock(name: string, mode: LockMode): Lock {
    const lock = makeLock(name, kindOf(mode));
    this.locksOf(lock.kind).add(lock);
    return lock;
  }

  /** Forgets a lock that nobody holds and nobody waits for. */
  forgetIfUnused(lock: Lock): void {
    if (isUnused(lock)) this.locksOf(lock.kind).delete(lock);
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
    return claim;
  }

  /** Takes back a claim that was neither granted nor waited. */
  dropClaim(claim: Claim): void {
    detach(claim);
    this.forgetIfUnused(claim.lock);
  }

  /** Adds a request that waits: with it a new claim enters the queue, and one that waits has one more. */
  addWait(claim: Claim, request: LockRequest, nowMs: number): void {
    const wait: Wait = {
      kind: 'wait',
      claim,
      request,
      previous: undefined,
      next: undefined,
      deadlineMs: 0,
      heapIndex: -1,
      heapSequence: 0,
    };
    if (claim.state === 'new') this.#enqueue(claim);
    claim.place ??= makePlace();
    joinPlace(claim.place, wait);
    addWait(claim.owner.session, wait);
    countRequests(claim.lock, 1);
    this.#waiting += 1;
    this.deadlines.add(wait, nowMs + request.waitMs);
  }

  /** Puts the new claims of a group at the end of their queues. */
  addGroup(group: Group, nowMs: number): void {
    const { owner, request } = group;
    for (const claim of group.waiting) {
      claim.group = group;
      this.#enqueue(claim);
      countRequests(claim.lock, 1);
    }
    owner.groups ??= new Set();
    owner.groups.add(group);
    addWait(owner.session, group);
    this.#waiting += 1;
    this.deadlines.add(group, nowMs + request.waitMs);
  }

  /** Takes one of the requests out of a place; the claim is left waiting for the others. */
  endWait(wait: Wait, result: WaitResult): void {
    const { claim } = wait;
    const place = claim.place;
    if (place === undefined) return;
    this.#forgetWait(wait);
    leavePlace(place, wait);
    this.#answer(wait, claim.owner, result);
    if (place.waits.size === 0) this.removeClaim(claim);
    else claim.mode = modeOfPlace(place);
  }

  /** Grants a claim that is new or waits. */
  grant(claim: Claim, requestId: RequestId | undefined, nowMs: number): Granted {
    if (claim.state === 'waiting') this.#waitLess(claim.owner);
    addHolder(claim);
    claim.token = this.#nextToken();
    claim.sinceMs = Math.floor(nowMs);
    claim.requestId = requestId;
    addHold(claim);
    this.#holders += 1;
    const count = claim.lock.holderCount;
    if (count === 1) this.#countHeld(claim.lock, 1);
    return { status: 'ok', token: claim.token, count };
  }

  /** Grants a claim that waits and answers all requests in its place: the first has the grant, the others share it. */
  grantPlace(claim: Claim, nowMs: number): void {
    const first = claim.place?.waits.first;
    if (first === undefined) return;
    claim.place = undefined;
    if (first.request.isStealable === true) claim.isStealable = true;
    const granted = this.grant(claim, first.request.id, nowMs);
    for (let wait: Wait | undefined = first; wait !== undefined; wait = wait.next) {
      this.#forgetWait(wait);
      this.startLease(claim, wait.request.leaseMs, nowMs);
      this.#answer(wait, claim.owner, wait === first ? granted : { ...granted, alreadyHeld: true });
    }
  }

  /** Grants those of an owner's claims that are not held yet; all are counted in the answer, and all have the lease. */
  grantAll(claims: readonly Claim[], { id, leaseMs }: LockAllRequest, nowMs: number): AllGranted {
    const alreadyHeld = claims.filter(({ state }) => state === 'held').map(({ lock }) => lock.name);
    for (const claim of claims) {
      if (claim.state !== 'held') this.grant(claim, id, nowMs);
      this.startLease(claim, leaseMs, nowMs);
    }
    const tokens = claims.map(({ token }) => token);
    const counts = claims.map(({ lock }) => lock.holderCount);
    return { status: 'ok', tokens, counts, ...(alreadyHeld.length > 0 && { alreadyHeld }) };
  }

  /** Grants all that a group waits for. Those behind it may share some of its locks: they are left unsettled. */
  grantGroup(group: Group, nowMs: number): void {
    this.#forgetGroup(group);
    const granted = this.grantAll(group.claims, group.request, nowMs);
    for (const { lock } of group.waiting) this.unsettled.push(lock);
    this.#answer(group, group.owner, granted);
  }

  /** Starts a lease, or starts it anew. Without a time there is none, or the one under way goes on. */
  startLease(claim: Claim, leaseMs: number | undefined, nowMs: number): void {
    if (leaseMs === undefined) return;
    if (claim.lease === undefined)
      claim.lease = { kind: 'lease', claim, deadlineMs: 0, heapIndex: -1, heapSequence: 0 };
    else this.deadlines.remove(claim.lease);
    this.deadlines.add(claim.lease, nowMs + leaseMs);
  }

  /**
   * Takes a hold or a place in a queue out of the book, and with a part of a group the whole group. The lock may have room
   * for others afterwards and must be settled.
   */
  removeClaim(claim: Claim, answer: WaitResult = CANCELLED): void {
    if (claim.group !== undefined) {
      this.removeGroup(claim.group, answer);
      return;
    }
    const { place } = claim;
    this.#forgetPlace(claim);
    if (place !== undefined) for (const wait of place.waits) this.#answer(wait, claim.owner, answer);
    this.#remove(claim);
  }

  /** Takes a group out of all its queues, which are left unsettled. */
  removeGroup(group: Group, answer: WaitResult): void {
    this.takeBackGroup(group);
    this.#answer(group, group.owner, answer);
  }

  /** Takes back a claim that was just made to wait, without an answer: the caller has one. */
  takeBackClaim(claim: Claim): void {
    this.#forgetPlace(claim);
    this.#remove(claim);
    this.forgetIfUnused(claim.lock);
  }

  /** The same for a group. */
  takeBackGroup(group: Group): void {
    this.#forgetGroup(group);
    for (const claim of group.waiting) {
      this.#remove(claim);
      this.unsettled.push(claim.lock);
    }
  }

  /** Takes a hold away from an owner who did not ask for it. */
  takeAway(claim: Claim, reason: LossReason): void {
    const { owner, lock, mode, token } = claim;
    const hold: LostHold = { lockName: lock.name, mode, owner: owner.tag, token, reason };
    this.#events.push({ kind: 'lost', session: owner.session, hold });
    this.#remove(claim);
  }

  /** What happened since this was last asked. */
  takeEvents(): readonly TableEvent[] {
    if (this.#events.length === 0) return NOTHING;
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #enqueue(claim: Claim): void {
    enqueue(claim);
    claim.owner.waitingCount += 1;
  }

  /** A claim without waiting requests leaves its lock and its owner. */
  #remove(claim: Claim): void {
    const { owner, lock } = claim;
    const wasHeld = claim.state === 'held';
    if (wasHeld) {
      if (claim.lease !== undefined) this.deadlines.remove(claim.lease);
      removeHold(claim);
      this.#holders -= 1;
      if (lock.holderCount === 1) this.#countHeld(lock, -1);
    } else {
      this.#waitLess(owner);
    }
    removeClaim(claim);
    detach(claim);
    if (!wasHeld || owner.groups === undefined) return;
    // A group that names a hold among its locks cannot be granted any more when that ends.
    for (const group of owner.groups) if (group.held.has(claim)) this.removeGroup(group, CANCELLED);
  }

  /** The requests of a claim do not wait any longer. */
  #forgetPlace(claim: Claim): void {
    const { place } = claim;
    if (place === undefined) return;
    claim.place = undefined;
    for (const wait of place.waits) this.#forgetWait(wait);
  }

  #forgetWait(wait: Wait): void {
    removeWait(wait.claim.owner.session, wait);
    countRequests(wait.claim.lock, -1);
    this.#waiting -= 1;
    this.deadlines.remove(wait);
  }

  #forgetGroup(group: Group): void {
    for (const claim of group.waiting) {
      claim.group = undefined;
      countRequests(claim.lock, -1);
    }
    group.owner.groups?.delete(group);
    removeWait(group.owner.session, group);
    this.#waiting -= 1;
    this.deadlines.remove(group);
  }

  /** One wait less may be what a group needs for its permits without limit to pass. */
  #waitLess(owner: Owner): void {
    owner.waitingCount -= 1;
    if (owner.groups === undefined) return;
    for (const group of owner.groups) {
      if (group.hasUnlimited && mayPass(group)) for (const { lock } of group.waiting) this.unsettled.push(lock);
    }
  }

  #countHeld({ kind }: Lock, change: 1 | -1): void {
    if (kind === 'permit') this.#heldPermits += change;
    else this.#heldLocks += change;
  }

  #answer({ request }: WaitingRequest, { session }: Owner, result: WaitResult): void {
    this.#events.push({ kind: 'answered', session, context: request.context, result });
  }
}

function countRequests(lock: Lock, change: 1 | -1): void {
  lock.requestCount = (lock.requestCount ?? 0) + change;
}
