/**
 * A quick look whether an owner's waits can have closed a circle at all. The owners that it waits for and the owners that wait
 * for it, at any distance, are followed by turns, one claim each. All members of a circle are in both sets, so as soon as the
 * smaller one is complete and does not lead around, there is no circle. Every claim ahead counts as in the way, even if it is
 * not, so a found circle is only possible. Only owners of the complete set can be in it, and owners with a single claim. These
 * are not followed: an owner that waits behind one also waits for the claims ahead of it.
 */

import { entangledIn, isEntangled } from './entanglement.ts';
import type { Steps } from './steps.ts';
import type { Claim, Lock, Owner } from './types.ts';

/** `candidates`: who may take part in the circle; none means all whom the owner waits for. */
export type CircleCheck =
  | { readonly result: 'impossible' | 'unknown' }
  | { readonly result: 'possible'; readonly candidates?: ReadonlySet<Owner> };

/** Checks an owner that waits. The claims that pass count as held. */
export function checkCircle(root: Owner, passing: readonly Claim[], steps: Steps): CircleCheck {
  const behind = new OwnersBehind(root, passing);
  const ahead = new OwnersAhead(root, passing);
  const [stepsBehind, stepsAhead] = [behind.follow(), ahead.follow()];
  while (!steps.areUsedUp) {
    steps.take(2);
    if (stepsBehind.next().done === true) {
      return behind.leadBack ? { result: 'possible', candidates: behind.owners } : { result: 'impossible' };
    }
    if (stepsAhead.next().done === true) return { result: ahead.leadBack ? 'possible' : 'impossible' };
  }
  return { result: 'unknown' };
}

/** The owners with a tag that wait for the root. */
class OwnersBehind {
  readonly owners: Set<Owner>;
  /** Whether one of them is in the way of the root. */
  leadBack = false;
  readonly #root: Owner;
  readonly #passing: readonly Claim[];
  /** What the root waits for. */
  readonly #awaited = new Set<Lock>();
  readonly #seen = new Set<Claim>();

  constructor(root: Owner, passing: readonly Claim[]) {
    this.owners = new Set([root]);
    this.#root = root;
    this.#passing = passing;
  }

  /** Looks at one claim in each step. */
  *follow(): Generator<void, void, undefined> {
    // The set grows on the way. The root comes first.
    for (const owner of this.owners) {
      for (let claim = owner.firstClaim; claim !== undefined; claim = claim.ownerNext) {
        yield;
        if (owner === this.#root) this.#await(claim);
        else if (this.#awaited.has(claim.lock)) this.leadBack = true;
        if (entangledIn(claim) > 0) yield* this.#followQueue(claim);
      }
    }
  }

  #await(claim: Claim): void {
    if (claim.state === 'waiting' && !this.#passing.includes(claim)) this.#awaited.add(claim.lock);
  }

  /** Once a claim was seen, so were all behind it. */
  *#followQueue(claim: Claim): Generator<void, void, undefined> {
    const isHeld = claim.state === 'held' || this.#passing.includes(claim);
    let waiter = isHeld ? claim.lock.queue?.first : claim.next;
    for (; waiter !== undefined && !this.#seen.has(waiter); waiter = waiter.next) {
      this.#seen.add(waiter);
      if (isEntangled(waiter.owner)) this.owners.add(waiter.owner);
      yield;
    }
  }
}

/** The owners with a tag that the root waits for and that wait. */
class OwnersAhead {
  /** Whether they wait for the root. */
  leadBack = false;
  readonly #owners: Set<Owner>;
  readonly #root: Owner;
  readonly #passing: readonly Claim[];
  readonly #locks = new Set<Lock>();
  readonly #seen = new Set<Claim>();

  constructor(root: Owner, passing: readonly Claim[]) {
    this.#owners = new Set([root]);
    this.#root = root;
    this.#passing = passing;
  }

  /** Looks at one claim in each step. */
  *follow(): Generator<void, void, undefined> {
    // The set grows on the way.
    for (const owner of this.#owners) {
      for (let claim = owner.firstClaim; claim !== undefined; claim = claim.ownerNext) {
        yield;
        if (claim.state !== 'waiting' || this.#passing.includes(claim)) continue;
        yield* this.#followHolders(claim);
        if (entangledIn(claim) > 0) yield* this.#followQueue(claim);
      }
    }
  }

  *#followHolders({ lock, owner }: Claim): Generator<void, void, undefined> {
    if (this.#locks.has(lock)) return;
    this.#locks.add(lock);
    if (this.#passing.some((claim) => claim.lock === lock)) this.leadBack = true;
    for (let holder = lock.firstHolder; holder !== undefined; holder = holder.next) {
      this.#find(holder.owner, owner);
      yield;
    }
  }

  /** Once those ahead of a claim were found, there is no need to go on beyond it. */
  *#followQueue(last: Claim): Generator<void, void, undefined> {
    for (let claim: Claim | undefined = last; claim !== undefined && !this.#seen.has(claim); claim = claim.previous) {
      this.#seen.add(claim);
      if (claim.previous !== undefined) this.#find(claim.previous.owner, last.owner);
      yield;
    }
  }

  #find(owner: Owner, from: Owner): void {
    if (owner === this.#root && from !== owner) this.leadBack = true;
    if (owner.waitingCount > 0 && isEntangled(owner)) this.#owners.add(owner);
  }
}
