/** What one owner has in one lock: a hold or a place in the queue, and the requests that wait in that place. */

import type { Deadline } from './deadline-heap.ts';
import type { Lock } from './lock.ts';
import type { Owner } from './lock-session.ts';
import type { AcquireRequest, LockMode, RequestId } from './types.ts';
import type { WaitGroup } from './wait-group.ts';
import { type Linked, WaitQueue } from './wait-queue.ts';

/**
 * An owner has at most one claim on a lock. It may wait, is held, and is gone; as a deadline it is the end of its lease.
 */
export class Claim<Subject, Context> implements Linked<Claim<Subject, Context>>, Deadline {
  readonly lock: Lock<Subject, Context>;
  readonly owner: Owner<Subject, Context>;
  state: 'new' | 'waiting' | 'held' | 'gone' = 'new';
  /** While it waits, the strongest mode among its requests. */
  mode: LockMode;
  /** When it was granted; while it waits, when it came. */
  sinceMs: number;
  token = 0;
  /** The request that the grant answered. */
  requestId: RequestId | undefined = undefined;
  isStealable = false;
  /** The requests that wait in this claim's place. While it waits it has either this or a group. */
  place: Place<Subject, Context> | undefined = undefined;
  /** The request for several locks that this claim waits for a part of. */
  group: WaitGroup<Subject, Context> | undefined = undefined;
  /** The limit that the group asks for here; `Infinity` for none. */
  groupLimit = 0;
  /** Waiting requests for several locks that name this hold among them. */
  reliers: Set<WaitGroup<Subject, Context>> | undefined = undefined;

  previous: Claim<Subject, Context> | undefined = undefined;
  next: Claim<Subject, Context> | undefined = undefined;
  ownerPrevious: Claim<Subject, Context> | undefined = undefined;
  ownerNext: Claim<Subject, Context> | undefined = undefined;
  deadlineMs = 0;
  heapIndex = -1;
  heapSequence = 0;

  constructor(lock: Lock<Subject, Context>, owner: Owner<Subject, Context>, mode: LockMode, sinceMs: number) {
    this.lock = lock;
    this.owner = owner;
    this.mode = mode;
    this.sinceMs = sinceMs;
  }

  /** The limit that it waits with. */
  get waitLimit(): number {
    return this.place === undefined ? this.groupLimit : this.place.limit;
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
