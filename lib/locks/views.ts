/** What clients may see of the locks: one name, all names, all holders. */

import type { DeadlockStep, LockHolder, LockInformation, LockWaiter, NamedLockHolder, Suspended } from '../protocol.ts';
import type { LockBook } from './lock-book.ts';
import { waitLimitOf } from './place.ts';
import type { Claim, HolderWalk, LockKind, Session } from './types.ts';

/** What one session has. */
export interface SessionClaims {
  readonly holds: readonly NamedLockHolder[];
  readonly waits: readonly (LockWaiter & { readonly lockName: string })[];
}

const KINDS: readonly LockKind[] = ['readerWriter', 'permit'];

/** The holders and waiters of a name, the first `max` of each: of the reader/writer lock, then of the permit. */
export function inspect(
  book: LockBook,
  lockName: string,
  max: number,
  nowMs: number,
  kind: LockKind | undefined,
): LockInformation {
  const holders: LockHolder[] = [];
  const waiters: LockWaiter[] = [];
  let holderCount = 0;
  let waiterCount = 0;
  for (const each of kindsOf(kind)) {
    const lock = book.locks[each].get(lockName);
    if (lock === undefined) continue;
    holderCount += lock.holderCount;
    waiterCount += lock.queue?.size ?? 0;
    for (let claim = lock.firstHolder; claim !== undefined && holders.length < max; claim = claim.next) {
      holders.push(viewHolder(claim, nowMs));
    }
    let position = 1;
    for (let claim = lock.queue?.first; claim !== undefined && waiters.length < max; claim = claim.next) {
      waiters.push(viewWaiter(claim, position, nowMs));
      position += 1;
    }
  }
  return { lockName, holderCount, waiterCount, holders, waiters };
}

/** All names with a lock, in any order. A name with both kinds of lock comes twice. */
export function* allNames(book: LockBook, kind: LockKind | undefined): Generator<string, void, undefined> {
  for (const each of kindsOf(kind)) for (const { name } of book.locks[each]) yield name;
}

/** All holds of one kind of lock, or of one lock, in any order. */
export function* allHolds(book: LockBook, kind: LockKind, name?: string): Generator<Claim, void, undefined> {
  const locks = book.locks[kind];
  const walk: HolderWalk = { next: undefined };
  book.walks.add(walk);
  try {
    for (const lock of name === undefined ? locks : [locks.get(name)]) {
      walk.next = lock?.firstHolder;
      for (let claim = walk.next; claim !== undefined; claim = walk.next) {
        walk.next = claim.next;
        yield claim;
      }
    }
  } finally {
    book.walks.delete(walk);
  }
}

export function viewHolder({ owner, mode, token, sinceMs, isStealable }: Claim, nowMs: number): LockHolder {
  const { clientName, address } = owner.session.client;
  const heldMs = Math.round(nowMs - sinceMs);
  return {
    owner: owner.tag,
    name: clientName,
    address,
    mode,
    token,
    heldMs,
    ...(isStealable && { stealable: true }),
    ...viewSuspended(owner.session, nowMs),
  };
}

function viewSuspended({ client: { suspendedUntilMs, isAnchored } }: Session, nowMs: number): Suspended {
  if (isAnchored === true) return { anchored: true };
  return suspendedUntilMs === undefined ? {} : { expiresInMs: Math.max(0, Math.round(suspendedUntilMs - nowMs)) };
}

export function viewNamedHolder(claim: Claim, nowMs: number): NamedLockHolder {
  return { lockName: claim.lock.name, ...viewHolder(claim, nowMs) };
}

/** A waiting claim as a step of a deadlock. */
export function viewStep({ owner, lock, mode }: Claim, blockedBy: DeadlockStep['blockedBy']): DeadlockStep {
  const { clientName, address } = owner.session.client;
  return { owner: owner.tag, name: clientName, address, lockName: lock.name, mode, blockedBy };
}

export function viewWaiter(claim: Claim, position: number, nowMs: number): LockWaiter {
  const { owner, mode, sinceMs, group } = claim;
  const { clientName, address } = owner.session.client;
  const limit = waitLimitOf(claim);
  const hasLimit = mode === 'permit' && limit !== Number.POSITIVE_INFINITY;
  return {
    owner: owner.tag,
    name: clientName,
    address,
    mode,
    ...(hasLimit && { limit }),
    position,
    ...(group !== undefined && { lockAll: true }),
    waitedMs: Math.round(nowMs - sinceMs),
    ...viewSuspended(owner.session, nowMs),
  };
}

function kindsOf(kind: LockKind | undefined): readonly LockKind[] {
  return kind === undefined ? KINDS : [kind];
}

/** Its place in the queue; looks at those ahead of it. */
function positionOf(claim: Claim): number {
  let position = 1;
  for (let ahead = claim.previous; ahead !== undefined; ahead = ahead.previous) position += 1;
  return position;
}

/** What a session holds and awaits, the newest first, at most `max` of all. */
export function sessionClaims(session: Session, max: number, nowMs: number): SessionClaims {
  const holds: NamedLockHolder[] = [];
  const waits: (LockWaiter & { readonly lockName: string })[] = [];
  const owners = [...(session.untagged === undefined ? [] : [session.untagged]), ...(session.tagged?.values() ?? [])];
  for (const { firstClaim } of owners) {
    for (let claim = firstClaim; claim !== undefined && holds.length + waits.length < max; claim = claim.ownerNext) {
      if (claim.state === 'held') holds.push(viewNamedHolder(claim, nowMs));
      if (claim.state === 'waiting')
        waits.push({ lockName: claim.lock.name, ...viewWaiter(claim, positionOf(claim), nowMs) });
    }
  }
  return { holds, waits };
}
