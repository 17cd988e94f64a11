/** Estimates how long listings become in JSON. */

import type { DeadlockStep, LockHolder, LockInformation, LockWaiter } from '../protocol.ts';
import type { PageLimits } from './lock-manager.ts';

/** Roughly how many characters of JSON a holder, waiter or step takes, without its texts. */
const ENTRY_CHARACTERS = 150;

export interface PageSize {
  entries: number;
  characters: number;
}

export function isTooLarge({ entries, characters }: PageSize, limits: PageLimits): boolean {
  return entries > limits.maxPageEntries || characters > limits.maxPageBytes;
}

export function addSize(size: PageSize, { lockName, holders, waiters }: LockInformation): void {
  size.entries += holders.length + waiters.length;
  size.characters += lockName.length;
  for (const entry of [...holders, ...waiters]) size.characters += charactersOf(entry);
}

export function sizeOfCycle(cycle: readonly DeadlockStep[]): PageSize {
  const characters = cycle.reduce((sum, step) => sum + charactersOf(step) + step.lockName.length, 0);
  return { entries: cycle.length, characters };
}

/** Roughly how long an entry is, without the name of its lock. */
export function charactersOf({ owner, name, address }: LockWaiter | DeadlockStep | LockHolder): number {
  return owner.length + name.length + address.length + ENTRY_CHARACTERS;
}
