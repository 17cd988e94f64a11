/** The copies that the search for deadlocks plays with: owners that wait, their claims, and the locks of these. */

import { isUnlimited } from './group.ts';
import { waitLimitOf } from './place.ts';
import type { Claim, Lock, Owner } from './types.ts';

/** An owner with a tag that waits: it keeps its holds until all its waits are granted. */
export class OwnerNode {
  readonly owner: Owner;
  /** What it waits for. */
  readonly units: WaitUnit[] = [];
  /** Its holds in the locks of the graph, and its claims granted so far. */
  readonly holds: ClaimNode[] = [];
  /** Its claims not granted yet. */
  waitsLeft = 0;

  constructor(owner: Owner) {
    this.owner = owner;
  }

  /** Whether the table still says the same of its waits and holds as the copy. */
  get isUpToDate(): boolean {
    if (this.owner.session.state === 'ended') return false;
    for (const node of this.holds) if (node.state === 'held' && !isHeldAsCopied(node)) return false;
    for (const { state, claims } of this.units) {
      if (state === 'waiting') for (const node of claims) if (!isStillBlocked(node)) return false;
    }
    return true;
  }
}

/** Whether a claim that is held in the copy was not released or taken away since. Until it is copied as held it may wait. */
export function isHeldStill({ claim, lock }: ClaimNode): boolean {
  return claim.state !== 'gone' && claim.lock === lock.lock;
}

/** The same, and in the mode of the copy: one that is let in only in the copy may ask for less since. */
export function isHeldAsCopied(node: ClaimNode): boolean {
  return isHeldStill(node) && (node.claim.mode === 'exclusive' || node.lock.exclusiveHolder !== node);
}

/** Whether a claim that waits in the copy does so in the table; its mode or limit may have changed. */
function isStillBlocked(node: ClaimNode): boolean {
  const { claim, lock, state } = node;
  if (claim.state !== 'waiting') return false;
  return state === 'ready' || lock.queue[lock.headIndex] !== node || !lock.hasRoomFor(claim);
}

/** Claims that are granted in one step: one, or those of a group. */
export class WaitUnit {
  readonly owner: OwnerNode;
  readonly claims: ClaimNode[] = [];
  /** `over`: granted, or given up. */
  state: 'waiting' | 'over' = 'waiting';
  /** How many of the claims could be granted by themselves. */
  readyCount = 0;
  /** How many are permits without limit, and how many of these are at the head of their queue. */
  unlimitedCount = 0;
  unlimitedReadyCount = 0;

  constructor(owner: OwnerNode) {
    this.owner = owner;
  }

  add(claim: Claim, lock: LockNode): ClaimNode {
    const node: ClaimNode = { claim, lock, owner: this.owner, unit: this, index: -1, state: 'waiting' };
    this.claims.push(node);
    this.owner.waitsLeft += 1;
    if (claim.group !== undefined && isUnlimited(claim)) this.unlimitedCount += 1;
    return node;
  }

  get isReady(): boolean {
    const { length } = this.claims;
    if (this.readyCount === length) return true;
    // Permits without limit may pass waiters if the owner waits for nothing else.
    const limitedReadyCount = this.readyCount - this.unlimitedReadyCount;
    return this.owner.waitsLeft === length && limitedReadyCount === length - this.unlimitedCount;
  }
}

/** A claim of such an owner. */
export interface ClaimNode {
  readonly claim: Claim;
  readonly lock: LockNode;
  readonly owner: OwnerNode;
  /** The unit it is granted with; none if it was held from the start. */
  readonly unit: WaitUnit | undefined;
  /** Its place in the queue; -1 if it is in none. */
  index: number;
  /** `ready`: could be granted by itself, but other claims of its group could not. */
  state: 'waiting' | 'ready' | 'held' | 'released';
}

/** A lock with the claims of these owners only; all others have left. */
export class LockNode {
  lock: Lock;
  /** The queue, up to the last claim that the graph reaches. */
  readonly queue: ClaimNode[] = [];
  /** The last claim of the real queue and the last real holder that were looked at. */
  lastInQueue: Claim | undefined = undefined;
  lastHolder: Claim | undefined = undefined;
  headIndex = 0;
  /** Whoever holds it, and those that did. */
  readonly #holders: ClaimNode[] = [];
  #holderCount = 0;
  exclusiveHolder: ClaimNode | undefined = undefined;
  isUnsettled = false;

  constructor(lock: Lock) {
    this.lock = lock;
  }

  get holders(): readonly ClaimNode[] {
    return this.#holders.filter(({ state }) => state === 'held');
  }

  hasRoomFor(claim: Claim): boolean {
    if (claim.mode === 'permit') return this.#holderCount < waitLimitOf(claim);
    return this.#holderCount === 0 || (claim.mode === 'shared' && this.exclusiveHolder === undefined);
  }

  enqueue(node: ClaimNode): void {
    node.index = this.queue.length;
    this.queue.push(node);
  }

  hold(node: ClaimNode): void {
    node.state = 'held';
    node.owner.holds.push(node);
    this.#holders.push(node);
    this.#holderCount += 1;
    if (node.claim.mode === 'exclusive') this.exclusiveHolder = node;
  }

  release(node: ClaimNode): void {
    node.state = 'released';
    this.#holderCount -= 1;
    if (this.exclusiveHolder === node) this.exclusiveHolder = undefined;
  }
}
