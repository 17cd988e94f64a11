import { join } from 'node:path';
import { expect } from 'chai';
import { createClientPool, createCluster } from 'redis';
import { RedisDatastore } from '../../lib/datastores/index.ts';
import { needs } from '../foreign/system-program.ts';
import { endTest, makeFolder, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { errorOf } from '../support/rejection.ts';
import { connectToRedis, type RedisConnection, type StoreServer, startRedis } from './real-stores.ts';

const KEY = 'dlock:jobs';
const SHORT_TTL_SECONDS = 0.02;

describe('the datastore Redis', () => {
  let server: StoreServer;
  let client: RedisConnection;

  before(function () {
    needs(this, 'redis-server');
  });
  beforeEach(async () => {
    server = await startRedis();
    client = await connectToRedis(server.port);
  });
  afterEach(endTest);

  it('takes a lock and sets its time to live in one command', async () => {
    await new RedisDatastore(client, { ttlSeconds: 100 }).acquireLock(KEY);
    expect(await client.sendCommand(['PTTL', KEY])).to.be.within(1, 100_000);
    expect(await commandsOnKeys()).to.have.members(['set', 'pttl']);
  });

  it('has a time to live of an hour if none is given', async () => {
    await new RedisDatastore(client).acquireLock(KEY);
    expect(await client.sendCommand(['PTTL', KEY])).to.be.within(3_000_000, 3_600_000);
  });

  it('leaves the time to live alone when the lock is taken', async () => {
    await new RedisDatastore(client, { ttlSeconds: 100 }).acquireLock(KEY);
    await new RedisDatastore(client, { ttlSeconds: 1_000 }).acquireLock(KEY);
    expect(await client.sendCommand(['PTTL', KEY])).to.be.within(1, 100_000);
  });

  it('tells the holder that its time was over, even if nobody took the lock since', async () => {
    const datastore = new RedisDatastore(client, { ttlSeconds: SHORT_TTL_SECONDS });
    await datastore.acquireLock(KEY);
    await until(async () => !(await exists()));
    expect(await datastore.releaseLock(KEY)).to.equal(false);
  });

  it('rejects when the server is gone', async () => {
    const datastore = new RedisDatastore(client);
    await datastore.acquireLock(KEY);
    await server.program.kill();
    await errorOf(datastore.acquireLock('dlock:other'));
    await errorOf(datastore.releaseLock(KEY));
  });

  it('rejects when the server refuses, and can still release', async () => {
    const datastore = new RedisDatastore(client);
    await datastore.acquireLock(KEY);
    await client.sendCommand(['CONFIG', 'SET', 'maxmemory', '1']);
    expect((await errorOf(datastore.acquireLock('dlock:other'))).message).to.match(/^OOM /);
    expect(await datastore.releaseLock(KEY)).to.equal(true);
  });

  it('can release again after a release that failed', async () => {
    const datastore = new RedisDatastore(client);
    await datastore.acquireLock(KEY);
    const token = (await client.sendCommand(['GET', KEY])) as string;
    await client.sendCommand(['DEL', KEY]);
    await client.sendCommand(['LPUSH', KEY, 'no string']);
    expect((await errorOf(datastore.releaseLock(KEY))).message).to.match(/WRONGTYPE/);
    await client.sendCommand(['DEL', KEY]);
    await client.sendCommand(['SET', KEY, token]);
    expect(await datastore.releaseLock(KEY)).to.equal(true);
  });

  it('works with a pool of clients', async () => {
    const pool = createClientPool({ socket: { host: '127.0.0.1', port: server.port } });
    await pool.connect();
    whenTestEnds(() => pool.destroy());
    await excludes(new RedisDatastore(pool), new RedisDatastore(client));
  });

  it('works with a cluster', async () => {
    const nodes = join(makeFolder(), 'nodes.conf');
    const { port } = await startRedis('--cluster-enabled', 'yes', '--cluster-config-file', nodes);
    const node = await connectToRedis(port);
    await node.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '0', '16383']);
    await until(async () => String(await node.sendCommand(['CLUSTER', 'INFO'])).includes('cluster_state:ok'));
    const cluster = createCluster({ rootNodes: [{ socket: { host: '127.0.0.1', port } }] });
    await cluster.connect();
    whenTestEnds(() => cluster.destroy());
    await excludes(new RedisDatastore(cluster), new RedisDatastore(node));
  });

  it('rejects a wrong time to live', () => {
    const expected = 'expected a number of seconds from 0.001 to 1000000000';
    for (const ttlSeconds of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5' as unknown as number]) {
      const make = (): unknown => new RedisDatastore(client, { ttlSeconds });
      expect(make).to.throw(RangeError, `ttlSeconds is ${ttlSeconds}; ${expected}`);
    }
  });

  async function exists(): Promise<boolean> {
    return (await client.sendCommand(['EXISTS', KEY])) === 1;
  }

  /** The commands on keys that the server has carried out. */
  async function commandsOnKeys(): Promise<string[]> {
    const statistics = String(await client.sendCommand(['INFO', 'commandstats']));
    const commands = [...statistics.matchAll(/^cmdstat_(\w+):calls=1,/gm)].map(([, command]) => command as string);
    return commands.filter((command) => !['hello', 'client', 'info', 'ping'].includes(command));
  }

  async function excludes(one: RedisDatastore, other: RedisDatastore): Promise<void> {
    expect(await one.acquireLock(KEY)).to.equal(true);
    expect(await other.acquireLock(KEY)).to.equal(false);
    expect(await one.releaseLock(KEY)).to.equal(true);
    expect(await other.acquireLock(KEY)).to.equal(true);
  }
});
