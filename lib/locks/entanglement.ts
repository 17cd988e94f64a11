/**
 * Counts the waiters of each lock that can be part of a circle: those whose owner has a tag and another claim. Most waiters of
 * a crowd hold nothing and wait for nothing else, so the search for deadlocks passes them over without looking at each.
 */

import type { Claim, Owner } from './types.ts';

/** Whether an owner can wait for somebody and be waited for in different locks. */
export function isEntangled({ tag, claimCount }: Owner): boolean {
  return claimCount > 1 && tag !== '';
}

/** Counts a claim that has begun to wait, or has become entangled. */
export function addIfEntangled(claim: Claim): void {
  if (claim.state === 'waiting' && isEntangled(claim.owner)) claim.lock.entangledCount = entangledIn(claim) + 1;
}

/** Before a claim waits no longer, or is entangled no longer. */
export function removeIfEntangled(claim: Claim): void {
  if (claim.state === 'waiting' && isEntangled(claim.owner)) claim.lock.entangledCount = entangledIn(claim) - 1;
}

/** How many waiters of the lock of a claim are entangled. */
export function entangledIn({ lock: { entangledCount = 0 } }: Claim): number {
  return entangledCount;
}
