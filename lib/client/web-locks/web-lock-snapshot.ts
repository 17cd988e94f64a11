/** The result of `client.locks.query()`, made of the server's list. */

import type { LockHolder, LockInformation, LockWaiter } from '../../protocol.ts';
import type { WebLockMode } from './web-lock.ts';

/** A lock that is held or requested, and by which client. */
export interface WebLockInfo {
  name: string;
  mode: WebLockMode;
  /** Tells clients apart: the client's address as the server sees it, after its name if it has one. */
  clientId: string;
}

/** The locks that are held, in the order of the grants, and the requests that wait, in their order. */
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

/** No waiter gets an earlier time than the one ahead in its queue, so that sorting keeps each queue in its order. */
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
