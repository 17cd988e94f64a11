/** One lock: who holds it, who waits, and whether one more can hold it now. */

import type { LockMode, LossReason, LostHold } from '../protocol.ts';
import { addIfEntangled, removeIfEntangled } from './entanglement.ts';
import { LinkedList, linkedFrom } from './linked-list.ts';
import type { Claim, HolderWalk, Lock, LockKind, Owner } from './types.ts';

/** Up to this many claims are searched one by one; more get an index. */
const MAX_UNINDEXED_CLAIMS = 8;

/** Which kind of lock a mode is of. */
export const KIND_OF: Readonly<Record<LockMode, LockKind>> = {
  exclusive: 'readerWriter',
  shared: 'readerWriter',
  permit: 'permit',
};

export function makeLock(name: string, kind: LockKind): Lock {
  return {
    name,
    kind,
    isInMap: false,
    firstHolder: undefined,
    lastHolder: undefined,
    holderCount: 0,
    queue: undefined,
  };
}

/** The holders in the order of their grants. The caller may remove the holder that it was just given, but no other. */
export function holdersOf(lock: Lock): Generator<Claim, void, undefined> {
  return linkedFrom(lock.firstHolder);
}

export function isAwaited(lock: Lock): boolean {
  return lock.queue !== undefined && lock.queue.size > 0;
}

export function isUnused(lock: Lock): boolean {
  return lock.holderCount === 0 && (lock.queue === undefined || lock.queue.size === 0);
}

/**
 * Whether a newcomer can hold the lock at once without passing a waiter. A permit without a limit may pass all waiters.
 */
export function admitsNewcomer(lock: Lock, mode: LockMode, limit: number): boolean {
  if (limit === Number.POSITIVE_INFINITY && mode === 'permit') return true;
  return !isAwaited(lock) && hasRoomFor(lock, mode, limit);
}

/** Whether a waiting claim could hold its lock now with this limit. */
export function admitsWaiter(claim: Claim, limit: number): boolean {
  if (limit === Number.POSITIVE_INFINITY && claim.mode === 'permit') return true;
  return claim.lock.queue?.first === claim && hasRoomFor(claim.lock, claim.mode, limit);
}

/** The owner's claim on the lock, if it has one. Searches the shorter list: the owner's claims or the lock's. */
export function findClaim(lock: Lock | undefined, owner: Owner | undefined): Claim | undefined {
  if (lock === undefined || owner === undefined) return undefined;
  if (owner.claimCount <= MAX_UNINDEXED_CLAIMS) {
    let claim = owner.firstClaim;
    while (claim !== undefined && claim.lock !== lock) claim = claim.ownerNext;
    return claim;
  }
  if (lock.holderCount + (lock.queue?.size ?? 0) <= MAX_UNINDEXED_CLAIMS) {
    return findFrom(lock.firstHolder, owner) ?? findFrom(lock.queue?.first, owner);
  }
  owner.claimsByLock ??= indexByLock(owner);
  return owner.claimsByLock.get(lock);
}

/** Whether the lock is held with this token. */
export function isHeldWith(lock: Lock | undefined, token: number): boolean {
  let holder = lock?.firstHolder;
  while (holder !== undefined && holder.token !== token) holder = holder.next;
  return holder !== undefined;
}

/** Puts a claim at the end of the queue of its lock. */
export function enqueue(claim: Claim): void {
  const { lock } = claim;
  claim.state = 'waiting';
  lock.queue ??= new LinkedList<Claim>();
  lock.queue.push(claim);
  addIfEntangled(claim);
}

/** Moves everybody who waits for a lock to another one. */
export function moveQueue(from: Lock, to: Lock): void {
  const { queue, requestCount = 0, entangledCount = 0 } = from;
  if (queue === undefined) return;
  for (const claim of queue) {
    claim.lock = to;
    const { claimsByLock } = claim.owner;
    if (claimsByLock?.delete(from)) claimsByLock.set(to, claim);
  }
  to.queue = queue;
  to.requestCount = requestCount;
  to.entangledCount = entangledCount;
  from.queue = undefined;
  from.entangledCount = 0;
}

/** Turns a new or waiting claim into a hold. */
export function addHolder(claim: Claim, token: number): void {
  const { lock } = claim;
  claim.token = token;
  if (claim.state === 'waiting') removeFromQueue(claim);
  claim.state = 'held';
  const last = lock.lastHolder;
  if (last === undefined) {
    lock.firstHolder = claim;
  } else {
    last.next = claim;
    claim.previous = last;
  }
  lock.lastHolder = claim;
  lock.holderCount += 1;
}

/** Lets others steal a hold. */
export function markStealable(claim: Claim): void {
  claim.isStealable = true;
  claim.lock.stealableCount = stealableIn(claim.lock) + 1;
}

export function areAllStealable(lock: Lock): boolean {
  return stealableIn(lock) === lock.holderCount;
}

/** Removes a claim from its lock. */
export function removeFromLock(claim: Claim): void {
  if (claim.state === 'held') removeHolder(claim);
  else if (claim.state === 'waiting') removeFromQueue(claim);
  claim.state = 'gone';
}

function removeFromQueue(claim: Claim): void {
  removeIfEntangled(claim);
  claim.lock.queue?.remove(claim);
}

function removeHolder(claim: Claim): void {
  const { lock, previous, next } = claim;
  if (previous === undefined) lock.firstHolder = next;
  else previous.next = next;
  if (next === undefined) lock.lastHolder = previous;
  else next.previous = previous;
  if (previous !== undefined) claim.previous = undefined;
  if (next !== undefined) claim.next = undefined;
  lock.holderCount -= 1;
  if (claim.isStealable === true) lock.stealableCount = stealableIn(lock) - 1;
}

function stealableIn({ stealableCount = 0 }: Lock): number {
  return stealableCount;
}

function hasRoomFor(lock: Lock, mode: LockMode, limit: number): boolean {
  if (mode === 'permit') return lock.holderCount < limit;
  const holder = lock.firstHolder;
  return holder === undefined || (mode === 'shared' && holder.mode === 'shared');
}

function findFrom(first: Claim | undefined, owner: Owner): Claim | undefined {
  let claim = first;
  while (claim !== undefined && claim.owner !== owner) claim = claim.next;
  return claim;
}

/** The claims of an owner are bounded, those of a lock are not. */
function indexByLock(owner: Owner): Map<Lock, Claim> {
  const index = new Map<Lock, Claim>();
  for (let claim = owner.firstClaim; claim !== undefined; claim = claim.ownerNext) index.set(claim.lock, claim);
  return index;
}

/** Counts one request more or less that waits for the lock. */
export function countRequests(lock: Lock, change: 1 | -1): void {
  lock.requestCount = (lock.requestCount ?? 0) + change;
}

/** What the owner of a hold is told when it loses that. */
export function lostHold({ lock, mode, owner, token }: Claim, reason: LossReason): LostHold {
  return { lockName: lock.name, mode, owner: owner.tag, token, reason };
}

/** Listings that would go on with this claim go on with the one behind it. */
export function passClaim(walks: Iterable<HolderWalk>, claim: Claim): void {
  for (const walk of walks) if (walk.next === claim) walk.next = claim.next;
}
