/**
 * A job that cron starts on many hosts at the same minute, and that must run once. Whoever has the lock first runs it;
 * the others find, once they have the lock, that this run is done. To look *after* locking is what counts: before it,
 * two of them could find the same.
 *
 *     node dist/examples/cron-job.js 20934 2026-11-21 /tmp/last-run
 */

import { readFile, writeFile } from 'node:fs/promises';
import { LockClient } from 'holdfast';

const [port = '20934', run = '2026-11-21', lastRunFile = 'last-run'] = process.argv.slice(2);

await using client = await LockClient.connect({ port: Number(port), name: `report@${process.pid}` });

await client.locked('nightly-report', async (lock) => {
  // In your application this is a row in the database that the job works on.
  const lastRun = await readFile(lastRunFile, 'utf8').catch(() => '');
  if (lastRun === run) {
    console.log(`${run} is done`);
    return;
  }
  await lock.whileHeld(writeReport());
  await writeFile(lastRunFile, run);
  console.log(`ran ${run}`);
});

/** Stands for the work. */
async function writeReport(): Promise<void> {
  await Promise.resolve();
}
