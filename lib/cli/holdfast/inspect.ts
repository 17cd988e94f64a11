/** `holdfast inspect`: who has a lock, since when, and who waits for it. */

import type { LockHolder, LockWaiter } from '../../protocol.ts';
import { HOLDFAST_CODES } from './exit-codes.ts';
import { showClient, showDuration, showName, showSince, table } from './format.ts';
import { ask, print, printJson, type QueryOptions } from './query.ts';

/** Shows one lock. Resolves to 1 when nobody holds it or waits for it. */
export async function inspect(name: string, options: QueryOptions): Promise<number> {
  return await ask(options, async (client) => {
    const { lockName, holderCount, waiterCount, holders, waiters } = await client.inspect(name);
    const isThere = holderCount + waiterCount > 0;
    const code = isThere ? HOLDFAST_CODES.ok : HOLDFAST_CODES.nothing;
    if (options.json === true) {
      printJson([{ lockName, holderCount, waiterCount, holders, waiters }]);
      return code;
    }
    if (!isThere) print(`${showName(name)}: nobody holds it, and nobody waits for it\n`);
    if (holders.length > 0) print(`Held by ${holderCount}\n${table(HOLDER_HEADING, holders.map(toHolderRow))}`);
    if (waiters.length > 0) print(`Awaited by ${waiterCount}\n${table(WAITER_HEADING, waiters.map(toWaiterRow))}`);
    return code;
  });
}

const HOLDER_HEADING = ['MODE', 'SINCE', 'HELD', 'TOKEN', 'OWNER', 'STATE', 'CLIENT'];
const WAITER_HEADING = ['MODE', 'PLACE', 'WAITED', 'OWNER', 'STATE', 'CLIENT'];

function toHolderRow(holder: LockHolder): readonly string[] {
  const { mode, heldMs, token, owner } = holder;
  return [
    mode,
    showSince(heldMs),
    showDuration(heldMs),
    String(token),
    showName(owner),
    stateOf(holder),
    showClient(holder),
  ];
}

function toWaiterRow(waiter: LockWaiter): readonly string[] {
  const { mode, position, waitedMs, owner } = waiter;
  return [mode, String(position), showDuration(waitedMs), showName(owner), stateOf(waiter), showClient(waiter)];
}

function stateOf({ expiresInMs, anchored }: LockHolder | LockWaiter): string {
  if (anchored === true) return 'gone, kept by an anchor';
  return expiresInMs === undefined ? 'connected' : `suspended, free in ${showDuration(expiresInMs)}`;
}
