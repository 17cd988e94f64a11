/**
 * The book that the lock table keeps: locks, claims, deadlines, counts and the record of what an operation caused.
 * Here claims are granted and removed; who is let in next is the settlement's business, what may be asked for is the
 * business of the requests.
 */

import { Claim, Lease, type Place, Wait } from './claim.ts';
import { DeadlineHeap } from './deadline-heap.ts';
import { kindOf, Lock, type LockKind } from './lock.ts';
import { LockIndex } from './lock-index.ts';
import type { Owner, WaitingRequest } from './lock-session.ts';
import type {
  AcquireRequest,
  AllGranted,
  Granted,
  LockMode,
  LossReason,
  RequestId,
  TableCounts,
  TableEvent,
  WaitResult,
} from './types.ts';
import { isUnlimited, type WaitGroup } from './wait-group.ts';

const NOTHING: readonly never[] = Object.freeze([]);
const CANCELLED = Object.freeze({ status: 'cancelled' }) satisfies WaitResult;

/** Everything that ends by itself. */
export type Ending<Subject, Context> = Lease<Subject, Context> | WaitingRequest<Subject, Context>;

/** State and its transitions. */
export class LockBook<Subject, Context> {
  readonly readerWriterLocks: LockIndex<Subject, Context>;
  readonly permits: LockIndex<Subject, Context>;
  readonly deadlines: DeadlineHeap<Ending<Subject, Context>> = new DeadlineHeap<Ending<Subject, Context>>();
  /** Locks that may have room for others since something else was granted or removed: the settlement works them off. */
  readonly unsettled: Lock<Subject, Context>[] = [];
  sessionCount = 0;
  readonly #nextToken: () => number;
  #events: TableEvent<Subject, Context>[] | undefined;
  #heldLocks = 0;
  #heldPermits = 0;
  #holders = 0;
  #waiting = 0;

  constructor(nextToken: () => number, hashName: (name: string) => number) {
    this.#nextToken = nextToken;
    this.readerWriterLocks = new LockIndex<Subject, Context>(hashName);
    this.permits = new LockIndex<Subject, Context>(hashName);
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

  locksOf(kind: LockKind): LockIndex<Subject, Context> {
    return kind === 'permit' ? this.permits : this.readerWriterLocks;
  }

  addLock(name: string, kind: LockKind): Lock<Subject, Context> {
    const lock = new Lock<Subject, Context>(name, kind);
    this.locksOf(kind).add(lock);
    return lock;
  }

  /** A new claim of an owner, alone when there is no such lock yet: then it is in the book once it is granted. */
  addClaim(
    where: Lock<Subject, Context> | string,
    owner: Owner<Subject, Context>,
    mode: LockMode,
    nowMs: number,
  ): Claim<Subject, Context> {
    const claim = new Claim<Subject, Context>(where, owner, mode, nowMs);
    owner.attach(claim);
    return claim;
  }

  /** Forgets a lock that nobody holds and nobody waits for. */
  forgetIfUnused(lock: Lock<Subject, Context>): void {
    if (lock.isUnused) this.locksOf(lock.kind).delete(lock.name);
  }

  /** Puts a claim with a place at the end of the queue. */
  enqueue(claim: Claim<Subject, Context>): void {
    claim.lock.enqueue(claim);
    claim.owner.waitingCount += 1;
  }

  /** Adds one more waiting request to a claim that has a place. */
  addWait(claim: Claim<Subject, Context>, request: AcquireRequest<Context>, nowMs: number): void {
    const wait = new Wait<Subject, Context>(claim, request);
    claim.place?.push(wait);
    claim.owner.session.addWait(wait);
    claim.lock.waitingCount += 1;
    this.#waiting += 1;
    this.deadlines.add(wait, nowMs + request.waitMs);
  }

  /** Puts the waiting claims of a group at the end of their queues. */
  addGroup(group: WaitGroup<Subject, Context>, deadlineMs: number): void {
    for (const claim of group.waiting) {
      claim.group = group;
      this.enqueue(claim);
      claim.lock.waitingCount += 1;
    }
    for (const claim of group.held) {
      claim.reliers ??= new Set();
      claim.reliers.add(group);
    }
    if (group.waiting.some(isUnlimited)) {
      group.owner.unlimitedGroups ??= new Set();
      group.owner.unlimitedGroups.add(group);
    }
    group.owner.session.addWait(group);
    this.#waiting += 1;
    this.deadlines.add(group, deadlineMs);
  }

  /** Takes one of the requests out of a place; the claim is left waiting for the others. */
  endWait(wait: Wait<Subject, Context>, place: Place<Subject, Context>, result: WaitResult<Subject, Context>): void {
    const { claim } = wait;
    this.#forgetWait(wait);
    place.remove(wait);
    this.#answer(wait, claim.owner, result);
    if (place.size === 0) this.removeClaim(claim);
    else claim.mode = place.mode;
  }

  /** Grants a claim that is new or waits. */
  grant(claim: Claim<Subject, Context>, requestId: RequestId | undefined, nowMs: number): Granted {
    if (claim.state === 'waiting') this.#waitLess(claim.owner);
    if (claim.isAlone) {
      claim.state = 'held';
      this.locksOf(kindOf(claim.mode)).add(claim);
    } else {
      claim.lock.addHolder(claim);
    }
    claim.token = this.#nextToken();
    claim.sinceMs = nowMs;
    claim.requestId = requestId;
    claim.owner.session.addHold(claim);
    this.#holders += 1;
    const count = claim.holderCount;
    if (count === 1) this.#countHeld(claim, 1);
    return { status: 'ok', token: claim.token, count };
  }

  /** Grants a claim that waits and answers all requests in its place: the first has the grant, the others share it. */
  grantPlace(claim: Claim<Subject, Context>, place: Place<Subject, Context>, nowMs: number): void {
    claim.place = undefined;
    claim.isStealable = place.first?.isStealable ?? false;
    const granted = this.grant(claim, place.first?.id, nowMs);
    // Each handoff comes by here, and an iterator would be one more thing to make and to collect.
    for (let wait = place.first; wait !== undefined; wait = wait.next) {
      this.#forgetWait(wait);
      if (wait.leaseMs !== undefined) this.startLease(claim, wait.leaseMs, nowMs);
      this.#answer(wait, claim.owner, wait === place.first ? granted : { ...granted, alreadyHeld: true });
    }
  }

  /** Grants those of an owner's claims that are not held yet; all are counted in the answer, and all have the lease. */
  grantAll(
    claims: readonly Claim<Subject, Context>[],
    { id, leaseMs }: Pick<WaitGroup<Subject, Context>, 'id' | 'leaseMs'>,
    nowMs: number,
  ): AllGranted {
    const alreadyHeld = claims.filter((claim) => claim.state === 'held').map((claim) => claim.name);
    for (const claim of claims) if (claim.state !== 'held') this.grant(claim, id, nowMs);
    if (leaseMs !== undefined) for (const claim of claims) this.startLease(claim, leaseMs, nowMs);
    const tokens = claims.map((claim) => claim.token);
    const counts = claims.map((claim) => claim.holderCount);
    return alreadyHeld.length === 0 ? { status: 'ok', tokens, counts } : { status: 'ok', tokens, counts, alreadyHeld };
  }

  /** Grants all that a group waits for. Those behind it may share some of its locks: they are left unsettled. */
  grantGroup(group: WaitGroup<Subject, Context>, nowMs: number): void {
    this.#forgetGroup(group);
    const granted = this.grantAll(group.claims, group, nowMs);
    for (const claim of group.waiting) this.unsettled.push(claim.lock);
    this.#answer(group, group.owner, granted);
  }

  /** Starts a lease, or starts it anew. */
  startLease(claim: Claim<Subject, Context>, leaseMs: number, nowMs: number): void {
    if (claim.lease === undefined) claim.lease = new Lease<Subject, Context>(claim);
    else this.deadlines.remove(claim.lease);
    this.deadlines.add(claim.lease, nowMs + leaseMs);
  }

  /**
   * Takes a hold or a queue place out of the book, and with a part of a group the whole group. The lock may have room
   * for others afterwards and must be settled.
   */
  removeClaim(claim: Claim<Subject, Context>, answer: WaitResult<Subject, Context> = CANCELLED): void {
    if (claim.group !== undefined) {
      this.removeGroup(claim.group, answer);
      return;
    }
    if (claim.place !== undefined) {
      for (const wait of claim.place) {
        this.#forgetWait(wait);
        this.#answer(wait, claim.owner, answer);
      }
      claim.place = undefined;
    }
    this.#detach(claim);
    if (claim.reliers !== undefined) this.#cancelReliers(claim.reliers);
  }

  /** Takes a group out of all its queues, which are left unsettled. */
  removeGroup(group: WaitGroup<Subject, Context>, answer: WaitResult<Subject, Context>): void {
    this.takeBackGroup(group);
    this.#answer(group, group.owner, answer);
  }

  /** Takes a claim back that was just made to wait, without an answer: the caller has one. */
  takeBackClaim(claim: Claim<Subject, Context>): void {
    for (const wait of claim.place ?? NOTHING) this.#forgetWait(wait);
    claim.place = undefined;
    this.#detach(claim);
    this.forgetIfUnused(claim.lock);
  }

  /** The same for a group. */
  takeBackGroup(group: WaitGroup<Subject, Context>): void {
    this.#forgetGroup(group);
    for (const claim of group.waiting) {
      this.#detach(claim);
      this.unsettled.push(claim.lock);
    }
  }

  /** Takes a hold away from an owner who did not ask for it. */
  takeAway(claim: Claim<Subject, Context>, reason: LossReason): void {
    this.#detach(claim);
    const { owner, name, mode, token } = claim;
    this.#tell({ kind: 'lost', session: owner.session, name, mode, tag: owner.tag, token, reason });
    if (claim.reliers !== undefined) this.#cancelReliers(claim.reliers);
  }

  /** What happened since this was last asked. */
  takeEvents(): readonly TableEvent<Subject, Context>[] {
    const events = this.#events;
    if (events === undefined) return NOTHING;
    this.#events = undefined;
    return events;
  }

  /** A claim without waiting requests leaves its lock and its owner. */
  #detach(claim: Claim<Subject, Context>): void {
    const { owner } = claim;
    if (claim.state === 'held') {
      if (claim.lease !== undefined) this.deadlines.remove(claim.lease);
      owner.session.removeHold(claim);
      this.#holders -= 1;
      if (claim.holderCount === 1) this.#countHeld(claim, -1);
    } else {
      this.#waitLess(owner);
    }
    if (claim.isAlone) {
      claim.state = 'gone';
      this.locksOf(kindOf(claim.mode)).delete(claim.name);
    } else {
      claim.lock.remove(claim);
    }
    owner.detach(claim);
  }

  /** A group that names a hold among its locks cannot be granted any more when that ends. */
  #cancelReliers(reliers: Set<WaitGroup<Subject, Context>>): void {
    for (const group of reliers) this.removeGroup(group, CANCELLED);
  }

  #forgetWait(wait: Wait<Subject, Context>): void {
    wait.claim.owner.session.removeWait(wait);
    wait.claim.lock.waitingCount -= 1;
    this.#waiting -= 1;
    this.deadlines.remove(wait);
  }

  #forgetGroup(group: WaitGroup<Subject, Context>): void {
    for (const claim of group.waiting) {
      claim.group = undefined;
      claim.lock.waitingCount -= 1;
    }
    for (const claim of group.held) {
      claim.reliers?.delete(group);
      if (claim.reliers?.size === 0) claim.reliers = undefined;
    }
    group.owner.unlimitedGroups?.delete(group);
    group.owner.session.removeWait(group);
    this.#waiting -= 1;
    this.deadlines.remove(group);
  }

  /** One wait less may be what a group needs for its permits without limit to pass. */
  #waitLess(owner: Owner<Subject, Context>): void {
    owner.waitingCount -= 1;
    for (const group of owner.unlimitedGroups ?? NOTHING) {
      if (group.mayPass) for (const claim of group.waiting) this.unsettled.push(claim.lock);
    }
  }

  #countHeld(claim: Claim<Subject, Context>, change: 1 | -1): void {
    if (claim.mode === 'permit') this.#heldPermits += change;
    else this.#heldLocks += change;
  }

  #answer(
    request: WaitingRequest<Subject, Context>,
    owner: Owner<Subject, Context>,
    result: WaitResult<Subject, Context>,
  ): void {
    this.#tell({ kind: 'answered', session: owner.session, context: request.context, result });
  }

  #tell(event: TableEvent<Subject, Context>): void {
    // A first push makes room for seventeen.
    if (this.#events === undefined) this.#events = [event];
    else this.#events.push(event);
  }
}
