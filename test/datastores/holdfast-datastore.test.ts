import { expect } from 'chai';
import { HoldfastDatastore, Lock } from '../../lib/datastores/index.ts';
import { until } from '../server/raw-client.ts';
import { serverForEachTest } from '../server/running-server.ts';
import { errorOf } from '../support/rejection.ts';

describe('the datastore holdfast', () => {
  const server = serverForEachTest({ maxNameBytes: 20 });

  it('frees its locks when its connection ends, with no time to live', async () => {
    const client = await server.client();
    const [lock, next] = [
      new Lock(new HoldfastDatastore(client), 'jobs'),
      new Lock(new HoldfastDatastore(await server.client()), 'jobs'),
    ];
    expect(await lock.acquire()).to.equal(true);
    await client.close();
    await until(() => next.acquire());
    expect(await lock.release()).to.equal(false);
    expect(await next.acquire()).to.equal(false);
    expect(await next.release()).to.equal(true);
  });

  it('excludes clients that take the lock without a datastore', async () => {
    const client = await server.client();
    const lock = new Lock(new HoldfastDatastore(client), 'jobs');
    const handle = await client.tryLock('dlock:jobs');
    expect(await lock.acquire()).to.equal(false);
    expect(await lock.release()).to.equal(false);
    await handle?.release();
    expect(await lock.acquire()).to.equal(true);
    expect(await client.tryLock('dlock:jobs')).to.equal(null);
  });

  it('rejects when the server refuses', async () => {
    const lock = new Lock(new HoldfastDatastore(await server.client()), 'a name that is too long');
    expect(await errorOf(lock.acquire())).to.include({ name: 'LockLimitError', code: 'limit' });
  });

  it('rejects when the connection is closed', async () => {
    const client = await server.client();
    const lock = new Lock(new HoldfastDatastore(client), 'jobs');
    await client.close();
    expect(await errorOf(lock.acquire())).to.include({ name: 'LockClosedError', code: 'closed' });
  });
});
