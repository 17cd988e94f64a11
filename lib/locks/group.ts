/** Requests that wait for several locks at once. */

import { admitsWaiter } from './lock.ts';
import { bytesOfGroup } from './table-bytes.ts';
import type { Claim, Group, LockAllRequest } from './types.ts';

/** A group of one owner's claims. Those that are not held are going to wait. */
export function makeGroup(request: LockAllRequest, claims: readonly [Claim, ...Claim[]]): Group {
  const waiting = claims.filter(({ state }) => state !== 'held');
  return {
    kind: 'group',
    owner: claims[0].owner,
    request,
    bytes: bytesOfGroup(claims, request),
    claims,
    waiting,
    held: claims.filter(({ state }) => state === 'held'),
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
 * Whether a group's permits without limit may pass waiters. Not while the owner has a tag and waits elsewhere: it would keep
 * the permit until that wait ends, and it may be waiting for the very owners that it passed.
 */
export function mayPass({ owner, waiting }: Group): boolean {
  return owner.tag === '' || owner.waitingCount === waiting.length;
}

/** Whether a group has not been answered. */
export function isWaitingStill(group: Group): boolean {
  return group.waiting[0]?.group === group;
}

/** Whether a group can be granted. Begins with the claim that was not ready last time, because it most likely still is not. */
export function canGrant(group: Group): boolean {
  const count = group.waiting.length;
  for (let looked = 0; looked < count; looked += 1) {
    if (!isReady(group, group.waiting[group.blockedAt] as Claim)) return false;
    group.blockedAt = (group.blockedAt + 1) % count;
  }
  return group.held.every(isHeldStill);
}

function isHeldStill({ state, lock }: Claim): boolean {
  return state === 'held' && lock.isInMap;
}

function isReady(group: Group, claim: Claim): boolean {
  if (isUnlimited(claim)) return claim.lock.queue?.first === claim || mayPass(group);
  return admitsWaiter(claim, claim.groupLimit as number);
}
