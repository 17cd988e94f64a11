/**
 * Deadlocks: no owner with a tag is ever left waiting for what no order of releases by owners that do not wait could
 * grant. Without a tag an owner is taken to do other things while it waits. As long as that is so, only a request of an
 * owner that somebody waits for can be the first that is stuck, so that no other is looked into.
 */

import type { Deadlock, DeadlockStep } from '../protocol.ts';
import { isAwaited } from './lock.ts';
import { claimsOf } from './session.ts';
import type { Claim, Owner } from './types.ts';
import { viewStep } from './views.ts';
import { type ClaimNode, type LockNode, type OwnerNode, WaitGraph, type WaitUnit } from './wait-graph.ts';

/** What is looked into: claims of an owner that wait now, or claims that would be granted ahead of those who wait. */
export type DeadlockQuestion = { readonly waiting: readonly Claim[] } | { readonly passing: readonly Claim[] };

/**
 * Whether an owner that waits could be in a deadlock: it has a tag, and behind one of its holds or places somebody
 * waits.
 */
export function isWaitedFor(owner: Owner): boolean {
  if (owner.tag === '') return false;
  for (const { state, lock, next } of claimsOf(owner)) {
    if (state === 'held' ? isAwaited(lock) : next !== undefined) return true;
  }
  return false;
}

/** Whether a claim that can be granted now would pass others while its owner, who has a tag, waits elsewhere. */
export function passesWhileWaiting({ lock, owner, state, previous }: Claim): boolean {
  if (state === 'held' || owner.tag === '' || !isAwaited(lock)) return false;
  if (state === 'new') return owner.waitingCount > 0;
  return owner.waitingCount > 1 && previous !== undefined;
}

/** The cycle in which an owner would be stuck, if there is one. Costs what it searches: those the owner waits for. */
export function findDeadlock(owner: Owner, question: DeadlockQuestion): Deadlock | undefined {
  const graph = new WaitGraph(owner, 'passing' in question ? question.passing : []);
  if (graph.letEverybodyIn()) return undefined;
  const cycle = new CycleSearch(graph, question).run();
  return cycle === undefined ? undefined : { status: 'deadlock', cycle };
}

/** How a unit is kept waiting by what the search goes to next. */
interface Edge {
  readonly from: WaitUnit;
  readonly waiting: ClaimNode;
  readonly blockedBy: DeadlockStep['blockedBy'];
}

/** Looks for the shortest way from what an owner waits for back to the owner, among those who are left waiting. */
class CycleSearch {
  readonly #graph: WaitGraph;
  /** Where the search begins. */
  readonly #starts: readonly WaitUnit[];
  /**
   * Whether one who waits behind the owner closes the cycle, as one does who waits for what it holds. Behind an earlier wait
   * of the owner, too: that may be a request for several locks whose permits without limit do not pass any more, now that
   * the owner waits elsewhere.
   */
  readonly #endsBehindOwner: boolean;
  readonly #cameBy = new Map<WaitUnit, Edge | undefined>();
  readonly #next: WaitUnit[] = [];
  /** How much of each queue, and which locks' holders, were gone to before. */
  readonly #queueSeen = new Map<LockNode, number>();
  readonly #holdersSeen = new Set<LockNode>();
  #last: Edge | undefined;

  constructor(graph: WaitGraph, question: DeadlockQuestion) {
    this.#graph = graph;
    this.#endsBehindOwner = 'waiting' in question;
    const units =
      'waiting' in question ? question.waiting.flatMap((claim) => graph.unitOf(claim) ?? []) : graph.root.units;
    this.#starts = units.filter((unit) => unit.state === 'waiting');
  }

  /** The steps of the cycle, the owner's first. None when the owner is not part of what keeps it waiting. */
  run(): readonly DeadlockStep[] | undefined {
    for (const unit of this.#starts) this.#go(unit, undefined);
    for (let index = 0; index < this.#next.length && this.#last === undefined; index += 1) {
      this.#search(this.#next[index] as WaitUnit);
    }
    if (this.#last === undefined) return undefined;
    const steps: DeadlockStep[] = [];
    for (let edge: Edge | undefined = this.#last; edge !== undefined; ) {
      steps.push(viewStep(edge.waiting.claim, edge.blockedBy));
      edge = this.#cameBy.get(edge.from);
    }
    return steps.reverse();
  }

  #search(unit: WaitUnit): void {
    for (const waiting of unit.claims) {
      if (waiting.state !== 'waiting') continue;
      this.#searchHolders(unit, waiting);
      this.#searchQueue(unit, waiting);
    }
  }

  #searchHolders(unit: WaitUnit, waiting: ClaimNode): void {
    const { lock, claim } = waiting;
    if (lock.hasRoomFor(claim) || this.#holdersSeen.has(lock)) return;
    // Holders of a lock that is held shared keep no shared request from it, but then there is room.
    this.#holdersSeen.add(lock);
    for (const holder of lock.holders) {
      const isHolder = holder.claim.state === 'held' || this.#graph.isPassing(holder.claim);
      this.#goToOwner(holder.owner, { from: unit, waiting, blockedBy: isHolder ? 'holder' : 'waiter' });
    }
  }

  #searchQueue(unit: WaitUnit, waiting: ClaimNode): void {
    const { lock } = waiting;
    const seen = this.#queueSeen.get(lock) ?? 0;
    if (seen >= waiting.index) return;
    this.#queueSeen.set(lock, waiting.index);
    for (let index = seen; index < waiting.index; index += 1) {
      const ahead = lock.queue[index] as ClaimNode;
      if (ahead.unit?.state !== 'waiting') continue;
      const edge: Edge = { from: unit, waiting, blockedBy: 'waiter' };
      if (this.#endsBehindOwner && ahead.unit.owner === this.#graph.root) this.#last ??= edge;
      this.#go(ahead.unit, edge);
    }
  }

  #goToOwner(owner: OwnerNode, edge: Edge): void {
    if (owner === this.#graph.root) this.#last ??= edge;
    for (const unit of owner.units) if (unit.state === 'waiting') this.#go(unit, edge);
  }

  #go(unit: WaitUnit, edge: Edge | undefined): void {
    if (this.#cameBy.has(unit)) return;
    this.#cameBy.set(unit, edge);
    this.#next.push(unit);
  }
}
