/** Tells, for the log, who lost a lock to somebody else. */

import type { TableEvent } from '../locks/types.ts';
import type { Taken } from './lock-manager.ts';

/** How many holders that lost a lock are listed. */
const MAX_TAKEN_TOLD = 100;

/** So many holds that were forced or stolen, with the first of them that the events show. */
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
