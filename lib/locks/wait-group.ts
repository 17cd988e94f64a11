/** One waiting request for several locks: it has a place in the queue of each and is granted all of them in one step. */

import type { Claim } from './claim.ts';
import type { Deadline } from './deadline-heap.ts';
import type { Owner } from './lock-session.ts';
import type { RequestId } from './types.ts';

/** What a group is made of. */
export interface WaitGroupOptions<Subject, Context> {
  readonly owner: Owner<Subject, Context>;
  /** One for each lock in the order in which they were asked for: those that wait and those that are held already. */
  readonly claims: readonly Claim<Subject, Context>[];
  readonly leaseMs: number | undefined;
  readonly id: RequestId | undefined;
  readonly context: Context;
}

/** A request that waits for several locks; as a deadline it is the end of its wait. */
export class WaitGroup<Subject, Context> implements Deadline {
  readonly owner: Owner<Subject, Context>;
  /** In the order in which the locks were asked for. */
  readonly claims: readonly Claim<Subject, Context>[];
  /** Those of the claims that wait. */
  readonly waiting: readonly Claim<Subject, Context>[];
  /** Those of the claims that were held before: when one of these ends, so does the group. */
  readonly held: readonly Claim<Subject, Context>[];
  readonly leaseMs: number | undefined;
  readonly id: RequestId | undefined;
  readonly context: Context;
  /** Where the last look at the waiting claims found one that could not be granted, so that the next begins there. */
  blockedAt = 0;

  deadlineMs = 0;
  heapIndex = -1;
  heapSequence = 0;

  constructor({ owner, claims, leaseMs, id, context }: WaitGroupOptions<Subject, Context>) {
    this.owner = owner;
    this.claims = claims;
    this.waiting = claims.filter((claim) => claim.state !== 'held');
    this.held = claims.filter((claim) => claim.state === 'held');
    this.leaseMs = leaseMs;
    this.id = id;
    this.context = context;
  }

  /**
   * Whether its permits without limit pass those who wait. Not while the owner waits elsewhere and has a tag: it would
   * keep such a permit until that wait ends, and those it passed might be who it waits for.
   */
  get mayPass(): boolean {
    return this.owner.tag === '' || this.owner.waitingCount === this.waiting.length;
  }

  /** Whether one of the claims that wait could be granted now, for its part. */
  couldGrant(claim: Claim<Subject, Context>): boolean {
    if (isUnlimited(claim)) return claim.lock.queue.first === claim || this.mayPass;
    return claim.lock.admitsWaiter(claim, claim.groupLimit);
  }
}

/** Whether a claim of a group is a permit without limit. */
export function isUnlimited<Subject, Context>(claim: Claim<Subject, Context>): boolean {
  return claim.mode === 'permit' && claim.groupLimit === Number.POSITIVE_INFINITY;
}
