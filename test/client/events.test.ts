import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import type { ServerEvent } from '../../lib/message/message-client.ts';
import { endTest } from '../server/clean-up.ts';
import { LogRecorder, type RunningServer, startServer } from '../server/running-server.ts';
import { DelayingProxy } from './delaying-proxy.ts';

describe('the events of a client', () => {
  let server: RunningServer;
  let other: LockClient;

  beforeEach(async () => {
    server = await startServer({}, new LogRecorder(), { forceUnlock: true });
    other = await server.client();
  });
  afterEach(endTest);

  it('can be read in a loop until the loop is left', async () => {
    const client = await server.client();
    const events = client.events();
    for (const name of ['a', 'b', 'c']) await loseLock(client, name);
    const names: unknown[] = [];
    for await (const { lockName } of events) {
      names.push(lockName);
      if (lockName === 'b') break;
    }
    expect(names).to.deep.equal(['a', 'b']);
    expect(await events.next()).to.deep.equal({ done: true, value: undefined });
    expect({ event: client.listenerCount('event'), close: client.listenerCount('close') }).to.deep.equal({
      event: 0,
      close: 0,
    });
  });

  it('go to waiting readers in the order of their reads', async () => {
    const client = await server.client();
    const events = client.events();
    const reads = [events.next(), events.next()];
    await loseLock(client, 'a');
    await loseLock(client, 'b');
    expect((await Promise.all(reads)).map(({ value }) => (value as ServerEvent).lockName)).to.deep.equal(['a', 'b']);
  });

  it('are kept for a slow reader up to a bound; then the oldest are dropped', async () => {
    const client = await server.client({ maxBufferedEvents: 2 });
    const events = client.events();
    for (const name of ['a', 'b', 'c', 'd']) await loseLock(client, name);
    expect(events.dropped).to.equal(2);
    await client.close();
    const names: unknown[] = [];
    for await (const { lockName } of events) names.push(lockName);
    expect(names).to.deep.equal(['c', 'd']);
  });

  it('end for all waiting readers when the client is closed, and never begin afterwards', async () => {
    const client = await server.client();
    const events = client.events();
    const reads = [events.next(), events.next()];
    await client.close();
    for (const read of reads) expect(await read).to.deep.equal({ done: true, value: undefined });
    expect(await client.events().next()).to.deep.equal({ done: true, value: undefined });
  });

  it('continue over many connections', async () => {
    const proxy = await DelayingProxy.start(server.port);
    const client = await server.client({ port: proxy.port, reconnect: { minDelayMs: 0, maxDelayMs: 0 } });
    const events = client.events();
    await loseLock(client, 'a');
    const again = new Promise<void>((resolve) => client.once('connect', resolve));
    proxy.cut();
    await again;
    await loseLock(client, 'b');
    expect([(await events.next()).value?.lockName, (await events.next()).value?.lockName]).to.deep.equal(['a', 'b']);
  });

  it('leave no listener behind, even on a signal, however calls end', async () => {
    const client = await server.client();
    const { signal } = new AbortController();
    await (await client.lock('a', { signal })).release();
    const handle = await client.lock('a', { signal, leaseMs: 60_000 });
    expect(await client.tryLock('a', { signal })).to.equal(null);
    expect(await client.lockAll(['a', 'b'], { signal, waitMs: 5 }).catch(() => 'timeout')).to.equal('timeout');
    expect(await client.lock('a', { signal, owner: handle.owner, waitMs: 5 }).catch(() => 'timeout')).to.equal(
      'timeout',
    );
    await handle.lock('b', { signal });
    expect(await client.rpc('ping', {}, { signal })).to.include({ status: 'ok' });
    const waiting = client.lock('a', { signal }).catch(() => 'closed');
    await client.close();
    expect(await waiting).to.equal('closed');
    expect(getEventListeners(signal, 'abort')).to.have.lengthOf(0);
    expect(getEventListeners(handle.signal, 'abort')).to.have.lengthOf(0);
  });

  /** Returns once the client has noticed. */
  async function loseLock(client: LockClient, name: string): Promise<void> {
    await client.lock(name);
    await other.forceUnlock(name);
    await client.rpc('ping');
  }
});
