/**
 * RPC from application code: commands of the lock server without the lock client.
 *
 *     node dist/examples/rpc.js 20934
 */

import { dialTcp, MessageClient, MessageError } from 'holdfast';

const port = Number(process.argv[2] ?? 20_934);

const client = new MessageClient();
client.on('close', () => console.log('connection closed'));
await client.connect(dialTcp({ host: '127.0.0.1', port }));

// The result comes with whatever status the server gave; it is up to the caller to look at it.
const taken = await client.rpc('lock', { lockName: 'nightly-report', timeLimit: 5 });
console.log(`lock: ${taken.status}`);

// Many calls may be in flight; each waits for its own result.
const [lock, stats] = await Promise.all([client.rpc('inspect', { lockName: 'nightly-report' }), client.rpc('stats')]);
console.log(`holders: ${lock.holderCount}, locks held on the server: ${stats.locks}`);

// A call that takes longer than it may rejects; so does one whose connection breaks.
try {
  await client.rpc('ping', {}, { timeoutMs: 1_000 });
  console.log('the server answers');
} catch (error) {
  if (error instanceof MessageError) console.error(`no answer: ${error.code}`);
}

const given = await client.rpc('unlock', { lockName: 'nightly-report' });
console.log(`unlock: ${given.status}`);
await client.close();
