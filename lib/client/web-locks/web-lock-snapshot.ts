/** What `client.locks.query()` resolves to, made of what the server lists. */

import type { LockHolder, LockInformation, LockWaiter } from '../../protocol.ts';
import type { WebLockMode } from './web-lock.ts';

/** One who holds a lock or has requested it. */
export interface WebLockInfo {
  name: string;
  mode: WebLockMode;
  /** Tells clients apart: the client's address as the server sees it, after its name if it has one. */
  clientId: string;
}

/** Who holds what, in the order of the grants, and who waits for what, in the order of the requests. */
export interface WebLockSnapshot {
  held: WebLockInfo[];
  pending: WebLockInfo[];
}

interface Held {
  readonly token: number;
  readonly info: WebLockInfo;
}

interface Pending {
  /** When it was requested, by this side's clock. */
  readonly sinceMs: number;
  readonly info: WebLockInfo;
}

/** Reads all pages. Permits are left out, since the standard has none. */
export async function takeSnapshot(locks: AsyncIterable<LockInformation>): Promise<WebLockSnapshot> {
  const held: Held[] = [];
  const pending: Pending[] = [];
  for await (const { lockName, holders, waiters } of locks) {
    for (const holder of holders) {
      const info = toInfo(lockName, holder);
      if (info !== undefined) held.push({ token: holder.token, info });
    }
    pending.push(...toPending(lockName, waiters));
  }
  held.sort((a, b) => a.token - b.token);
  pending.sort((a, b) => a.sinceMs - b.sinceMs);
  return { held: held.map(({ info }) => info), pending: pending.map(({ info }) => info) };
}

/** Nobody is earlier than the one ahead in the queue of the same lock, so that sorting keeps each queue in its order. */
function toPending(lockName: string, waiters: readonly LockWaiter[]): Pending[] {
  const nowMs = performance.now();
  let earliestMs = Number.NEGATIVE_INFINITY;
  const pending: Pending[] = [];
  for (const waiter of waiters) {
    const info = toInfo(lockName, waiter);
    if (info === undefined) continue;
    earliestMs = Math.max(earliestMs, nowMs - waiter.waitedMs);
    pending.push({ sinceMs: earliestMs, info });
  }
  return pending;
}

function toInfo(lockName: string, { mode, name, address }: LockHolder | LockWaiter): WebLockInfo | undefined {
  if (mode === 'permit') return undefined;
  return { name: lockName, mode, clientId: name === '' ? address : `${name} at ${address}` };
}
