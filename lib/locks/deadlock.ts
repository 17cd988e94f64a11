/**
 * Finds deadlocks. An owner with a tag is in one when no order of releases by owners that do not wait could grant what it waits
 * for. An owner without a tag may do other things while it waits, so it is never in one. Only a request by an owner that
 * others wait for can close a deadlock, so no other request is searched.
 */

import type { Deadlock, DeadlockStep } from '../protocol.ts';
import { isAwaited } from './lock.ts';
import { claimsOf } from './session.ts';
import type { Claim, Owner } from './types.ts';
import { viewStep } from './views.ts';
import { type ClaimNode, type LockNode, type OwnerNode, WaitGraph, type WaitUnit } from './wait-graph.ts';

/** The claims in question: they wait now, or they would be granted ahead of waiters. */
export type DeadlockQuestion = { readonly waiting: readonly Claim[] } | { readonly passing: readonly Claim[] };

/** Whether a waiting owner could be in a deadlock: it has a tag, and somebody waits behind one of its claims. */
export function isWaitedFor(owner: Owner): boolean {
  if (owner.tag === '') return false;
  for (const { state, lock, next } of claimsOf(owner)) {
    if (state === 'held' ? isAwaited(lock) : next !== undefined) return true;
  }
  return false;
}

/** Whether granting this claim would pass waiters while its owner, which has a tag, waits elsewhere. */
export function passesWhileWaiting({ lock, owner, state, previous }: Claim): boolean {
  if (state === 'held' || owner.tag === '' || !isAwaited(lock)) return false;
  if (state === 'new') return owner.waitingCount > 0;
  return owner.waitingCount > 1 && previous !== undefined;
}

/** The cycle that would keep an owner waiting for ever, if there is one. Searches only the owners that it waits for. */
export function findDeadlock(owner: Owner, question: DeadlockQuestion): Deadlock | undefined {
  const graph = new WaitGraph(owner, 'passing' in question ? question.passing : []);
  if (graph.letEverybodyIn()) return undefined;
  const cycle = new CycleSearch(graph, question).run();
  return cycle === undefined ? undefined : { status: 'deadlock', cycle };
}

/** A step of the search: a unit that waits, and how the next unit keeps it waiting. */
interface Edge {
  readonly from: WaitUnit;
  readonly waiting: ClaimNode;
  readonly blockedBy: DeadlockStep['blockedBy'];
}

/** Finds the shortest cycle from an owner's waits back to the owner, through units that can never be granted. */
class CycleSearch {
  readonly #graph: WaitGraph;
  /** Where the search begins. */
  readonly #starts: readonly WaitUnit[];
  /**
   * Whether waiting behind the owner in a queue closes the cycle, as waiting for one of its holds does. An earlier wait of the
   * owner counts, too: it may be for several locks, and its permits without limit cannot pass while the owner waits elsewhere.
   */
  readonly #endsBehindOwner: boolean;
  readonly #cameBy = new Map<WaitUnit, Edge | undefined>();
  readonly #next: WaitUnit[] = [];
  /** How far each queue was searched, and the locks whose holders were. */
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

  /** The steps of the cycle, the owner's first; undefined when the owner is in no cycle. */
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
