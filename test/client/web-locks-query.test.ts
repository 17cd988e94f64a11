import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import { LockDeniedError } from '../../lib/client/lock-error.ts';
import type { WebLockInfo } from '../../lib/client/web-locks/web-lock-manager.ts';
import { until } from '../server/raw-client.ts';
import { startServer } from '../server/running-server.ts';
import { rejects } from '../support/rejection.ts';
import { client, lazyClient, other, server } from './client-scene.ts';
import { HeldRequest, hold, locks, webLocksScene } from './web-locks-scene.ts';

describe('a query of the Web Locks API', () => {
  webLocksScene({ client: { name: 'Ann' } });

  it('is empty when nothing is held', async () => {
    expect(await locks.query()).to.deep.equal({ held: [], pending: [] });
  });

  it('lists held locks and waiting requests with name, mode and client', async () => {
    const clientId = await idOf(client);
    expect(clientId).to.match(/^Ann at 127\.0\.0\.1:\d+$/);
    await locks.request('jobs', async () => {
      void new HeldRequest(locks, 'jobs', { mode: 'shared' });
      expect(await locks.query()).to.deep.equal({
        held: [{ name: 'jobs', mode: 'exclusive', clientId }],
        pending: [{ name: 'jobs', mode: 'shared', clientId }],
      });
    });
  });

  it('sees every request made before it, also before there was a connection', async () => {
    const lazy = lazyClient();
    void new HeldRequest(lazy.locks, 'jobs');
    void new HeldRequest(lazy.locks, 'jobs');
    const { held, pending } = await lazy.locks.query();
    expect([...held, ...pending].map(({ name }) => name)).to.deep.equal(['jobs', 'jobs']);
  });

  it('has one id for each client', async () => {
    const [own, others] = [await idOf(client), await idOf(other)];
    expect(own).to.not.equal(others);
    const requests = [new HeldRequest(locks, 'a'), new HeldRequest(other.locks, 'b')];
    await Promise.all(requests.map(({ granted }) => granted));
    void new HeldRequest(locks, 'b');
    void new HeldRequest(other.locks, 'a');
    await other.rpc('ping');
    const { held, pending } = await locks.query();
    const ids = (infos: readonly WebLockInfo[]): object =>
      Object.fromEntries(infos.map(({ name, clientId }) => [name, clientId]));
    expect(ids(held)).to.deep.equal({ a: own, b: others });
    expect(ids(pending)).to.deep.equal({ a: others, b: own });
  });

  it('lists the waiting requests for a lock in the order in which they were made', async () => {
    const third = await server.client();
    const [one, two, three] = [await idOf(client), await idOf(other), await idOf(third)];
    for (const order of [
      [client, other, third],
      [third, client, other],
    ]) {
      const holder = await hold(locks, 'jobs');
      const requests: HeldRequest[] = [];
      for (const from of order) {
        requests.push(new HeldRequest(from.locks, 'jobs'));
        await from.rpc('ping');
      }
      const { pending } = await other.locks.query();
      const expected = order[0] === client ? [one, two, three] : [three, one, two];
      expect(pending.map(({ clientId }) => clientId)).to.deep.equal(expected);
      for (const { release, settled } of [holder, ...requests]) {
        release();
        await settled;
      }
    }
  });

  it('lists held locks in the order of their grants, whatever the names', async () => {
    const names = ['c', 'a', 'b'];
    for (const name of names) await hold(locks, name);
    expect((await locks.query()).held.map(({ name }) => name)).to.deep.equal(names);
  });

  it('lists waiting requests for several locks in the order in which they were made, as far as it can', async () => {
    for (const name of ['a', 'b']) await hold(locks, name);
    void new HeldRequest(locks, 'b', { mode: 'shared' });
    await until(async () => ((await client.inspect('b')).waiters[0]?.waitedMs ?? 0) > 100);
    void new HeldRequest(locks, 'a');
    void new HeldRequest(locks, 'b');
    const { pending } = await locks.query();
    expect(pending[0]).to.include({ name: 'b', mode: 'shared' });
    expect(pending.map(({ name }) => name)).to.have.members(['a', 'b', 'b']);
  });

  it('lists locks taken with lock(), but no permits', async () => {
    await other.lock('by lock()');
    await other.lock('by lock()', { mode: 'permit', limit: 1 });
    void other.lock('by lock()', { mode: 'permit', limit: 1 }).catch(() => {});
    await other.lock('permit', { mode: 'permit' });
    const clientId = await idOf(other);
    expect(await locks.query()).to.deep.equal({
      held: [{ name: 'by lock()', mode: 'exclusive', clientId }],
      pending: [],
    });
  });

  it('reads as many pages as there are', async () => {
    const few = await startServer({ maxPageEntries: 10 });
    const [own, reader] = [await few.client(), await few.client()];
    const names = Array.from({ length: 35 }, (_, index) => `lock ${index}`);
    await Promise.all(names.map((name) => new HeldRequest(own.locks, name).granted));
    const { held } = await reader.locks.query();
    expect(held.map(({ name }) => name)).to.deep.equal(names);
  });

  it('leaves lone surrogates in names unchanged', async () => {
    await locks.request('\uD800', async () => {
      expect((await other.locks.query()).held.map(({ name }) => name)).to.deep.equal(['\uD800']);
    });
  });

  it('is refused when the setting dump of the server is off', async () => {
    const silent = await startServer({}, undefined, { dump: false });
    const asking = await silent.client();
    await rejects(asking.locks.query(), LockDeniedError);
  });

  /** The id of a client, as others see it. */
  async function idOf(from: LockClient): Promise<string> {
    const { name, address } = await from.rpc('whoami');
    return name === '' ? String(address) : `${name} at ${address}`;
  }
});
