/**
 * A search for deadlocks in steps, for owners whose circle was not found or excluded at once. The table may change between
 * two steps. A deadlock stays as it is until one of its members gives something up, so it gets into the copy however long the
 * copying takes; and before a cycle counts, the claims of all who take part are compared with the table in one step.
 */

import type { Deadlock } from '../protocol.ts';
import type { Steps } from './steps.ts';
import type { Claim, Lock, Owner } from './types.ts';
import { type Cycle, CycleSearch, deadlockOf } from './wait-cycle.ts';
import { WaitGraph } from './wait-graph.ts';
import type { OwnerNode } from './wait-nodes.ts';
import { WaitPlay } from './wait-play.ts';

/** A waiting claim that can never be granted. Its requests have to be refused before the search goes on. */
export interface StuckWait {
  readonly claim: Claim;
  readonly deadlock: Deadlock;
}

type Phase =
  | { readonly name: 'copying' }
  | { readonly name: 'playing'; readonly play: WaitPlay }
  | { readonly name: 'tracing'; readonly play: WaitPlay; readonly cycles: CycleSearch }
  | { readonly name: 'updating'; readonly play: WaitPlay; readonly owners: Iterator<OwnerNode> }
  | { readonly name: 'over' };

export class DeadlockSearch {
  readonly #graph: WaitGraph;
  readonly #maxCycleSteps: number;
  /** Owners that are not copied yet. */
  readonly #owners: Iterator<Owner>;
  /** The owners to search for, the latest at the end: a circle is closed by its last request. */
  readonly #roots: OwnerNode[] = [];
  /** Owners that only wait for members of a circle, the latest first. Once it is broken, they may be in another one. */
  #bystanders: OwnerNode[] = [];
  /** Whether the copy has changed since the first of them was found. */
  #hasChanged = false;
  #phase: Phase = { name: 'copying' };

  /** Looks at what waits until now. Longer cycles are not described. */
  constructor(owners: Iterable<Owner>, maxCycleSteps: number, nowMs: number) {
    this.#maxCycleSteps = maxCycleSteps;
    this.#graph = new WaitGraph({ untilMs: nowMs });
    this.#owners = owners[Symbol.iterator]();
  }

  get isOver(): boolean {
    return this.#phase.name === 'over';
  }

  /** Goes on until the steps are used up, a deadlock is found, or the search is over. */
  advance(steps: Steps): StuckWait | undefined {
    while (!steps.areUsedUp && this.#phase.name !== 'over') {
      const found = this.#advancePhase(steps);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Another lock has taken the place of one, with its queue and without its holders. */
  lockReplaced(lock: Lock, successor: Lock): void {
    this.#graph.lockReplaced(lock, successor);
  }

  #advancePhase(steps: Steps): StuckWait | undefined {
    const phase = this.#phase;
    if (phase.name === 'copying') this.#copy(steps);
    else if (phase.name === 'playing' && phase.play.run(steps)) this.#traceNext(phase.play);
    else if (phase.name === 'updating') this.#update(phase, steps);
    else if (phase.name === 'tracing' && phase.cycles.findAll(steps)) return this.#judge(phase);
    return undefined;
  }

  #copy(steps: Steps): void {
    if (!this.#graph.copy(steps)) return;
    const { done, value: owner } = this.#owners.next();
    if (done === true) {
      this.#phase = { name: 'playing', play: new WaitPlay(this.#graph) };
      return;
    }
    steps.take();
    const root = this.#graph.add(owner, steps);
    if (root !== undefined) this.#roots.push(root);
  }

  /** Begins to look for a cycle of the next owner that cannot be granted its waits. */
  #traceNext(play: WaitPlay): void {
    while (this.#roots.at(-1)?.waitsLeft === 0) this.#roots.pop();
    if (this.#roots.length === 0 && this.#hasChanged) this.#searchBystanders();
    const root = this.#roots.at(-1);
    if (root === undefined) this.#phase = { name: 'over' };
    else this.#phase = { name: 'tracing', play, cycles: new CycleSearch(this.#graph, root, root.units, true) };
  }

  #searchBystanders(): void {
    this.#roots.push(...this.#bystanders.reverse().filter(({ waitsLeft }) => waitsLeft > 0));
    this.#bystanders = [];
    this.#hasChanged = false;
  }

  #judge({ play, cycles }: Extract<Phase, { name: 'tracing' }>): StuckWait | undefined {
    const { owners } = cycles;
    if (!cycles.hasCycle) {
      this.#bystanders.push(this.#roots.pop() as OwnerNode);
      this.#phase = { name: 'playing', play };
      return undefined;
    }
    this.#hasChanged = true;
    this.#phase = { name: 'updating', play, owners: owners.values() };
    for (const owner of owners) if (!owner.isUpToDate) return undefined;
    const { claim, steps } = cycles.describe(this.#maxCycleSteps) as Cycle;
    return { claim, deadlock: deadlockOf(steps) };
  }

  #update({ play, owners }: Extract<Phase, { name: 'updating' }>, steps: Steps): void {
    const { done, value: owner } = owners.next();
    if (done === true) {
      this.#phase = { name: 'playing', play };
      return;
    }
    steps.take();
    play.catchUp(owner);
  }
}
