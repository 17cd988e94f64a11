/** Describes the locks and waiters that a test left behind. */

import { AssertionError } from 'node:assert';
import type { LockHolder, LockInformation, LockWaiter } from '../protocol.ts';

/** An error that says who holds or waits for which lock. Test frameworks show it as a failed assertion. */
export function leftoverLocksError(locks: readonly LockInformation[], extent: 'all' | 'first'): AssertionError {
  const lines = locks.flatMap(describeLock);
  const more = extent === 'first' ? ['and so on'] : [];
  const message = ['expected no lock to be held or waited for, but:', ...lines, ...more].join('\n  ');
  return new AssertionError({ message, actual: [...lines, ...more], expected: [], operator: 'assertNoLocks' });
}

function describeLock({ lockName, holders, waiters }: LockInformation): string[] {
  const name = JSON.stringify(lockName);
  return [
    ...holders.map(
      (holder) => `${who(holder)} holds ${name} (${holder.mode}), token ${holder.token}, for ${holder.heldMs} ms`,
    ),
    ...waiters.map((waiter) => `${who(waiter)} waits for ${name} (${waiter.mode}), for ${waiter.waitedMs} ms`),
  ];
}

function who({ name, address, owner }: LockHolder | LockWaiter): string {
  return `${name === '' ? 'a client without a name' : JSON.stringify(name)} at ${address}, owner ${JSON.stringify(owner)},`;
}
