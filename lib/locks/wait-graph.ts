/**
 * What could become of those who wait, played through on a copy of the part of the lock table that an owner's waits
 * reach: who does not wait releases everything some day, queues let in by the real rules, and who has been granted all
 * that he waits for releases everything in turn. Granting early never hurts those behind, so one order stands for all.
 */

import type { Claim } from './claim.ts';
import type { Lock } from './lock.ts';
import type { Owner } from './lock-session.ts';
import { isUnlimited, type WaitGroup } from './wait-group.ts';

/** An owner that is taken to keep what it has until all its waits are granted. */
export class OwnerNode<Subject, Context> {
  readonly owner: Owner<Subject, Context>;
  /** What it waits for. */
  readonly units: WaitUnit<Subject, Context>[] = [];
  /** What it holds in the locks that were reached, and what was granted on the way. */
  readonly holds: ClaimNode<Subject, Context>[] = [];
  /** Claims that were not granted yet. */
  waitsLeft: number;

  constructor(owner: Owner<Subject, Context>, waitsLeft: number) {
    this.owner = owner;
    this.waitsLeft = waitsLeft;
  }
}

/** What is granted in one step: one claim, or those of a group. */
export class WaitUnit<Subject, Context> {
  readonly owner: OwnerNode<Subject, Context>;
  readonly claims: ClaimNode<Subject, Context>[] = [];
  readonly claimCount: number;
  state: 'waiting' | 'granted' = 'waiting';
  /** How many claims could be granted for their part. */
  readyCount = 0;
  /** How many are permits without limit, and how many of those could be granted as the heads of their queues. */
  unlimitedCount = 0;
  unlimitedReadyCount = 0;

  constructor(owner: OwnerNode<Subject, Context>, claimCount: number) {
    this.owner = owner;
    this.claimCount = claimCount;
  }

  /** Whether its permits without limit may pass, since the owner waits for nothing else. */
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
export interface ClaimNode<Subject, Context> {
  readonly claim: Claim<Subject, Context>;
  readonly lock: LockNode<Subject, Context>;
  readonly owner: OwnerNode<Subject, Context>;
  /** What it is granted with; none for what is held from the beginning. */
  readonly unit: WaitUnit<Subject, Context> | undefined;
  /** Its place in the queue; -1 for what is held from the beginning. */
  readonly index: number;
  /** `ready`: could be granted for its part, but others of its group could not. */
  state: 'waiting' | 'ready' | 'held' | 'released';
}

/** A lock as far as such owners have it; all others have left it. */
export class LockNode<Subject, Context> {
  readonly lock: Lock<Subject, Context>;
  /** The queue from its head on, as far as it matters. */
  readonly queue: ClaimNode<Subject, Context>[] = [];
  /** The last claim of the real queue that was looked at. */
  lastSeen: Claim<Subject, Context> | undefined = undefined;
  headIndex = 0;
  readonly holders: Set<ClaimNode<Subject, Context>> = new Set<ClaimNode<Subject, Context>>();
  exclusiveHolder: ClaimNode<Subject, Context> | undefined = undefined;
  isUnsettled = false;

  constructor(lock: Lock<Subject, Context>) {
    this.lock = lock;
  }

  hasRoomFor({ mode, waitLimit }: Claim<Subject, Context>): boolean {
    if (mode === 'permit') return this.holders.size < waitLimit;
    return this.holders.size === 0 || (mode === 'shared' && this.exclusiveHolder === undefined);
  }
}

/** The part of the lock table that one owner's waits reach. */
export class WaitGraph<Subject, Context> {
  readonly #owners = new Map<Owner<Subject, Context>, OwnerNode<Subject, Context>>();
  readonly #locks = new Map<Lock<Subject, Context>, LockNode<Subject, Context>>();
  readonly #waiting = new Map<Claim<Subject, Context>, ClaimNode<Subject, Context>>();
  readonly #groups = new Map<WaitGroup<Subject, Context>, WaitUnit<Subject, Context>>();
  /** Claims of the owner that are regarded as held already, whatever they are. */
  readonly #passing: readonly Claim<Subject, Context>[];
  readonly #unreached: Claim<Subject, Context>[] = [];
  readonly #unsettled: LockNode<Subject, Context>[] = [];
  /** The owner that the graph is made for. */
  readonly root: OwnerNode<Subject, Context>;

  constructor(owner: Owner<Subject, Context>, passing: readonly Claim<Subject, Context>[]) {
    this.#passing = passing;
    this.root = this.#nodeOf(owner) as OwnerNode<Subject, Context>;
    for (let claim = this.#unreached.pop(); claim !== undefined; claim = this.#unreached.pop()) this.#reach(claim);
  }

  /** Whether the owner is granted all that it waits for; afterwards the graph shows who is left waiting. */
  letEverybodyIn(): boolean {
    for (const lock of this.#locks.values()) this.#unsettle(lock);
    for (let lock = this.#unsettled.pop(); lock !== undefined; lock = this.#unsettled.pop()) {
      lock.isUnsettled = false;
      this.#letIn(lock);
      if (this.root.waitsLeft === 0) return true;
    }
    return false;
  }

  /** The unit that a waiting claim of the graph is granted with. */
  unitOf(claim: Claim<Subject, Context>): WaitUnit<Subject, Context> | undefined {
    return this.#waiting.get(claim)?.unit;
  }

  isPassing(claim: Claim<Subject, Context>): boolean {
    return this.#passing.includes(claim);
  }

  /** The node of an owner that keeps what it has; none for one that releases everything some day. */
  #nodeOf(owner: Owner<Subject, Context>): OwnerNode<Subject, Context> | undefined {
    const known = this.#owners.get(owner);
    if (known !== undefined || owner.tag === '') return known;
    if (owner.waitingCount === 0) return undefined;
    const isWaiting = (claim: Claim<Subject, Context>) => claim.state === 'waiting' && !this.isPassing(claim);
    const waiting: Claim<Subject, Context>[] = [];
    for (let claim = owner.firstClaim; claim !== undefined; claim = claim.ownerNext) {
      if (isWaiting(claim)) waiting.push(claim);
    }
    if (waiting.length === 0) return undefined;
    const node = new OwnerNode<Subject, Context>(owner, waiting.length);
    this.#owners.set(owner, node);
    for (const claim of waiting) this.#unreached.push(claim);
    return node;
  }

  /** Takes in a waiting claim with all that is ahead of it. */
  #reach(claim: Claim<Subject, Context>): void {
    if (this.#waiting.has(claim)) return;
    const node = this.#lockNodeOf(claim.lock);
    while (node.lastSeen !== claim) {
      const next = node.lastSeen === undefined ? claim.lock.queue.first : node.lastSeen.next;
      node.lastSeen = next as Claim<Subject, Context>;
      const owner = this.isPassing(node.lastSeen) ? undefined : this.#nodeOf(node.lastSeen.owner);
      if (owner !== undefined) this.#addWaiting(node.lastSeen, node, owner);
    }
  }

  #addWaiting(
    claim: Claim<Subject, Context>,
    lock: LockNode<Subject, Context>,
    owner: OwnerNode<Subject, Context>,
  ): void {
    const unit = this.#unitFor(claim, owner);
    const node: ClaimNode<Subject, Context> = { claim, lock, owner, unit, index: lock.queue.length, state: 'waiting' };
    unit.claims.push(node);
    if (claim.group !== undefined && isUnlimited(claim)) unit.unlimitedCount += 1;
    lock.queue.push(node);
    this.#waiting.set(claim, node);
  }

  #unitFor(claim: Claim<Subject, Context>, owner: OwnerNode<Subject, Context>): WaitUnit<Subject, Context> {
    const { group } = claim;
    const known = group === undefined ? undefined : this.#groups.get(group);
    if (known !== undefined) return known;
    const unit = new WaitUnit<Subject, Context>(owner, group === undefined ? 1 : group.waiting.length);
    if (group !== undefined) this.#groups.set(group, unit);
    owner.units.push(unit);
    return unit;
  }

  #lockNodeOf(lock: Lock<Subject, Context>): LockNode<Subject, Context> {
    const known = this.#locks.get(lock);
    if (known !== undefined) return known;
    const node = new LockNode<Subject, Context>(lock);
    this.#locks.set(lock, node);
    const passing = this.#passing.filter((claim) => claim.lock === lock);
    for (const claims of [lock.holders, passing]) {
      for (const claim of claims) {
        const owner = this.#nodeOf(claim.owner);
        if (owner === undefined) continue;
        this.#hold({ claim, lock: node, owner, unit: undefined, index: -1, state: 'held' });
      }
    }
    return node;
  }

  #letIn(lock: LockNode<Subject, Context>): void {
    for (let node = lock.queue[lock.headIndex]; node !== undefined; node = lock.queue[lock.headIndex]) {
      if (node.state === 'waiting' && lock.hasRoomFor(node.claim)) this.#makeReady(node);
      if (node.state === 'waiting' || node.state === 'ready') return;
      lock.headIndex += 1;
    }
  }

  #makeReady(node: ClaimNode<Subject, Context>): void {
    const unit = node.unit as WaitUnit<Subject, Context>;
    node.state = 'ready';
    unit.readyCount += 1;
    if (unit.unlimitedCount > 0 && isUnlimited(node.claim)) unit.unlimitedReadyCount += 1;
    if (!unit.isReady) return;
    this.#grant(unit);
    // One wait less may be what another group of the owner needs for its permits without limit to pass.
    for (const other of unit.owner.units) if (other.state === 'waiting' && other.isReady) this.#grant(other);
    if (unit.owner.waitsLeft === 0) this.#releaseAll(unit.owner);
  }

  #grant(unit: WaitUnit<Subject, Context>): void {
    unit.state = 'granted';
    unit.owner.waitsLeft -= unit.claimCount;
    for (const node of unit.claims) {
      node.state = 'held';
      this.#hold(node);
      this.#unsettle(node.lock);
    }
  }

  #hold(node: ClaimNode<Subject, Context>): void {
    node.owner.holds.push(node);
    node.lock.holders.add(node);
    if (node.claim.mode === 'exclusive') node.lock.exclusiveHolder = node;
  }

  #releaseAll(owner: OwnerNode<Subject, Context>): void {
    for (const node of owner.holds) {
      node.state = 'released';
      node.lock.holders.delete(node);
      if (node.lock.exclusiveHolder === node) node.lock.exclusiveHolder = undefined;
      this.#unsettle(node.lock);
    }
  }

  #unsettle(lock: LockNode<Subject, Context>): void {
    if (lock.isUnsettled) return;
    lock.isUnsettled = true;
    this.#unsettled.push(lock);
  }
}
