/** Finds the shortest cycle of waits from an owner back to itself, once it is known who can never be granted. */

import type { Deadlock, DeadlockStep } from '../protocol.ts';
import type { Steps } from './steps.ts';
import type { Claim } from './types.ts';
import { viewStep } from './views.ts';
import type { WaitGraph } from './wait-graph.ts';
import type { ClaimNode, LockNode, OwnerNode, WaitUnit } from './wait-nodes.ts';

/** A step of the search: a unit that waits, and the claim of the next unit's owner that keeps it waiting. */
interface Edge {
  readonly from: WaitUnit;
  readonly waiting: ClaimNode;
  readonly blocker: ClaimNode;
  /** The wait that the way to here begins with, and how many steps it has. */
  readonly first: ClaimNode;
  readonly length: number;
}

export interface Cycle {
  /** The wait that it begins with. */
  readonly claim: Claim;
  /** Undefined if they are more than asked for. */
  readonly steps: readonly DeadlockStep[] | undefined;
}

/** Searches from an owner's waits through units that can never be granted. */
export class CycleSearch {
  readonly #graph: WaitGraph;
  readonly #root: OwnerNode;
  /**
   * Whether waiting behind the owner in a queue closes the cycle, as waiting for one of its holds does. An earlier wait of the
   * owner counts, too: it may be for several locks, and its permits without limit cannot pass while the owner waits elsewhere.
   */
  readonly #endsBehindOwner: boolean;
  /** The owners found so far. */
  readonly owners: Set<OwnerNode> = new Set<OwnerNode>();
  readonly #cameBy = new Map<WaitUnit, Edge | undefined>();
  readonly #next: WaitUnit[] = [];
  #searchedCount = 0;
  /** How far each queue was searched, and the locks whose holders were. */
  readonly #queueSeen = new Map<LockNode, number>();
  readonly #holdersSeen = new Set<LockNode>();
  #last: Edge | undefined;

  constructor(graph: WaitGraph, root: OwnerNode, starts: readonly WaitUnit[], endsBehindOwner: boolean) {
    this.#graph = graph;
    this.#root = root;
    this.#endsBehindOwner = endsBehindOwner;
    for (const unit of starts) if (unit.state === 'waiting') this.#go(unit, undefined);
  }

  /** Goes on until a cycle is found or there is none (true), or the steps are used up. */
  findFirst(steps: Steps): boolean {
    while (this.#last === undefined && !this.#isOver && !steps.areUsedUp) this.#searchNext(steps);
    return this.#last !== undefined || this.#isOver;
  }

  /** Goes on until all who take part in the deadlock are found (true), or the steps are used up. */
  findAll(steps: Steps): boolean {
    while (!this.#isOver && !steps.areUsedUp) this.#searchNext(steps);
    return this.#isOver;
  }

  get hasCycle(): boolean {
    return this.#last !== undefined;
  }

  /** The shortest cycle, if there is one. A longer one than `maxSteps` is not described, which could take long. */
  describe(maxSteps: number): Cycle | undefined {
    if (this.#last === undefined) return undefined;
    const { claim } = this.#last.first;
    if (this.#last.length > maxSteps) return { claim, steps: undefined };
    const steps: DeadlockStep[] = [];
    for (let edge: Edge | undefined = this.#last; edge !== undefined; edge = this.#cameBy.get(edge.from)) {
      steps.push(viewStep(edge.waiting.claim, this.#isHeld(edge.blocker.claim) ? 'holder' : 'waiter'));
    }
    return { claim, steps: steps.reverse() };
  }

  get #isOver(): boolean {
    return this.#searchedCount === this.#next.length;
  }

  #searchNext(steps: Steps): void {
    const unit = this.#next[this.#searchedCount] as WaitUnit;
    this.#searchedCount += 1;
    for (const waiting of unit.claims) {
      steps.take();
      if (waiting.state !== 'waiting') continue;
      this.#searchHolders(unit, waiting, steps);
      this.#searchQueue(unit, waiting, steps);
    }
  }

  #searchHolders(unit: WaitUnit, waiting: ClaimNode, steps: Steps): void {
    const { lock, claim } = waiting;
    if (lock.hasRoomFor(claim) || this.#holdersSeen.has(lock)) return;
    this.#holdersSeen.add(lock);
    const { holders } = lock;
    steps.take(holders.length);
    for (const holder of holders) this.#goToOwner(holder.owner, this.#edge(unit, waiting, holder));
  }

  #edge(from: WaitUnit, waiting: ClaimNode, blocker: ClaimNode): Edge {
    const { first, length } = this.#cameBy.get(from) ?? { first: waiting, length: 0 };
    return { from, waiting, blocker, first, length: length + 1 };
  }

  #isHeld(claim: Claim): boolean {
    return claim.state === 'held' || this.#graph.isPassing(claim);
  }

  #searchQueue(unit: WaitUnit, waiting: ClaimNode, steps: Steps): void {
    const { lock } = waiting;
    const seen = this.#queueSeen.get(lock) ?? 0;
    if (seen >= waiting.index) return;
    this.#queueSeen.set(lock, waiting.index);
    steps.take(waiting.index - seen);
    for (let index = seen; index < waiting.index; index += 1) {
      const ahead = lock.queue[index] as ClaimNode;
      if (ahead.unit?.state !== 'waiting') continue;
      const edge = this.#edge(unit, waiting, ahead);
      if (this.#endsBehindOwner && ahead.unit.owner === this.#root) this.#last ??= edge;
      this.#go(ahead.unit, edge);
    }
  }

  #goToOwner(owner: OwnerNode, edge: Edge): void {
    if (owner === this.#root) this.#last ??= edge;
    for (const unit of owner.units) if (unit.state === 'waiting') this.#go(unit, edge);
  }

  #go(unit: WaitUnit, edge: Edge | undefined): void {
    if (this.#cameBy.has(unit)) return;
    this.#cameBy.set(unit, edge);
    this.owners.add(unit.owner);
    this.#next.push(unit);
  }
}

export function deadlockOf(cycle: readonly DeadlockStep[] | undefined): Deadlock {
  return cycle === undefined ? { status: 'deadlock' } : { status: 'deadlock', cycle };
}
