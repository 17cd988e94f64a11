/** Tells the log and the observers who lost a lock to somebody else. */

import type { TableEvent } from '../locks/types.ts';
import type { QuietLog } from '../message/quiet-log.ts';
import type { Taken } from './lock-manager.ts';
import type { LockObservers } from './lock-observers.ts';
import type { LockServerSession } from './session.ts';

/** The log shows the beginning of a name. */
const MAX_LOGGED_CHARACTERS = 256;
/** How many holders that lost a lock are listed. */
const MAX_TAKEN_TOLD = 100;

/** What was taken away: how many holds, which the caller knows, and the first of them, from the events. */
export function takenBy(events: readonly TableEvent[], count: number): Taken {
  const holders: Taken['holders'][number][] = [];
  for (const event of events) {
    if (event.kind !== 'lost' || (event.hold.reason !== 'forced' && event.hold.reason !== 'stolen')) continue;
    if (holders.length === MAX_TAKEN_TOLD) break;
    const { owner, mode, token } = event.hold;
    const { clientName, address } = event.session.client;
    holders.push({ owner, name: clientName, address, mode, token });
  }
  return { count, holders };
}

/** Holds that one client took from others. */
interface Taking {
  readonly by: 'steal' | 'forceUnlock';
  readonly session: LockServerSession;
  readonly lockName: string;
  readonly taken: Taken | undefined;
}

/**
 * Logs who took a lock, for the people who miss it, and tells the observers. Stealing is only `info`, because clients may do it all the
 * time.
 */
export function tellTaken(log: QuietLog, observers: LockObservers, taking: Taking): void {
  const { by, session, lockName, taken } = taking;
  if (taken === undefined || taken.count === 0) return;
  observers.intervened({ by, client: session, lockName, count: taken.count });
  const shownName = lockName.slice(0, MAX_LOGGED_CHARACTERS);
  const client = { name: session.clientName, address: session.address };
  log.tell({
    level: by === 'steal' ? 'info' : 'warn',
    topic: by,
    key: lockName,
    details: { by, client, lockName: shownName, ...taken },
    message: 'a lock was taken away from its holders',
    leftOut: (times) => ({
      details: { by, times, client, lockName: shownName },
      message: `${times} more times within a minute a lock was taken away (${by}), the last time by ${client.address}`,
    }),
  });
}
