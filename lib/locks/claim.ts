/** What one owner has in one lock: a hold or a place in the queue, and the requests that wait in that place. */

import type { Deadline } from './deadline-heap.ts';
import { kindOf, Lock } from './lock.ts';
import type { LockEntry } from './lock-index.ts';
import type { Owner } from './lock-session.ts';
import type { AcquireRequest, LockMode, RequestId } from './types.ts';
import type { WaitGroup } from './wait-group.ts';
import { type Linked, WaitQueue } from './wait-queue.ts';

/**
 * What the engine keeps in a field of 8 bytes; any other number takes 16 bytes more, as an object of its own. So tokens
 * are kept in two parts, and times in whole milliseconds: those fit for the first 24 days.
 */
const SMALL_INTEGERS = 2 ** 31;

/**
 * An owner has at most one claim on a lock. It may wait, is held, and is gone. Nearly all claims are held and alone on
 * their lock, and there may be a million of them: so such a claim has the name only and no lock, and what it seldom
 * needs is apart.
 */
export class Claim<Subject, Context> implements Linked<Claim<Subject, Context>> {
  readonly owner: Owner<Subject, Context>;
  state: 'new' | 'waiting' | 'held' | 'gone' = 'new';
  /** While it waits, the strongest mode among its requests. */
  mode: LockMode;
  /** The request that the grant answered. */
  requestId: RequestId | undefined = undefined;
  ownerPrevious: Claim<Subject, Context> | undefined = undefined;
  ownerNext: Claim<Subject, Context> | undefined = undefined;
  /** Of the index of locks, for a claim that stands for one. */
  nextInIndex: LockEntry<Subject, Context> | undefined = undefined;
  /** The lock, or its name as long as nobody else has looked at it. */
  #where: Lock<Subject, Context> | string;
  #sinceMs: number;
  #tokenHigh = 0;
  #tokenLow = 0;
  #extras: ClaimExtras<Subject, Context> | undefined = undefined;

  /** With the name of a lock instead of the lock, it is the first claim there. */
  constructor(where: Lock<Subject, Context> | string, owner: Owner<Subject, Context>, mode: LockMode, sinceMs: number) {
    this.#where = where;
    this.owner = owner;
    this.mode = mode;
    this.#sinceMs = wholeMs(sinceMs);
  }

  get name(): string {
    return typeof this.#where === 'string' ? this.#where : this.#where.name;
  }

  /** Whether there is no lock but this claim: nobody else is there. */
  get isAlone(): boolean {
    return typeof this.#where === 'string';
  }

  /** The lock; it is made for a claim that was alone until now, which must be held. */
  get lock(): Lock<Subject, Context> {
    if (typeof this.#where !== 'string') return this.#where;
    if (this.state !== 'held') throw new Error(`a claim that is ${this.state} has no lock`);
    const lock = new Lock<Subject, Context>(this.#where, kindOf(this.mode));
    this.#where = lock;
    lock.addHolder(this);
    return lock;
  }

  isOn(lock: Lock<Subject, Context>): boolean {
    return this.#where === lock;
  }

  /** How many hold the lock. */
  get holderCount(): number {
    if (typeof this.#where !== 'string') return this.#where.holders.size;
    return this.state === 'held' ? 1 : 0;
  }

  /** When it was granted, while it waits when it came: whole milliseconds. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  set sinceMs(sinceMs: number) {
    this.#sinceMs = wholeMs(sinceMs);
  }

  get token(): number {
    return this.#tokenHigh * SMALL_INTEGERS + this.#tokenLow;
  }

  set token(token: number) {
    const high = Math.floor(token / SMALL_INTEGERS);
    this.#tokenHigh = high | 0;
    this.#tokenLow = (token - high * SMALL_INTEGERS) | 0;
  }

  get isStealable(): boolean {
    return this.#extras?.isStealable ?? false;
  }

  set isStealable(isStealable: boolean) {
    if (isStealable || this.#extras !== undefined) Claim.#extrasOf(this).isStealable = isStealable;
  }

  /** The requests that wait in this claim's place. While it waits it has either this or a group. */
  get place(): Place<Subject, Context> | undefined {
    return this.#extras?.place;
  }

  set place(place: Place<Subject, Context> | undefined) {
    if (place !== this.place) Claim.#extrasOf(this).place = place;
  }

  /** The request for several locks that this claim waits for a part of. */
  get group(): WaitGroup<Subject, Context> | undefined {
    return this.#extras?.group;
  }

  set group(group: WaitGroup<Subject, Context> | undefined) {
    if (group !== this.group) Claim.#extrasOf(this).group = group;
  }

  /** The limit that the group asks for here; `Infinity` for none. */
  get groupLimit(): number {
    return this.#extras?.groupLimit ?? 0;
  }

  set groupLimit(limit: number) {
    Claim.#extrasOf(this).groupLimit = limit;
  }

  /** Waiting requests for several locks that name this hold among them. */
  get reliers(): Set<WaitGroup<Subject, Context>> | undefined {
    return this.#extras?.reliers;
  }

  set reliers(reliers: Set<WaitGroup<Subject, Context>> | undefined) {
    if (reliers !== this.reliers) Claim.#extrasOf(this).reliers = reliers;
  }

  /** The end of the hold that the owner asked for, if it did. */
  get lease(): Lease<Subject, Context> | undefined {
    return this.#extras?.lease;
  }

  set lease(lease: Lease<Subject, Context> | undefined) {
    if (lease !== this.lease) Claim.#extrasOf(this).lease = lease;
  }

  get previous(): Claim<Subject, Context> | undefined {
    return this.#extras?.previous;
  }

  set previous(claim: Claim<Subject, Context> | undefined) {
    if (claim !== this.previous) Claim.#extrasOf(this).previous = claim;
  }

  get next(): Claim<Subject, Context> | undefined {
    return this.#extras?.next;
  }

  set next(claim: Claim<Subject, Context> | undefined) {
    if (claim !== this.next) Claim.#extrasOf(this).next = claim;
  }

  /** The limit that it waits with. */
  get waitLimit(): number {
    return this.place === undefined ? this.groupLimit : this.place.limit;
  }

  /** Static, since a private method costs each claim a field. */
  static #extrasOf<Subject, Context>(claim: Claim<Subject, Context>): ClaimExtras<Subject, Context> {
    claim.#extras ??= new ClaimExtras<Subject, Context>();
    return claim.#extras;
  }
}

/** Written so that the engine sees that it is a small integer. */
function wholeMs(ms: number): number {
  return ms < SMALL_INTEGERS ? ms | 0 : Math.floor(ms);
}

/** What few claims have: the claim's own accessors tell what each is. */
class ClaimExtras<Subject, Context> {
  isStealable = false;
  place: Place<Subject, Context> | undefined = undefined;
  group: WaitGroup<Subject, Context> | undefined = undefined;
  groupLimit = 0;
  reliers: Set<WaitGroup<Subject, Context>> | undefined = undefined;
  lease: Lease<Subject, Context> | undefined = undefined;
  previous: Claim<Subject, Context> | undefined = undefined;
  next: Claim<Subject, Context> | undefined = undefined;
}

/** When a hold ends by itself. */
export class Lease<Subject, Context> implements Deadline {
  readonly claim: Claim<Subject, Context>;
  deadlineMs = 0;
  heapIndex = -1;
  heapSequence = 0;

  constructor(claim: Claim<Subject, Context>) {
    this.claim = claim;
  }
}

/** A place in the queue of a lock, shared by all requests of one owner, in order of their arrival. */
export class Place<Subject, Context> extends WaitQueue<Wait<Subject, Context>> {
  /** The greatest limit among the requests, `Infinity` when one has none: the one that the place is granted by. */
  limit = 0;
  /** How many requests have that limit, so that the others are looked through only when the last of them leaves. */
  #greatestCount = 0;
  #exclusiveCount = 0;

  override push(wait: Wait<Subject, Context>): void {
    super.push(wait);
    if (wait.mode === 'exclusive') this.#exclusiveCount += 1;
    this.#regard(wait);
  }

  override remove(wait: Wait<Subject, Context>): void {
    super.remove(wait);
    if (wait.mode === 'exclusive') this.#exclusiveCount -= 1;
    if (wait.limit !== this.limit) return;
    this.#greatestCount -= 1;
    if (this.#greatestCount > 0) return;
    this.limit = 0;
    for (const other of this) this.#regard(other);
  }

  #regard(wait: Wait<Subject, Context>): void {
    if (wait.limit > this.limit) {
      this.limit = wait.limit;
      this.#greatestCount = 0;
    }
    if (wait.limit === this.limit) this.#greatestCount += 1;
  }

  get mode(): LockMode {
    if (this.#exclusiveCount > 0) return 'exclusive';
    return this.first?.mode ?? 'shared';
  }
}

/** One waiting request; as a deadline it is the end of its wait. */
export class Wait<Subject, Context> implements Linked<Wait<Subject, Context>>, Deadline {
  readonly claim: Claim<Subject, Context>;
  readonly id: RequestId | undefined;
  readonly mode: LockMode;
  /** `Infinity` for none. */
  readonly limit: number;
  readonly leaseMs: number | undefined;
  readonly isStealable: boolean;
  readonly context: Context;

  previous: Wait<Subject, Context> | undefined = undefined;
  next: Wait<Subject, Context> | undefined = undefined;
  deadlineMs = 0;
  heapIndex = -1;
  heapSequence = 0;

  constructor(claim: Claim<Subject, Context>, request: AcquireRequest<Context>) {
    this.claim = claim;
    this.id = request.id;
    this.mode = request.mode;
    this.limit = request.limit ?? Number.POSITIVE_INFINITY;
    this.leaseMs = request.leaseMs;
    this.isStealable = request.isStealable ?? false;
    this.context = request.context;
  }
}
