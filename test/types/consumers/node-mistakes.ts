/** What a program for Node may not write: each line below an expectation is wrong, for the reason that it names. */

import { LockClient, type LockError, LockHandle } from 'holdfast';

// @ts-expect-error TS2322: a port is a number
await LockClient.connect({ port: '20934' });
// @ts-expect-error TS2561: no such option
await LockClient.connect({ hosts: 'localhost' });
// @ts-expect-error TS2322: the delays, or false
await LockClient.connect({ reconnect: true });
// @ts-expect-error TS2322: one of two words
await LockClient.connect({ whileDisconnected: 'hope' });

const client = new LockClient();

// @ts-expect-error TS2345: a limit belongs to a permit
await client.lock('jobs', { limit: 3 });
// @ts-expect-error TS2322: and not to a shared lock
await client.lock('jobs', { mode: 'shared', limit: 3 });
// @ts-expect-error TS2322: who shares steals nothing
await client.lock('jobs', { mode: 'shared', steal: true });
// @ts-expect-error TS2322: nor is a permit stolen
await client.lock('jobs', { mode: 'permit', steal: true });
// @ts-expect-error TS2322: no such mode
await client.lock('jobs', { mode: 'write' });
// @ts-expect-error TS2345: a name is a string
await client.lock(7);
// @ts-expect-error TS2554: and there has to be one
await client.lock();
// @ts-expect-error TS2322: milliseconds are a number
await client.lock('jobs', { waitMs: '5s' });
// @ts-expect-error TS2353: the wire's word, and not ours
await client.lock('jobs', { timeLimit: 5 });
// @ts-expect-error TS2740: the signal, and not its controller
await client.lock('jobs', { signal: new AbortController() });
// @ts-expect-error TS2353: a try-lock does not wait
await client.tryLock('jobs', { waitMs: 5 });
// @ts-expect-error TS2353: nor here
await client.tryLocked('jobs', () => 1, { waitMs: 5 });
// @ts-expect-error TS2554: several locks at once know no options without waiting
await client.tryLockAll(['jobs'], { leaseMs: 5 });
// @ts-expect-error TS2322: here, too, a limit belongs to a permit
await client.lockAll([{ name: 'jobs', limit: 1 }]);
// @ts-expect-error TS2345: a function is what is run
await client.locked('jobs', 42);

const handle = await client.lock('jobs');
// @ts-expect-error TS2353: a handle asks as its own owner
await handle.lock('more', { owner: 'me' });
// @ts-expect-error TS2353: it does so without waiting, too
await handle.tryLock('more', { owner: 'me' });
// @ts-expect-error TS2353: and a try-lock of it does not wait either
await handle.tryLock('more', { waitMs: 5 });
// @ts-expect-error TS2540: what was granted stays as it is
handle.token = 7;
// @ts-expect-error TS2740: handles are made by the client
new LockHandle({}, {});

const tried = await client.tryLock('jobs');
// @ts-expect-error TS18047: it may not have been granted
await tried.release();
const outcome = await client.tryLocked('jobs', () => 'value');
// @ts-expect-error TS2339: it may not have run
outcome.value.trim();
// @ts-expect-error TS2322: the value is a string
const value: number = await client.locked('jobs', () => 'value');
// @ts-expect-error TS2345: no such event
client.on('connected', () => value);
// @ts-expect-error TS2345: the event gives an error, or nothing
client.on('disconnect', (count: number) => count);
// @ts-expect-error TS2367: no such code
export const isLate = (error: LockError): boolean => error.code === 'late';
