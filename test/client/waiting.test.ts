import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import { LockClosedError, LockError, LockInvalidError, LockTimeoutError } from '../../lib/client/lock-error.ts';
import { MessageError } from '../../lib/message/message-error.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';
import { DelayingProxy } from './delaying-proxy.ts';
import { rejection } from './rejection.ts';

describe('a wait for a lock', () => {
  let server: RunningServer;
  let holder: LockClient;
  let client: LockClient;

  beforeEach(async () => {
    server = await startServer();
    holder = await server.client();
    client = await server.client();
  });
  afterEach(endTest);

  it('ends with a LockError of the code timeout when waitMs are over', async () => {
    await holder.lock('jobs');
    const error = await rejection(client.lock('jobs', { waitMs: 20 }));
    expect(error).to.be.instanceOf(LockTimeoutError).and.include({ code: 'timeout', name: 'LockTimeoutError' });
    expect((error as LockError).message).to.match(/^the lock "jobs" was not granted: timeout/);
    await nobodyWaits();
  });

  it('ends with the same when waitMs is 0 and the lock is held', async () => {
    await holder.lock('jobs');
    expect(await rejection(client.lock('jobs', { waitMs: 0 })))
      .to.be.instanceOf(LockError)
      .and.include({
        code: 'timeout',
      });
    expect(await client.lock('free', { waitMs: 0 })).to.include({ name: 'free' });
  });

  it('is asked for in seconds: 30 unless waitMs says otherwise, no limit for Infinity', async () => {
    const proxy = await DelayingProxy.start(server.port);
    const counted = await server.client({ port: proxy.port });
    const options = [{}, { waitMs: 50_000 }, { waitMs: 0 }, { waitMs: Number.POSITIVE_INFINITY }, { waitMs: 1e13 }];
    for (const [index, option] of options.entries()) await counted.lock(`lock ${index}`, option);
    await counted.tryLock('tried');
    const limits = [...proxy.sent.matchAll(/"timeLimit":([^,}]+)/g)].map(([, limit]) => JSON.parse(limit as string));
    // What has passed since the call is not asked for.
    const rounded = limits.map((limit: number | false) => limit && Math.ceil(limit));
    expect(rounded).to.deep.equal([30, 50, 0, false, false, 0]);
  });

  it('without a limit ends with the grant', async () => {
    const handle = await holder.lock('jobs');
    const waiting = client.lock('jobs', { waitMs: Number.POSITIVE_INFINITY });
    await client.rpc('ping');
    await handle.release();
    expect((await waiting).token).to.equal(2);
  });

  it('cannot be shorter than nothing', async () => {
    for (const waitMs of [-1, Number.NaN, Number.NEGATIVE_INFINITY]) {
      const error = await rejection(client.lock('jobs', { waitMs }));
      expect(error).to.be.instanceOf(LockInvalidError).and.include({ code: 'invalid' });
      expect((error as Error).message).to.equal(`waitMs is ${waitMs}; expected a number from 0, or Infinity`);
    }
    const text = await rejection(client.lock('jobs', JSON.parse('{"waitMs":"100"}')));
    expect(text).to.be.instanceOf(LockInvalidError);
    expect((text as Error).message).to.equal('waitMs is "100"; expected a number from 0, or Infinity');
    expect((await client.stats()).requests.lock).to.equal(0);
  });

  it('ends with the reason of the signal, on the server too', async () => {
    await holder.lock('jobs');
    const abort = new AbortController();
    const waiting = rejection(client.lock('jobs', { signal: abort.signal, waitMs: Number.POSITIVE_INFINITY }));
    await client.rpc('ping');
    expect((await holder.inspect('jobs')).waiterCount).to.equal(1);
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await waiting).to.equal(reason);
    await client.rpc('ping');
    await nobodyWaits();
    expect(await holder.stats()).to.include({ cancelled: 1, waiting: 0 });
  });

  it('ends with the reason of the signal as it is, also when that is an error of this library', async () => {
    await holder.lock('jobs');
    const reasons = [
      new LockClosedError(),
      new MessageError('timeout', 'from elsewhere'),
      new MessageError('closed', 'from elsewhere'),
      new MessageError('connectionLost', 'from elsewhere'),
    ];
    for (const reason of reasons) {
      const abort = new AbortController();
      const unconnected = new LockClient({ port: server.port });
      whenTestEnds(() => unconnected.close());
      const waiting = [client, unconnected].map((from) => rejection(from.lock('jobs', { signal: abort.signal })));
      abort.abort(reason);
      expect(await Promise.all(waiting)).to.deep.equal([reason, reason]);
    }
    await client.rpc('ping');
    await nobodyWaits();
  });

  it('ends by a signal for one flow, and goes on for the other', async () => {
    const handle = await holder.lock('jobs');
    const abort = new AbortController();
    const aborted = rejection(client.lock('jobs', { signal: abort.signal }));
    const waiting = client.lock('jobs');
    abort.abort();
    expect(await aborted).to.have.property('name', 'AbortError');
    await client.rpc('ping');
    expect((await holder.inspect('jobs')).waiterCount).to.equal(1);
    await handle.release();
    expect((await waiting).token).to.equal(2);
  });

  it('does not begin with a signal that is none', async () => {
    const error = await rejection(client.lock('jobs', JSON.parse('{"signal":"now"}')));
    expect(error).to.be.instanceOf(LockInvalidError);
    expect((error as Error).message).to.equal('signal is "now"; expected an AbortSignal');
    expect((await client.stats()).requests.lock).to.equal(0);
  });

  it('does not begin when the signal has aborted before', async () => {
    const reason = new Error('before');
    expect(await rejection(client.lock('jobs', { signal: AbortSignal.abort(reason) }))).to.equal(reason);
    expect(await rejection(client.locked('jobs', () => 1, { signal: AbortSignal.abort(reason) }))).to.equal(reason);
    expect((await client.stats()).requests.lock).to.equal(0);
  });

  it('is over with the grant: the signal has no effect on the lock afterwards', async () => {
    const abort = new AbortController();
    const handle = await client.lock('jobs', { signal: abort.signal });
    abort.abort();
    await client.rpc('ping');
    expect(await holder.inspect('jobs')).to.include({ holderCount: 1 });
    expect(handle.signal.aborted).to.equal(false);
    expect(await handle.release()).to.equal(true);
    expect((await client.stats()).requests.cancel).to.equal(0);
  });

  it('ends with a LockError of the code cancelled when the server is told to end it', async () => {
    await holder.lock('jobs');
    const waiting = rejection(client.lock('jobs'));
    await client.rpc('unlockAll');
    expect(await waiting)
      .to.be.instanceOf(LockError)
      .and.include({ code: 'cancelled' });
  });

  it('ends when the client is closed, or the connection is cut for good', async () => {
    await holder.lock('jobs');
    const waiting = rejection(client.lock('jobs'));
    await client.rpc('ping');
    await client.close();
    expect(await waiting)
      .to.be.instanceOf(LockClosedError)
      .and.include({ code: 'closed' });
    const proxy = await DelayingProxy.start(server.port);
    const cut = await server.client({ port: proxy.port, reconnect: false });
    const lost = rejection(cut.lock('jobs'));
    await cut.rpc('ping');
    proxy.cut();
    expect(await lost)
      .to.be.instanceOf(MessageError)
      .and.include({ code: 'connectionLost' });
    await until(async () => (await holder.inspect('jobs')).waiterCount === 0);
  });

  async function nobodyWaits(): Promise<void> {
    expect(await holder.inspect('jobs')).to.include({ holderCount: 1, waiterCount: 0 });
  }
});
