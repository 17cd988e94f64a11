/** Mistakes in a program for Node: each line below an expectation is wrong, for the reason that the expectation names. */

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
// @ts-expect-error TS2322: only an exclusive lock can be stolen
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
// @ts-expect-error TS2353: this is the word of the protocol, not of the client
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
// @ts-expect-error TS2345: it takes a function
await client.locked('jobs', 42);

const handle = await client.lock('jobs');
// @ts-expect-error TS2353: a handle always asks for its own owner
await handle.lock('more', { owner: 'me' });
// @ts-expect-error TS2353: it does so without waiting, too
await handle.tryLock('more', { owner: 'me' });
// @ts-expect-error TS2353: and a try-lock of it does not wait either
await handle.tryLock('more', { waitMs: 5 });
// @ts-expect-error TS2540: a handle does not change
handle.token = 7;
// @ts-expect-error TS2740: handles are made by the client
new LockHandle({}, {});

const tried = await client.tryLock('jobs');
// @ts-expect-error TS18047: it is null if the lock is not free
await tried.release();
const outcome = await client.tryLocked('jobs', () => 'value');
// @ts-expect-error TS2339: there is no value if the function did not run
outcome.value.trim();
// @ts-expect-error TS2322: the value is a string
const value: number = await client.locked('jobs', () => 'value');
// @ts-expect-error TS2345: no such event
client.on('connected', () => value);
// @ts-expect-error TS2345: the event gives an error, or nothing
client.on('disconnect', (count: number) => count);
// @ts-expect-error TS2367: no such code
export const isLate = (error: LockError): boolean => error.code === 'late';
