/** Who blocks whom: each lock that is waited for below the one whose waiter holds it. */

import type { ContendedLock, LockKey } from '../server/server-monitor.ts';

type Waiter = ContendedLock['waiters'][number];

/** A lock, the first of its holders and waiters, and below each waiter the locks that it keeps from others meanwhile. */
export interface BlockedLock extends Omit<ContendedLock, 'waiters'> {
  /** The waiters of this lock and of all below it. */
  readonly blockedCount: number;
  readonly waiters: readonly (Waiter & { readonly blocks: readonly BlockedLock[] })[];
}

/**
 * The locks whose holders wait for nothing come first: they are where the others are stuck. A lock is in the tree once, and on top when
 * no waiter above it is told. The most blocked are first.
 */
export function blockedLocks(contended: readonly ContendedLock[]): BlockedLock[] {
  const unplaced = new Map(contended.map((lock) => [keyText(lock), lock]));
  const isBlocked = ({ holders }: ContendedLock): boolean => holders.some(({ waitsFor }) => waitsFor.length > 0);
  const roots = contended.filter((lock) => !isBlocked(lock));
  const trees: BlockedLock[] = [];
  for (const lock of [...roots, ...contended]) {
    if (unplaced.delete(keyText(lock))) trees.push(place(lock, unplaced));
  }
  return trees.sort((a, b) => b.blockedCount - a.blockedCount);
}

function place(lock: ContendedLock, unplaced: Map<string, ContendedLock>): BlockedLock {
  const waiters = lock.waiters.map((waiter) => ({ ...waiter, blocks: takeBelow(waiter, unplaced) }));
  const below = waiters.flatMap(({ blocks }) => blocks);
  const blockedCount = below.reduce((sum, each) => sum + each.blockedCount, lock.waiterCount);
  return { ...lock, waiters, blockedCount };
}

function takeBelow({ holds }: Waiter, unplaced: Map<string, ContendedLock>): BlockedLock[] {
  const below: BlockedLock[] = [];
  for (const key of holds) {
    const lock = unplaced.get(keyText(key));
    if (lock === undefined) continue;
    unplaced.delete(keyText(key));
    below.push(place(lock, unplaced));
  }
  return below;
}

function keyText({ kind, lockName }: LockKey): string {
  return `${kind} ${lockName}`;
}
