/** Looks for remains on a server whose clients are all gone. */

import { setTimeout as pause } from 'node:timers/promises';
import { LockClient } from 'holdfast';

const SETTLE_MS = 10_000;

/** Once all clients are gone, these counts must be zero, or one for the connection that asks. */
export async function findRemains(port: number): Promise<string[]> {
  const client = await LockClient.connect({ port });
  const endMs = performance.now() + SETTLE_MS;
  for (;;) {
    const { locks, permits, holders, waiting, sessions, openConnections } = await client.stats();
    const remains = Object.entries({
      locks,
      permits,
      holders,
      waiting,
      sessions: sessions - 1,
      openConnections: openConnections - 1,
    })
      .filter(([, count]) => count !== 0)
      .map(([name, count]) => `left on the server: ${name}: ${count}`);
    if (remains.length === 0 || performance.now() > endMs) {
      await client.close();
      return remains;
    }
    await pause(20);
  }
}
