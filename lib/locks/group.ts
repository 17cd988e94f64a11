/** Requests that wait for several locks at once. */

import { admitsWaiter } from './lock.ts';
import type { Claim, Group, LockAllRequest } from './types.ts';

/** A group of claims of one owner: those that are held already, and those that are to wait. */
export function makeGroup(request: LockAllRequest, claims: readonly [Claim, ...Claim[]]): Group {
  const waiting = claims.filter(({ state }) => state !== 'held');
  return {
    kind: 'group',
    owner: claims[0].owner,
    request,
    claims,
    waiting,
    held: new Set(claims.filter(({ state }) => state === 'held')),
    hasUnlimited: waiting.some(isUnlimited),
    blockedAt: 0,
    deadlineMs: 0,
    heapIndex: -1,
    heapSequence: 0,
  };
}

/** Whether a claim of a group is a permit without limit. */
export function isUnlimited(claim: Claim): boolean {
  return claim.mode === 'permit' && claim.groupLimit === Number.POSITIVE_INFINITY;
}

/**
 * Whether the permits without limit of a group pass those who wait. Not while the owner waits elsewhere and has a tag: it
 * would keep such a permit until that wait ends, and it might wait for the very ones that it passed.
 */
export function mayPass({ owner, waiting }: Group): boolean {
  return owner.tag === '' || owner.waitingCount === waiting.length;
}

/** Whether a group can be granted. It is looked at often, so the look begins at the claim that was not ready last time. */
export function canGrant(group: Group): boolean {
  const count = group.waiting.length;
  for (let looked = 0; looked < count; looked += 1) {
    if (!isReady(group, group.waiting[group.blockedAt] as Claim)) return false;
    group.blockedAt = (group.blockedAt + 1) % count;
  }
  return true;
}

function isReady(group: Group, claim: Claim): boolean {
  if (isUnlimited(claim)) return claim.lock.queue?.first === claim || mayPass(group);
  return admitsWaiter(claim, claim.groupLimit as number);
}
