/** Places in a queue: what their requests ask for together is counted, since thousands may share one. */

import type { LockMode } from '../protocol.ts';
import { LinkedList } from './linked-list.ts';
import type { Claim, LockRequest, Place, Wait } from './types.ts';

export function makePlace(): Place {
  return { waits: new LinkedList<Wait>(), limit: 0, greatestCount: 0, exclusiveCount: 0 };
}

export function joinPlace(place: Place, wait: Wait): void {
  place.waits.push(wait);
  if (wait.request.mode === 'exclusive') place.exclusiveCount += 1;
  regardLimit(place, wait);
}

export function leavePlace(place: Place, wait: Wait): void {
  place.waits.remove(wait);
  if (wait.request.mode === 'exclusive') place.exclusiveCount -= 1;
  if (limitOf(wait.request) === place.limit) place.greatestCount -= 1;
}

/**
 * The greatest limit among the requests, by which the place is granted. When the last request with that limit has left, it is
 * looked for only when somebody asks, since thousands may leave at once.
 */
export function limitOfPlace(place: Place): number {
  if (place.greatestCount === 0) {
    place.limit = 0;
    for (const wait of place.waits) regardLimit(place, wait);
  }
  return place.limit;
}

/** The strongest mode among the requests. */
export function modeOfPlace({ waits, exclusiveCount }: Place): LockMode {
  return exclusiveCount > 0 ? 'exclusive' : (waits.first?.request.mode ?? 'shared');
}

/** The limit of a request or of a part of one, `Infinity` for none. */
export function limitOf(request: Pick<LockRequest, 'limit'>): number {
  return request.limit ?? Number.POSITIVE_INFINITY;
}

/** The limit that a claim waits with, alone or as one of a group. */
export function waitLimitOf({ place, groupLimit }: Claim): number {
  return place === undefined ? (groupLimit ?? 0) : limitOfPlace(place);
}

function regardLimit(place: Place, wait: Wait): void {
  const limit = limitOf(wait.request);
  if (limit > place.limit) {
    place.limit = limit;
    place.greatestCount = 0;
  }
  if (limit === place.limit) place.greatestCount += 1;
}
