/**
 * Copies the part of the lock table that some owners' waits reach: owners with a tag that wait, and their claims in the locks
 * that these wait for. The copying may be interrupted, and the table may change meanwhile. A deadlock from before the start gets
 * into the copy all the same: its members stay in their queues until they are let in, and keep what they hold.
 */

import { isEntangled } from './entanglement.ts';
import type { Steps } from './steps.ts';
import type { Claim, Group, Lock, Owner } from './types.ts';
import { type ClaimNode, LockNode, OwnerNode, WaitUnit } from './wait-nodes.ts';

/** Where the copying may be cut short. */
export interface WaitGraphOptions {
  /** Claims that count as held. */
  readonly passing?: readonly Claim[];
  /** The owners with several claims that may matter; others count as free to leave. */
  readonly candidates?: ReadonlySet<Owner> | undefined;
  /** Waits that began after this time are left out. */
  readonly untilMs?: number;
}

export class WaitGraph {
  readonly #passing: readonly Claim[];
  readonly #candidates: ReadonlySet<Owner> | undefined;
  readonly #untilMs: number;
  readonly #owners = new Map<Owner, OwnerNode>();
  readonly #locks = new Map<Lock, LockNode>();
  readonly #nodes = new Map<Claim, ClaimNode>();
  readonly #groups = new Map<Group, WaitUnit>();
  readonly #unreached: ClaimNode[] = [];
  /** Owners with a claim that was waiting when it was copied, and has been granted or removed since. */
  readonly outdated: Set<OwnerNode> = new Set<OwnerNode>();

  constructor({ passing = [], candidates, untilMs = Number.POSITIVE_INFINITY }: WaitGraphOptions = {}) {
    this.#passing = passing;
    this.#candidates = candidates;
    this.#untilMs = untilMs;
  }

  /** The node of an owner with a tag that waits; undefined for any other, and when its session has ended: it will release everything. */
  add(owner: Owner, steps: Steps): OwnerNode | undefined {
    const known = this.#owners.get(owner);
    if (known !== undefined || owner.tag === '' || owner.waitingCount === 0) return known;
    if (owner.session.state === 'ended') return undefined;
    if (isEntangled(owner) && this.#candidates?.has(owner) === false) return undefined;
    const node = new OwnerNode(owner);
    steps.take(owner.claimCount);
    for (let claim = owner.firstClaim; claim !== undefined; claim = claim.ownerNext) {
      if (this.#counts(claim)) this.#addWaiting(claim, node);
    }
    if (node.waitsLeft === 0) return undefined;
    this.#owners.set(owner, node);
    return node;
  }

  /** Goes on copying until all is there (true) or the steps are used up. */
  copy(steps: Steps): boolean {
    while (!steps.areUsedUp) {
      const node = this.#unreached.pop();
      if (node === undefined) return true;
      if (node.index === -1 && !this.#reach(node, steps)) this.#unreached.push(node);
    }
    return this.#unreached.length === 0;
  }

  /** Another lock has taken the place of one, with its queue and without its holders. */
  lockReplaced(lock: Lock, successor: Lock): void {
    const node = this.#locks.get(lock);
    if (node === undefined) return;
    node.lock = successor;
    this.#locks.set(successor, node);
  }

  get locks(): Iterable<LockNode> {
    return this.#locks.values();
  }

  nodeOf(claim: Claim): ClaimNode | undefined {
    return this.#nodes.get(claim);
  }

  isPassing(claim: Claim): boolean {
    return this.#passing.includes(claim);
  }

  /** Whether this claim is among those that its owner waits for. */
  #counts(claim: Claim): boolean {
    return claim.state === 'waiting' && claim.sinceMs <= this.#untilMs && !this.isPassing(claim);
  }

  #addWaiting(claim: Claim, owner: OwnerNode): void {
    const node = this.#unitFor(claim, owner).add(claim, this.#lockNodeOf(claim.lock));
    this.#nodes.set(claim, node);
    this.#unreached.push(node);
  }

  #unitFor({ group }: Claim, owner: OwnerNode): WaitUnit {
    const known = group === undefined ? undefined : this.#groups.get(group);
    if (known !== undefined) return known;
    const unit = new WaitUnit(owner);
    if (group !== undefined) this.#groups.set(group, unit);
    owner.units.push(unit);
    return unit;
  }

  #lockNodeOf(lock: Lock): LockNode {
    const known = this.#locks.get(lock);
    if (known !== undefined) return known;
    const node = new LockNode(lock);
    this.#locks.set(lock, node);
    return node;
  }

  /**
   * Goes on copying everything that is ahead of a waiting claim until all is there (true) or the steps are used up. It begins
   * with the new holders each time: one that was ahead in the queue may have been let in meanwhile.
   */
  #reach({ claim, lock, owner }: ClaimNode, steps: Steps): boolean {
    if (claim.state === 'waiting') return this.#copyHolders(lock, steps) && this.#copyQueue(lock, claim, steps);
    this.outdated.add(owner);
    return true;
  }

  #copyHolders(node: LockNode, steps: Steps): boolean {
    const { lock, lastHolder } = node;
    if (lastHolder === undefined) {
      for (const claim of this.#passing) if (claim.lock === lock) this.#copyHolder(claim, node, steps);
    }
    const isHeldStill = lastHolder?.state === 'held' && lastHolder.lock === lock;
    let claim = isHeldStill ? lastHolder.next : lock.firstHolder;
    for (; claim !== undefined; claim = claim.next) {
      if (steps.areUsedUp) return false;
      node.lastHolder = claim;
      this.#copyHolder(claim, node, steps);
    }
    return true;
  }

  #copyHolder(claim: Claim, lock: LockNode, steps: Steps): void {
    const owner = this.add(claim.owner, steps);
    if (owner === undefined || this.#nodes.has(claim)) return;
    steps.take();
    const node: ClaimNode = { claim, lock, owner, unit: undefined, index: -1, state: 'held' };
    this.#nodes.set(claim, node);
    lock.hold(node);
  }

  #copyQueue(node: LockNode, last: Claim, steps: Steps): boolean {
    const { lock, lastInQueue } = node;
    let claim = lastInQueue?.state === 'waiting' ? lastInQueue.next : lock.queue?.first;
    for (; claim !== undefined && node.lastInQueue !== last; claim = claim.next) {
      if (steps.areUsedUp) return false;
      node.lastInQueue = claim;
      this.#copyWaiting(claim, node, steps);
    }
    return true;
  }

  #copyWaiting(claim: Claim, lock: LockNode, steps: Steps): void {
    this.add(claim.owner, steps);
    const node = this.#nodes.get(claim);
    if (node === undefined || node.index !== -1) return;
    steps.take();
    lock.enqueue(node);
  }
}
