/**
 * Work that must not run twice: of however many copies of this program one at a time does the work, and a copy that
 * dies hands over at once.
 *
 *     node dist/examples/run-once.js 20934
 */

import { LockClient, LockError } from 'holdfast';

const port = Number(process.argv[2] ?? 20_934);

await using client = await LockClient.connect({ port, name: `report@${process.pid}` });

try {
  const total = await client.locked(
    'nightly-report',
    async ({ token, signal }) => {
      console.log(`working under token ${token}`);
      return await sumUp(signal);
    },
    { waitMs: 60_000 },
  );
  console.log(`total: ${total}`);
} catch (error) {
  if (!(error instanceof LockError)) throw error;
  console.error(`not now: ${error.code}`);
  process.exitCode = 1;
}

/** Stands for the work. It stops when the lock is lost, since then another may have begun. */
async function sumUp(signal: AbortSignal): Promise<number> {
  let total = 0;
  for (let day = 1; day <= 31; day += 1) {
    signal.throwIfAborted();
    total += await Promise.resolve(day);
  }
  return total;
}
