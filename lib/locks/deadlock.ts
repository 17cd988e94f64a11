/**
 * Deadlocks: no owner with a tag is ever left waiting for what no order of releases by owners that do not wait could
 * grant. Without a tag an owner is taken to do other things while it waits. As long as that is so, only a request of an
 * owner that somebody waits for can be the first that is stuck, so that no other is looked into.
 */

import type { Claim } from './claim.ts';
import type { Owner } from './lock-session.ts';
import type { Deadlock, WaitStep } from './types.ts';
import { type ClaimNode, type OwnerNode, WaitGraph, type WaitUnit } from './wait-graph.ts';

/** What is looked into: claims of an owner that wait now, or claims that would be granted ahead of those who wait. */
export type DeadlockQuestion<Subject, Context> =
  | { readonly waiting: readonly Claim<Subject, Context>[] }
  | { readonly passing: readonly Claim<Subject, Context>[] };

/**
 * Whether an owner that waits could be in a deadlock: it has a tag, and behind one of its holds or places somebody
 * waits.
 */
export function isWaitedFor<Subject, Context>(owner: Owner<Subject, Context>): boolean {
  if (owner.tag === '') return false;
  for (let claim = owner.firstClaim; claim !== undefined; claim = claim.ownerNext) {
    const isAheadOfSomebody = claim.state === 'held' ? isAwaited(claim) : claim.next !== undefined;
    if (isAheadOfSomebody) return true;
  }
  return false;
}

function isAwaited<Subject, Context>(claim: Claim<Subject, Context>): boolean {
  return !claim.isAlone && claim.lock.queue.size > 0;
}

/** Whether a claim that can be granted now would pass others while its owner, who has a tag, waits elsewhere. */
export function passesWhileWaiting<Subject, Context>(claim: Claim<Subject, Context>): boolean {
  const { owner, state, previous } = claim;
  if (!isAwaited(claim) || state === 'held' || owner.tag === '') return false;
  if (state === 'new') return owner.waitingCount > 0;
  return owner.waitingCount > 1 && previous !== undefined;
}

/** The cycle in which an owner would be stuck, if there is one. Costs what it searches: those the owner waits for. */
export function findDeadlock<Subject, Context>(
  owner: Owner<Subject, Context>,
  question: DeadlockQuestion<Subject, Context>,
): Deadlock<Subject, Context> | undefined {
  const graph = new WaitGraph<Subject, Context>(owner, 'passing' in question ? question.passing : []);
  if (graph.letEverybodyIn()) return undefined;
  const cycle = new CycleSearch<Subject, Context>(graph, question).run();
  return cycle === undefined ? undefined : { status: 'deadlock', cycle };
}

/** How a unit is kept waiting by what the search goes to next. */
interface Edge<Subject, Context> {
  readonly from: WaitUnit<Subject, Context>;
  readonly waiting: ClaimNode<Subject, Context>;
  readonly blockedBy: WaitStep['blockedBy'];
}

/** Looks for the shortest way from what an owner waits for back to the owner, among those who are left waiting. */
class CycleSearch<Subject, Context> {
  readonly #graph: WaitGraph<Subject, Context>;
  /** Where the search begins. */
  readonly #starts: readonly WaitUnit<Subject, Context>[];
  /**
   * Whether one who waits behind the owner closes the cycle, as one does who waits for what it holds. Behind an earlier wait
   * of the owner, too: that may be a request for several locks whose permits without limit do not pass any more, now that
   * the owner waits elsewhere.
   */
  readonly #endsBehindOwner: boolean;
  readonly #cameBy = new Map<WaitUnit<Subject, Context>, Edge<Subject, Context> | undefined>();
  readonly #next: WaitUnit<Subject, Context>[] = [];
  /** How much of each queue, and which locks' holders, were gone to before. */
  readonly #queueSeen = new Map<ClaimNode<Subject, Context>['lock'], number>();
  readonly #holdersSeen = new Set<ClaimNode<Subject, Context>['lock']>();
  #last: Edge<Subject, Context> | undefined;

  constructor(graph: WaitGraph<Subject, Context>, question: DeadlockQuestion<Subject, Context>) {
    this.#graph = graph;
    this.#endsBehindOwner = 'waiting' in question;
    const units =
      'waiting' in question ? question.waiting.flatMap((claim) => graph.unitOf(claim) ?? []) : graph.root.units;
    this.#starts = units.filter((unit) => unit.state === 'waiting');
  }

  /** The steps of the cycle, the owner's first. None when the owner is not part of what keeps it waiting. */
  run(): readonly WaitStep<Subject, Context>[] | undefined {
    for (const unit of this.#starts) this.#go(unit, undefined);
    for (let index = 0; index < this.#next.length && this.#last === undefined; index += 1) {
      this.#search(this.#next[index] as WaitUnit<Subject, Context>);
    }
    if (this.#last === undefined) return undefined;
    const steps: WaitStep<Subject, Context>[] = [];
    for (let edge: Edge<Subject, Context> | undefined = this.#last; edge !== undefined; ) {
      steps.push(viewStep(edge));
      edge = this.#cameBy.get(edge.from);
    }
    return steps.reverse();
  }

  #search(unit: WaitUnit<Subject, Context>): void {
    for (const waiting of unit.claims) {
      if (waiting.state !== 'waiting') continue;
      this.#searchHolders(unit, waiting);
      this.#searchQueue(unit, waiting);
    }
  }

  #searchHolders(unit: WaitUnit<Subject, Context>, waiting: ClaimNode<Subject, Context>): void {
    const { lock, claim } = waiting;
    if (lock.hasRoomFor(claim) || this.#holdersSeen.has(lock)) return;
    // Holders of a lock that is held shared keep no shared request from it, but then there is room.
    this.#holdersSeen.add(lock);
    for (const holder of lock.holders) {
      const isHolder = holder.claim.state === 'held' || this.#graph.isPassing(holder.claim);
      this.#goToOwner(holder.owner, { from: unit, waiting, blockedBy: isHolder ? 'holder' : 'waiter' });
    }
  }

  #searchQueue(unit: WaitUnit<Subject, Context>, waiting: ClaimNode<Subject, Context>): void {
    const { lock } = waiting;
    const seen = this.#queueSeen.get(lock) ?? 0;
    if (seen >= waiting.index) return;
    this.#queueSeen.set(lock, waiting.index);
    for (let index = seen; index < waiting.index; index += 1) {
      const ahead = lock.queue[index] as ClaimNode<Subject, Context>;
      if (ahead.unit?.state !== 'waiting') continue;
      const edge: Edge<Subject, Context> = { from: unit, waiting, blockedBy: 'waiter' };
      if (this.#endsBehindOwner && ahead.unit.owner === this.#graph.root) this.#last ??= edge;
      this.#go(ahead.unit, edge);
    }
  }

  #goToOwner(owner: OwnerNode<Subject, Context>, edge: Edge<Subject, Context>): void {
    if (owner === this.#graph.root) this.#last ??= edge;
    for (const unit of owner.units) if (unit.state === 'waiting') this.#go(unit, edge);
  }

  #go(unit: WaitUnit<Subject, Context>, edge: Edge<Subject, Context> | undefined): void {
    if (this.#cameBy.has(unit)) return;
    this.#cameBy.set(unit, edge);
    this.#next.push(unit);
  }
}

function viewStep<Subject, Context>({ waiting, blockedBy }: Edge<Subject, Context>): WaitStep<Subject, Context> {
  const { owner, lock, mode } = waiting.claim;
  return { session: owner.session, tag: owner.tag, name: lock.name, mode, blockedBy };
}
