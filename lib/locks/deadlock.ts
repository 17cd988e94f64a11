/**
 * Finds deadlocks. An owner with a tag is in one when no order of releases by owners that do not wait could grant what it waits
 * for. An owner without a tag may do other things while it waits, so it is never in one. Only a request by an owner that
 * others wait for can close a deadlock, so no other request is searched. A search that would take long goes on in slices,
 * while the request waits.
 */

import type { Deadlock } from '../protocol.ts';
import { checkCircle } from './circle-check.ts';
import { DeadlockSearch, type StuckWait } from './deadlock-search.ts';
import { entangledIn } from './entanglement.ts';
import { isAwaited } from './lock.ts';
import { Steps } from './steps.ts';
import type { Claim, Lock, Owner } from './types.ts';
import { CycleSearch, deadlockOf } from './wait-cycle.ts';
import { WaitGraph } from './wait-graph.ts';
import type { OwnerNode, WaitUnit } from './wait-nodes.ts';
import { WaitPlay } from './wait-play.ts';

/** The claims in question: they wait now, or they would be granted ahead of waiters. */
export type DeadlockQuestion = { readonly waiting: readonly Claim[] } | { readonly passing: readonly Claim[] };

const NONE: readonly never[] = [];
/** How many owners may be remembered before those that wait no longer are forgotten. */
const MIN_SWEPT = 1_000;
/** A search of so many steps costs less than the rest of the request and is always done at once. */
const SMALL_SEARCH_STEPS = 50;
/** Larger ones may take so many steps in all before one in slices is over. */
const MAX_STEPS_BETWEEN_SLICES = 5_000;
/** An owner with more claims is searched without a first look for owners that wait for it. */
const MAX_ASKED_CLAIMS = 100;

/**
 * Whether a waiting owner could be in a deadlock: it has a tag, its session has not ended, and behind one of its claims may wait an owner that has other
 * claims, too.
 */
export function isWaitedFor(owner: Owner): boolean {
  if (owner.tag === '' || owner.session.state === 'ended') return false;
  if (owner.claimCount > MAX_ASKED_CLAIMS) return true;
  for (let claim = owner.firstClaim; claim !== undefined; claim = claim.ownerNext) {
    if (entangledIn(claim) > 0 && (claim.state === 'held' || claim.next !== undefined)) return true;
  }
  return false;
}

/** Whether granting this claim would pass waiters while its owner, which has a tag, waits elsewhere. */
export function passesWhileWaiting({ lock, owner, state, previous }: Claim): boolean {
  if (state === 'held' || owner.tag === '' || !isAwaited(lock)) return false;
  if (state === 'new') return owner.waitingCount > 0;
  return owner.waitingCount > 1 && previous !== undefined;
}

/** Looks for deadlocks at once where that takes a few steps, and otherwise in slices. */
export class DeadlockDetector {
  /** Whether there are owners to look into. */
  isSearching = false;
  readonly #stepsAtOnce: number;
  readonly #maxCycleSteps: () => number;
  #stepsLeft = MAX_STEPS_BETWEEN_SLICES;
  /** Owners whose waits may have closed a circle that nobody has looked for yet. */
  #unsearched = new Set<Owner>();
  #sweepAt = MIN_SWEPT;
  #search: DeadlockSearch | undefined;

  /** Longer cycles than `maxCycleSteps` are not described. */
  constructor(stepsAtOnce: number, maxCycleSteps: () => number) {
    this.#stepsAtOnce = stepsAtOnce;
    this.#maxCycleSteps = maxCycleSteps;
  }

  /** The deadlock that would keep an owner waiting for ever, if one is found at once; if that takes longer, `goOn` looks for it. */
  find(owner: Owner, question: DeadlockQuestion): Deadlock | undefined {
    const steps = new Steps(Math.min(this.#stepsAtOnce, Math.max(this.#stepsLeft, SMALL_SEARCH_STEPS)));
    const found = findAtOnce(owner, question, steps);
    if (steps.taken > SMALL_SEARCH_STEPS) this.#stepsLeft -= steps.taken;
    if (found !== 'unknown') {
      const cycle = found?.describe(this.#maxCycleSteps());
      return cycle && deadlockOf(cycle.steps);
    }
    this.#remember(owner);
    return undefined;
  }

  /** Goes on looking for about so many steps. The requests of the wait that it returns have to be refused at once. */
  goOn(maxSteps: number, nowMs: number): StuckWait | undefined {
    if (!this.isSearching) return undefined;
    if (this.#search === undefined) {
      this.#search = new DeadlockSearch(this.#unsearched, this.#maxCycleSteps(), nowMs);
      this.#unsearched = new Set();
      this.#sweepAt = MIN_SWEPT;
    }
    const found = this.#search.advance(new Steps(maxSteps));
    if (!this.#search.isOver) return found;
    this.#search = undefined;
    this.isSearching = this.#unsearched.size > 0;
    this.#stepsLeft = MAX_STEPS_BETWEEN_SLICES;
    return found;
  }

  /** Another lock has taken the place of one, with its queue and without its holders. */
  lockReplaced(lock: Lock, successor: Lock): void {
    this.#search?.lockReplaced(lock, successor);
  }

  /** Moves the owner to the end of the set: the search begins with the latest. */
  #remember(owner: Owner): void {
    this.isSearching = true;
    this.#unsearched.delete(owner);
    this.#unsearched.add(owner);
    if (this.#unsearched.size < this.#sweepAt) return;
    for (const each of this.#unsearched) if (each.waitingCount === 0) this.#unsearched.delete(each);
    this.#sweepAt = Math.max(MIN_SWEPT, 2 * this.#unsearched.size);
  }
}

/** A search that knows whether the owner is in a cycle, unless the steps are used up before that is known. */
function findAtOnce(owner: Owner, question: DeadlockQuestion, steps: Steps): CycleSearch | 'unknown' | undefined {
  const passing = 'passing' in question ? question.passing : NONE;
  const check = checkCircle(owner, passing, steps);
  if (check.result !== 'possible') return check.result === 'unknown' ? 'unknown' : undefined;
  const graph = new WaitGraph({ passing, candidates: check.candidates });
  const root = graph.add(owner, steps) as OwnerNode;
  if (!graph.copy(steps) || !new WaitPlay(graph).run(steps)) return 'unknown';
  if (root.waitsLeft === 0) return undefined;
  const isWaiting = 'waiting' in question;
  const cycles = new CycleSearch(graph, root, isWaiting ? unitsOf(question.waiting, graph) : root.units, isWaiting);
  return cycles.findFirst(steps) ? cycles : 'unknown';
}

function unitsOf(claims: readonly Claim[], graph: WaitGraph): readonly WaitUnit[] {
  return claims.flatMap((claim) => graph.nodeOf(claim)?.unit ?? []);
}
