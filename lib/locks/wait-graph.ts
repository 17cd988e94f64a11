/**
 * Plays through what will happen, on a copy of the part of the lock table that an owner's waits reach. Owners that do not wait
 * release everything, queues let waiters in by the real rules, and an owner that has been granted all its waits releases
 * everything in turn. Granting early never hurts the waiters behind, so one order stands for all.
 */

import { isUnlimited } from './group.ts';
import { holdersOf } from './lock.ts';
import { waitLimitOf } from './place.ts';
import { claimsOf } from './session.ts';
import type { Claim, Group, Lock, Owner } from './types.ts';

/** An owner with a tag that waits: it keeps its holds until all its waits are granted. */
export class OwnerNode {
  readonly owner: Owner;
  /** What it waits for. */
  readonly units: WaitUnit[] = [];
  /** Its holds in the locks of the graph, and its claims granted so far. */
  readonly holds: ClaimNode[] = [];
  /** Its claims not granted yet. */
  waitsLeft: number;

  constructor(owner: Owner, waitsLeft: number) {
    this.owner = owner;
    this.waitsLeft = waitsLeft;
  }
}

/** Claims that are granted in one step: one, or those of a group. */
export class WaitUnit {
  readonly owner: OwnerNode;
  readonly claims: ClaimNode[] = [];
  readonly claimCount: number;
  state: 'waiting' | 'granted' = 'waiting';
  /** How many of the claims could be granted by themselves. */
  readyCount = 0;
  /** How many are permits without limit, and how many of these are at the head of their queue. */
  unlimitedCount = 0;
  unlimitedReadyCount = 0;

  constructor(owner: OwnerNode, claimCount: number) {
    this.owner = owner;
    this.claimCount = claimCount;
  }

  /** Whether its permits without limit may pass waiters: the owner waits for nothing else. */
  get mayPass(): boolean {
    return this.owner.waitsLeft === this.claimCount;
  }

  get isReady(): boolean {
    if (this.readyCount === this.claimCount) return true;
    const limitedReadyCount = this.readyCount - this.unlimitedReadyCount;
    return this.mayPass && limitedReadyCount === this.claimCount - this.unlimitedCount;
  }
}

/** A claim of such an owner. */
export interface ClaimNode {
  readonly claim: Claim;
  readonly lock: LockNode;
  readonly owner: OwnerNode;
  /** The unit it is granted with; none if it was held from the start. */
  readonly unit: WaitUnit | undefined;
  /** Its place in the queue; -1 if it was held from the start. */
  readonly index: number;
  /** `ready`: could be granted by itself, but other claims of its group could not. */
  state: 'waiting' | 'ready' | 'held' | 'released';
}

/** A lock with the claims of these owners only; all others have left. */
export class LockNode {
  readonly lock: Lock;
  /** The queue, up to the last claim that the graph reaches. */
  readonly queue: ClaimNode[] = [];
  /** The last claim of the real queue that was copied. */
  lastSeen: Claim | undefined = undefined;
  headIndex = 0;
  readonly holders: Set<ClaimNode> = new Set<ClaimNode>();
  exclusiveHolder: ClaimNode | undefined = undefined;
  isUnsettled = false;

  constructor(lock: Lock) {
    this.lock = lock;
  }

  hasRoomFor(claim: Claim): boolean {
    if (claim.mode === 'permit') return this.holders.size < waitLimitOf(claim);
    return this.holders.size === 0 || (claim.mode === 'shared' && this.exclusiveHolder === undefined);
  }
}

/** The part of the lock table that one owner's waits reach. */
export class WaitGraph {
  readonly #owners = new Map<Owner, OwnerNode>();
  readonly #locks = new Map<Lock, LockNode>();
  readonly #waiting = new Map<Claim, ClaimNode>();
  readonly #groups = new Map<Group, WaitUnit>();
  /** Claims of the owner that count as held. */
  readonly #passing: readonly Claim[];
  readonly #unreached: Claim[] = [];
  readonly #unsettled: LockNode[] = [];
  /** The owner that the graph is made for. */
  readonly root: OwnerNode;

  constructor(owner: Owner, passing: readonly Claim[]) {
    this.#passing = passing;
    this.root = this.#nodeOf(owner) as OwnerNode;
    for (let claim = this.#unreached.pop(); claim !== undefined; claim = this.#unreached.pop()) this.#reach(claim);
  }

  /** Whether the owner is granted all its waits; afterwards the graph shows the units left waiting. */
  letEverybodyIn(): boolean {
    for (const lock of this.#locks.values()) this.#unsettle(lock);
    for (let lock = this.#unsettled.pop(); lock !== undefined; lock = this.#unsettled.pop()) {
      lock.isUnsettled = false;
      this.#letIn(lock);
      if (this.root.waitsLeft === 0) return true;
    }
    return false;
  }

  /** The unit of a waiting claim. */
  unitOf(claim: Claim): WaitUnit | undefined {
    return this.#waiting.get(claim)?.unit;
  }

  isPassing(claim: Claim): boolean {
    return this.#passing.includes(claim);
  }

  /** The node of an owner with a tag that waits; undefined for any other, which will release everything. */
  #nodeOf(owner: Owner): OwnerNode | undefined {
    const known = this.#owners.get(owner);
    if (known !== undefined || owner.tag === '') return known;
    if (owner.waitingCount === 0) return undefined;
    const isWaiting = (claim: Claim) => claim.state === 'waiting' && !this.isPassing(claim);
    const waiting = [...claimsOf(owner)].filter(isWaiting);
    if (waiting.length === 0) return undefined;
    const node = new OwnerNode(owner, waiting.length);
    this.#owners.set(owner, node);
    for (const claim of waiting) this.#unreached.push(claim);
    return node;
  }

  /** Copies a waiting claim and all claims ahead of it. */
  #reach(claim: Claim): void {
    if (this.#waiting.has(claim)) return;
    const node = this.#lockNodeOf(claim.lock);
    while (node.lastSeen !== claim) {
      const next = node.lastSeen === undefined ? claim.lock.queue?.first : node.lastSeen.next;
      node.lastSeen = next as Claim;
      const owner = this.isPassing(node.lastSeen) ? undefined : this.#nodeOf(node.lastSeen.owner);
      if (owner !== undefined) this.#addWaiting(node.lastSeen, node, owner);
    }
  }

  #addWaiting(claim: Claim, lock: LockNode, owner: OwnerNode): void {
    const unit = this.#unitFor(claim, owner);
    const node: ClaimNode = { claim, lock, owner, unit, index: lock.queue.length, state: 'waiting' };
    unit.claims.push(node);
    if (claim.group !== undefined && isUnlimited(claim)) unit.unlimitedCount += 1;
    lock.queue.push(node);
    this.#waiting.set(claim, node);
  }

  #unitFor(claim: Claim, owner: OwnerNode): WaitUnit {
    const { group } = claim;
    const known = group === undefined ? undefined : this.#groups.get(group);
    if (known !== undefined) return known;
    const unit = new WaitUnit(owner, group === undefined ? 1 : group.waiting.length);
    if (group !== undefined) this.#groups.set(group, unit);
    owner.units.push(unit);
    return unit;
  }

  #lockNodeOf(lock: Lock): LockNode {
    const known = this.#locks.get(lock);
    if (known !== undefined) return known;
    const node = new LockNode(lock);
    this.#locks.set(lock, node);
    const passing = this.#passing.filter((claim) => claim.lock === lock);
    for (const claims of [holdersOf(lock), passing]) {
      for (const claim of claims) {
        const owner = this.#nodeOf(claim.owner);
        if (owner === undefined) continue;
        this.#hold({ claim, lock: node, owner, unit: undefined, index: -1, state: 'held' });
      }
    }
    return node;
  }

  #letIn(lock: LockNode): void {
    for (let node = lock.queue[lock.headIndex]; node !== undefined; node = lock.queue[lock.headIndex]) {
      if (node.state === 'waiting' && lock.hasRoomFor(node.claim)) this.#makeReady(node);
      if (node.state === 'waiting' || node.state === 'ready') return;
      lock.headIndex += 1;
    }
  }

  #makeReady(node: ClaimNode): void {
    const unit = node.unit as WaitUnit;
    node.state = 'ready';
    unit.readyCount += 1;
    if (unit.unlimitedCount > 0 && isUnlimited(node.claim)) unit.unlimitedReadyCount += 1;
    if (!unit.isReady) return;
    this.#grant(unit);
    // With one wait less, permits without limit in another group of the owner may pass now.
    for (const other of unit.owner.units) if (other.state === 'waiting' && other.isReady) this.#grant(other);
    if (unit.owner.waitsLeft === 0) this.#releaseAll(unit.owner);
  }

  #grant(unit: WaitUnit): void {
    unit.state = 'granted';
    unit.owner.waitsLeft -= unit.claimCount;
    for (const node of unit.claims) {
      node.state = 'held';
      this.#hold(node);
      this.#unsettle(node.lock);
    }
  }

  #hold(node: ClaimNode): void {
    node.owner.holds.push(node);
    node.lock.holders.add(node);
    if (node.claim.mode === 'exclusive') node.lock.exclusiveHolder = node;
  }

  #releaseAll(owner: OwnerNode): void {
    for (const node of owner.holds) {
      node.state = 'released';
      node.lock.holders.delete(node);
      if (node.lock.exclusiveHolder === node) node.lock.exclusiveHolder = undefined;
      this.#unsettle(node.lock);
    }
  }

  #unsettle(lock: LockNode): void {
    if (lock.isUnsettled) return;
    lock.isUnsettled = true;
    this.#unsettled.push(lock);
  }
}
