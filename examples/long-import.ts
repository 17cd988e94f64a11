/**
 * A long import that must stop when its lock is lost, since then another may have begun. It looks before each step, and
 * hands the signal to whatever can be stopped in the middle.
 *
 *     node dist/examples/long-import.js 20934
 */

import { setTimeout as delay } from 'node:timers/promises';
import { LockClient, LockLostError } from 'holdfast';

const port = Number(process.argv[2] ?? 20_934);
const client = await LockClient.connect({ port, name: `import@${process.pid}` });

try {
  const rows = await client.locked('import', async (lock) => {
    let imported = 0;
    for (let page = 1; page <= 1_000; page += 1) {
      lock.throwIfLost();
      await importPage(page, lock.signal);
      imported += 100;
      if (page === 1) console.log('importing');
    }
    return imported;
  });
  console.log(`imported ${rows} rows`);
} catch (error) {
  // What aborts by the signal rejects with an error of its own, whose cause is the loss.
  const loss = error instanceof LockLostError ? error : (error as Error).cause;
  if (!(loss instanceof LockLostError)) throw error;
  console.log(`stopped: ${loss.code}`);
}
await client.close();

/** Stands for a request or a statement that takes a signal, as `fetch` does. */
async function importPage(_page: number, signal: AbortSignal): Promise<void> {
  await delay(10, undefined, { signal });
}
