import { expect } from 'chai';
import { LockClosedError, LockInvalidError, LockTimeoutError } from '../../lib/client/lock-error.ts';
import { MessageError } from '../../lib/message/message-error.ts';
import { abortable, rejection, rejects } from '../support/rejection.ts';
import { client, clientScene, lazyClient, other, proxy, waits } from './client-scene.ts';

/** Long enough to be asked for before it is over: the server is asked without waiting when nothing is left. */
const SHORT_MS = 300;
const FOREVER = { waitMs: Number.POSITIVE_INFINITY } as const;

describe('a wait for a lock', () => {
  clientScene();

  it('ends with a time-out when waitMs are over, at once when they are 0', async () => {
    await other.lock('jobs');
    const expected = { code: 'timeout', name: 'LockTimeoutError' };
    const error = await rejects(client.lock('jobs', { waitMs: SHORT_MS }), LockTimeoutError, expected);
    expect(error.message).to.match(/^the lock "jobs" was not granted: timeout/);
    await rejects(client.lock('jobs', { waitMs: 0 }), LockTimeoutError);
    await waits(0);
    expect(await client.lock('free', { waitMs: 0 })).to.include({ name: 'free' });
  });

  it('is asked for in seconds: 30 unless waitMs says otherwise, no limit for Infinity', async () => {
    const options = [{}, { waitMs: 50_000 }, { waitMs: 0 }, FOREVER, { waitMs: 1e13 }];
    for (const [index, option] of options.entries()) await client.lock(`lock ${index}`, option);
    await client.tryLock('tried');
    const limits = [...proxy.sent.matchAll(/"timeLimit":([^,}]+)/g)].map(([, limit]) => JSON.parse(limit as string));
    // The client does not ask for the time that has passed since the call.
    const rounded = limits.map((limit: number | false) => limit && Math.ceil(limit));
    expect(rounded).to.deep.equal([30, 50, 0, false, false, 0]);
  });

  it('is not asked for with a wrong waitMs or signal', async () => {
    for (const waitMs of [-1, Number.NaN, Number.NEGATIVE_INFINITY, '100']) {
      const shown = typeof waitMs === 'string' ? `"${waitMs}"` : waitMs;
      const message = `waitMs is ${shown}; expected a number from 0, or Infinity`;
      await rejects(client.lock('jobs', { waitMs: waitMs as number }), LockInvalidError, message);
    }
    const wrongSignal = client.lock('jobs', JSON.parse('{"signal":"now"}'));
    await rejects(wrongSignal, LockInvalidError, 'signal is "now"; expected an AbortSignal');
    expect((await client.stats()).requests.lock).to.equal(0);
  });

  it('ends with the reason of the signal, on the server too', async () => {
    await other.lock('jobs');
    const waiting = abortable((signal) => client.lock('jobs', { signal, ...FOREVER }));
    await waits(1);
    await waiting.abort();
    await waits(0);
    expect(await other.stats()).to.include({ cancelled: 1, waiting: 0, holders: 1 });
  });

  it('ends with the reason of the signal itself, also when it is an error of this library', async () => {
    await other.lock('jobs');
    const codes = ['timeout', 'closed', 'connectionLost'] as const;
    for (const reason of [new LockClosedError(), ...codes.map((code) => new MessageError(code, 'from elsewhere'))]) {
      const abort = new AbortController();
      const clients = [client, lazyClient()];
      const waiting = clients.map((from) => rejection(from.lock('jobs', { signal: abort.signal })));
      abort.abort(reason);
      expect(await Promise.all(waiting)).to.deep.equal([reason, reason]);
    }
    await waits(0);
  });

  it('does not begin when the signal has aborted before', async () => {
    const reason = new Error('before');
    const signal = AbortSignal.abort(reason);
    for (const call of [client.lock('jobs', { signal }), client.locked('jobs', () => 1, { signal })]) {
      expect(await rejection(call)).to.equal(reason);
    }
    expect((await client.stats()).requests.lock).to.equal(0);
  });

  it('is over with the grant: the signal has no effect on the lock afterwards', async () => {
    const abort = new AbortController();
    const handle = await client.lock('jobs', { signal: abort.signal });
    abort.abort();
    await client.rpc('ping');
    expect(await other.inspect('jobs')).to.include({ holderCount: 1 });
    expect(handle.signal.aborted).to.equal(false);
    expect(await handle.release()).to.equal(true);
    expect((await client.stats()).requests.cancel).to.equal(0);
  });
});
