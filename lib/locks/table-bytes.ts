/**
 * How many bytes of memory claims and requests count. Each constant is what was measured with 50,000 objects on Node 20, in
 * the state in which they take most, and some room beside it, because a `Map` takes twice as much when it has just grown.
 */

import type { RequestId } from '../protocol.ts';
import type { Claim, LockAllRequest, LockRequest } from './types.ts';

/**
 * A claim with its lock, as though nobody else had a claim there. A new hold takes 235 bytes beside its name; 365 when others
 * have waited for the lock; 90 to 130 more when the session has an index of its holds, and 40 to 80 when the owner has one.
 */
export const CLAIM_BYTES: number = 520;
/** An owner with a tag, as though it had no other claim: 108 to 140. */
export const OWNER_BYTES: number = 140;
/** A lease; measured: 128, and some room for what all indexes together take. */
export const LEASE_BYTES: number = 140;
/** A request that waits, and its answer that the server keeps ready: 500 to 540. */
export const WAIT_BYTES: number = 550;
/** A request that waits for several locks, in the same way: 1,000 without the locks. */
export const GROUP_BYTES: number = 1_000;
/** One of its locks, beside the claim: 100 to 145. */
export const MEMBER_BYTES: number = 145;

const BEYOND_LATIN_1 = /[\u0100-\uffff]/;
/** In shorter texts it costs more than it tells to look for the characters that take two bytes. */
const MAX_SHORT = 64;

/** A text: all its characters take two bytes when one of them is beyond Latin-1. Of a short one that is taken for granted. */
export function bytesOfText(text: string): number {
  const { length } = text;
  return length > MAX_SHORT && !BEYOND_LATIN_1.test(text) ? length : 2 * length;
}

/** A claim as it is now. It is computed anew each time, since a million locks would have to keep it. */
export function bytesOfClaim({ lock: { name }, owner: { tag }, requestId, lease }: Claim): number {
  const ownerBytes = tag === '' ? 0 : OWNER_BYTES + bytesOfText(tag);
  return CLAIM_BYTES + bytesOfText(name) + ownerBytes + bytesOfId(requestId) + (lease === undefined ? 0 : LEASE_BYTES);
}

/** Its request has a copy of the name. */
export function bytesOfWait({ name, tag, id }: LockRequest): number {
  return WAIT_BYTES + bytesOfText(name) + bytesOfText(tag) + bytesOfId(id);
}

export function bytesOfGroup(claims: readonly Claim[], { tag, id }: LockAllRequest): number {
  let bytes = GROUP_BYTES + bytesOfText(tag) + bytesOfId(id);
  for (const { lock } of claims) bytes += MEMBER_BYTES + bytesOfText(lock.name);
  return bytes;
}

export function bytesOfId(id: RequestId | undefined): number {
  return typeof id === 'string' ? bytesOfText(id) : 0;
}
