import { expect } from 'chai';
import { LockClient } from '../../lib/client/lock-client.ts';
import type { WebLockInfo } from '../../lib/client/web-locks/web-lock-snapshot.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';
import { rejection } from './rejection.ts';
import { HeldRequest } from './web-locks-scene.ts';

describe('a query of the Web Locks API', () => {
  let server: RunningServer;
  let client: LockClient;
  let other: LockClient;

  beforeEach(async () => {
    server = await startServer();
    client = await server.client({ name: 'Ann' });
    other = await server.client();
  });
  afterEach(endTest);

  it('tells of nothing when nothing is held', async () => {
    expect(await client.locks.query()).to.deep.equal({ held: [], pending: [] });
  });

  it('tells what is held and what is requested, by name, mode and client', async () => {
    const clientId = await idOf(client);
    expect(clientId).to.match(/^Ann at 127\.0\.0\.1:\d+$/);
    await client.locks.request('jobs', async () => {
      void new HeldRequest(client.locks, 'jobs', { mode: 'shared' });
      expect(await client.locks.query()).to.deep.equal({
        held: [{ name: 'jobs', mode: 'exclusive', clientId }],
        pending: [{ name: 'jobs', mode: 'shared', clientId }],
      });
    });
  });

  it('sees every request that was made before it, also when there was no connection', async () => {
    const lazy = new LockClient({ port: server.port });
    whenTestEnds(() => lazy.close());
    void new HeldRequest(lazy.locks, 'jobs');
    void new HeldRequest(lazy.locks, 'jobs');
    const { held, pending } = await lazy.locks.query();
    expect([...held, ...pending].map(({ name }) => name)).to.deep.equal(['jobs', 'jobs']);
  });

  it('counts shared locks one by one', async () => {
    const shared = { mode: 'shared' } as const;
    await client.locks.request('jobs', shared, async () => {
      void new HeldRequest(client.locks, 'jobs', shared);
      expect(modes((await client.locks.query()).held)).to.deep.equal(['shared', 'shared']);
    });
  });

  it('tells clients apart, and has one id for all that a client does', async () => {
    const [own, others] = [await idOf(client), await idOf(other)];
    expect(own).to.not.equal(others);
    const requests = [new HeldRequest(client.locks, 'a'), new HeldRequest(other.locks, 'b')];
    await Promise.all(requests.map(({ granted }) => granted));
    void new HeldRequest(client.locks, 'b');
    void new HeldRequest(other.locks, 'a');
    await other.rpc('ping');
    const { held, pending } = await client.locks.query();
    const ids = (infos: readonly WebLockInfo[]): object =>
      Object.fromEntries(infos.map(({ name, clientId }) => [name, clientId]));
    expect(ids(held)).to.deep.equal({ a: own, b: others });
    expect(ids(pending)).to.deep.equal({ a: others, b: own });
  });

  it('lists the requests for a lock in the order in which they were made', async () => {
    const third = await server.client();
    const [one, two, three] = [await idOf(client), await idOf(other), await idOf(third)];
    for (const order of [
      [client, other, third],
      [third, client, other],
    ]) {
      const holder = new HeldRequest(client.locks, 'jobs');
      await holder.granted;
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

  it('lists what is held in the order of the grants, whatever the names', async () => {
    const names = ['c', 'a', 'b'];
    for (const name of names) await new HeldRequest(client.locks, name).granted;
    expect((await client.locks.query()).held.map(({ name }) => name)).to.deep.equal(names);
  });

  it('lists requests for several locks as far as it can in the order in which they were made', async () => {
    for (const name of ['a', 'b']) await new HeldRequest(client.locks, name).granted;
    void new HeldRequest(client.locks, 'b', { mode: 'shared' });
    await until(async () => ((await client.inspect('b')).waiters[0]?.waitedMs ?? 0) > 100);
    void new HeldRequest(client.locks, 'a');
    void new HeldRequest(client.locks, 'b');
    const { pending } = await client.locks.query();
    expect(pending[0]).to.include({ name: 'b', mode: 'shared' });
    expect(pending.map(({ name }) => name)).to.have.members(['a', 'b', 'b']);
  });

  it('tells of locks that were taken otherwise, and not of permits', async () => {
    await other.lock('by lock()');
    await other.lock('by lock()', { mode: 'permit', limit: 1 });
    void other.lock('by lock()', { mode: 'permit', limit: 1 }).catch(() => {});
    await other.lock('permit', { mode: 'permit' });
    const clientId = await idOf(other);
    expect(await client.locks.query()).to.deep.equal({
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

  it('has names that are lone surrogates as they are', async () => {
    await client.locks.request('\uD800', async () => {
      expect((await other.locks.query()).held.map(({ name }) => name)).to.deep.equal(['\uD800']);
    });
  });

  it('is refused where the server is set to tell nobody', async () => {
    const silent = await startServer({}, undefined, { dump: false });
    const asking = await silent.client();
    expect(await rejection(asking.locks.query())).to.include({ code: 'denied' });
  });

  function modes(infos: readonly WebLockInfo[]): string[] {
    return infos.map(({ mode }) => mode);
  }

  /** As others see it. */
  async function idOf(from: LockClient): Promise<string> {
    const { name, address } = await from.rpc('whoami');
    return name === '' ? String(address) : `${name} at ${address}`;
  }
});
