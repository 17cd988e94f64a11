import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import { LockClosedError, LockTimeoutError } from '../../lib/client/lock-error.ts';
import type { ServerEvent } from '../../lib/message/message-client.ts';
import { rejects } from '../support/rejection.ts';
import { AT_ONCE, client, clientScene, emitted, other, proxy, throughProxy } from './client-scene.ts';

describe('the events of a client', () => {
  clientScene({ switches: { forceUnlock: true }, client: { reconnect: AT_ONCE } });

  it('can be read in a loop until the loop is left', async () => {
    const events = client.events();
    for (const name of ['a', 'b', 'c']) await loseLock(client, name);
    const names: unknown[] = [];
    for await (const { lockName } of events) {
      names.push(lockName);
      if (lockName === 'b') break;
    }
    expect(names).to.deep.equal(['a', 'b']);
    expect(await events.next()).to.deep.equal({ done: true, value: undefined });
    expect([client.listenerCount('event'), client.listenerCount('close')]).to.deep.equal([0, 0]);
  });

  it('go to waiting readers in the order of their reads', async () => {
    const events = client.events();
    const reads = [events.next(), events.next()];
    await loseLock(client, 'a');
    await loseLock(client, 'b');
    expect((await Promise.all(reads)).map(({ value }) => (value as ServerEvent).lockName)).to.deep.equal(['a', 'b']);
  });

  it('are kept for a slow reader up to a bound; then the oldest are dropped', async () => {
    const slow = await throughProxy({ maxBufferedEvents: 2 });
    const events = slow.events();
    for (const name of ['a', 'b', 'c', 'd']) await loseLock(slow, name);
    expect(events.dropped).to.equal(2);
    await slow.close();
    const names: unknown[] = [];
    for await (const { lockName } of events) names.push(lockName);
    expect(names).to.deep.equal(['c', 'd']);
  });

  it('end for all waiting readers when the client is closed, and never begin afterwards', async () => {
    const events = client.events();
    const reads = [events.next(), events.next()];
    await client.close();
    for (const read of reads) expect(await read).to.deep.equal({ done: true, value: undefined });
    expect(await client.events().next()).to.deep.equal({ done: true, value: undefined });
  });

  it('continue over many connections', async () => {
    const events = client.events();
    await loseLock(client, 'a');
    const again = emitted(client, 'connect');
    proxy.cut();
    await again;
    await loseLock(client, 'b');
    expect([(await events.next()).value?.lockName, (await events.next()).value?.lockName]).to.deep.equal(['a', 'b']);
  });

  it('leave no listener behind, even on a signal, whichever way calls end', async () => {
    const { signal } = new AbortController();
    await (await client.lock('a', { signal })).release();
    const handle = await client.lock('a', { signal, leaseMs: 60_000 });
    expect(await client.tryLock('a', { signal })).to.equal(null);
    await rejects(client.lockAll(['a', 'b'], { signal, waitMs: 5 }), LockTimeoutError);
    await rejects(client.lock('a', { signal, owner: handle.owner, waitMs: 5 }), LockTimeoutError);
    await handle.lock('b', { signal });
    expect(await client.rpc('ping', {}, { signal })).to.include({ status: 'ok' });
    const waiting = rejects(client.lock('a', { signal }), LockClosedError);
    await client.close();
    await waiting;
    for (const each of [signal, handle.signal]) expect(getEventListeners(each, 'abort')).to.have.lengthOf(0);
  });

  /** Returns once the client has noticed. */
  async function loseLock(holder: LockClient, name: string): Promise<void> {
    await holder.lock(name);
    await other.forceUnlock(name);
    await holder.rpc('ping');
  }
});
