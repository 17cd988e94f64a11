import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import type { LockHandle } from '../../lib/client/lock-handle.ts';
import { until } from '../server/raw-client.ts';
import { client, clientScene, emitted, other, proxy } from './client-scene.ts';

const FULL = { maxPendingRequests: 2, reconnect: { minDelayMs: 1, maxDelayMs: 20 } };

/** Makes as many calls as the client may have in flight: they wait for locks that another holds. */
async function fill(full: LockClient, holder: LockClient): Promise<readonly Promise<LockHandle>[]> {
  const names = ['taken', 'taken too'];
  for (const name of names) await holder.lock(name);
  const waiting = names.map((name) => full.lock(name));
  for (const call of waiting) call.catch(() => {});
  const refused = await full.rpc('stats', {}).then(
    () => 'answered',
    ({ code }) => code,
  );
  expect(refused).to.equal('limit');
  return waiting;
}

describe('a client with as many calls in flight as it may have', () => {
  clientScene({ client: FULL });

  it('releases a lock', async () => {
    const handle = await client.lock('jobs');
    await fill(client, other);
    expect(await handle.release()).to.equal(true);
    expect(await other.tryLock('jobs')).not.to.equal(null);
  });

  it('renews a lease', async () => {
    const handle = await client.lock('jobs', { leaseMs: 300 });
    await fill(client, other);
    proxy.sent = '';
    await until(() => proxy.sent.split('"lease":').length > 3);
    expect(await handle.confirm()).to.equal(true);
  });

  it('confirms and resumes', async () => {
    const handle = await client.lock('jobs');
    const [waiting] = await fill(client, other);
    expect(await handle.confirm()).to.equal(true);
    const resumed = emitted(client, 'resume');
    proxy.reset();
    await resumed;
    expect(await handle.confirm()).to.equal(true);
    await other.close();
    expect((await waiting)?.token).to.be.above(handle.token);
  });
});

describe('a client with as many requests waiting as the server takes', () => {
  clientScene({ limits: { maxPendingRequests: 2 } });

  it('keeps a lock whose lease could not be renewed at first', async () => {
    const handle = await client.lock('jobs', { leaseMs: 900 });
    const held = [await other.lock('taken'), await other.lock('taken too')] as const;
    const waiting = held.map(({ name }) => client.lock(name));
    await until(async () => ((await other.stats()).refusals.maxPendingRequests ?? 0) > 0);
    await held[0].release();
    await waiting[0];
    proxy.sent = '';
    await until(() => proxy.sent.split('"lease":').length > 3);
    expect(await handle.confirm()).to.equal(true);
    await held[1].release();
    await waiting[1];
  });
});
