/**
 * Plays through what will happen, on a copy of the lock table. Owners that do not wait release everything, queues let waiters
 * in by the real rules, and an owner that has been granted all its waits releases everything in turn. Granting early never
 * hurts the waiters behind, so one order stands for all.
 */

import { isUnlimited } from './group.ts';
import type { Steps } from './steps.ts';
import type { WaitGraph } from './wait-graph.ts';
import {
  type ClaimNode,
  isHeldAsCopied,
  isHeldStill,
  type LockNode,
  type OwnerNode,
  type WaitUnit,
} from './wait-nodes.ts';

export class WaitPlay {
  /** Locks that were not looked at yet. */
  readonly #locks: Iterator<LockNode>;
  readonly #unsettled: LockNode[] = [];

  constructor(graph: WaitGraph) {
    this.#locks = graph.locks[Symbol.iterator]();
    for (const owner of graph.outdated) this.catchUp(owner);
  }

  /** Goes on until nobody else can be let in (true) or the steps are used up. */
  run(steps: Steps): boolean {
    for (let lock = this.#nextLock(); lock !== undefined; lock = this.#nextLock()) {
      this.#settle(lock);
      steps.take();
      if (steps.areUsedUp) return false;
    }
    return true;
  }

  /** Does in the copy whatever happened to the claims of an owner in the table. */
  catchUp(owner: OwnerNode): void {
    const hasEnded = owner.owner.session.state === 'ended';
    for (const unit of owner.units) {
      if (unit.state === 'waiting') this.#updateUnit(unit, hasEnded);
    }
    for (const node of owner.holds) if (node.state === 'held') this.#updateHold(node);
  }

  #nextLock(): LockNode | undefined {
    return this.#unsettled.pop() ?? this.#locks.next().value;
  }

  #settle(lock: LockNode): void {
    lock.isUnsettled = false;
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
    this.#waitLess(unit.owner);
  }

  #grant(unit: WaitUnit): void {
    for (const node of unit.claims) node.lock.hold(node);
    this.#end(unit);
  }

  #end(unit: WaitUnit): void {
    unit.state = 'over';
    unit.owner.waitsLeft -= unit.claims.length;
    for (const { lock } of unit.claims) this.#unsettle(lock);
  }

  /** With one wait less, permits without limit in another group of the owner may pass, and without any it leaves. */
  #waitLess(owner: OwnerNode): void {
    for (const other of owner.units) if (other.state === 'waiting' && other.isReady) this.#grant(other);
    if (owner.waitsLeft > 0) return;
    for (const node of owner.holds) if (node.state === 'held') this.#release(node);
  }

  #release(node: ClaimNode): void {
    node.lock.release(node);
    this.#unsettle(node.lock);
  }

  #updateUnit(unit: WaitUnit, hasEnded: boolean): void {
    if (!hasEnded && unit.claims.every(({ claim }) => claim.state === 'waiting')) {
      // A mode or a limit may have changed.
      for (const { lock } of unit.claims) this.#unsettle(lock);
      return;
    }
    for (const node of unit.claims) {
      if (!hasEnded && node.claim.state === 'held' && isHeldStill(node)) node.lock.hold(node);
      else node.state = 'released';
    }
    this.#end(unit);
    this.#waitLess(unit.owner);
  }

  #updateHold(node: ClaimNode): void {
    if (isHeldAsCopied(node)) return;
    if (!isHeldStill(node)) {
      this.#release(node);
      return;
    }
    node.lock.exclusiveHolder = undefined;
    this.#unsettle(node.lock);
  }

  #unsettle(lock: LockNode): void {
    if (lock.isUnsettled) return;
    lock.isUnsettled = true;
    this.#unsettled.push(lock);
  }
}
