import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { DelayingProxy } from '../client/delaying-proxy.ts';
import { makeFolder } from '../server/clean-up.ts';
import { open } from '../sessions/session-scene.ts';
import { clusterForEachTest, type RunningNode, untilCluster } from './cluster-scene.ts';

/** Shorter than a lease, so that a grace of one time-out alone would be over too soon. */
const TIMEOUT_SECONDS = 0.5;
/** Of each direction: the next leader grants before the one before is told of it. */
const LATE_MS = 4_000;
const LIMITS = { minSessionTimeoutMs: TIMEOUT_SECONDS * 1_000 };

describe('the rules of a cluster', function () {
  this.timeout(30_000);
  const cluster = clusterForEachTest();

  /** The first leads, and reaches etcd by a proxy. */
  async function startTwo(): Promise<{
    readonly first: RunningNode;
    readonly second: RunningNode;
    readonly proxy: DelayingProxy;
  }> {
    const { node: first, proxy } = await cluster.startBehindProxy('a', { limits: LIMITS });
    await first.untilLogged('leads');
    return { first, second: await cluster.start('b', { limits: LIMITS }), proxy };
  }

  /** Has somebody hold the lock at the first; returns what happened first: that its connection closed, or a grant of the second. */
  async function orderAfter(act: (proxy: DelayingProxy) => void): Promise<string[]> {
    const { first, second, proxy } = await startTwo();
    const order: string[] = [];
    const holder = await first.connect();
    await open(holder, TIMEOUT_SECONDS);
    await holder.take('jobs');
    void holder.closed.then(() => order.push('closed'));
    act(proxy);
    expect(await holder.ask('ping'), 'until then it leads').to.deep.equal({ status: 'ok' });
    await second.untilLogged('leads');
    const waiter = await second.connect();
    await waiter.take('jobs');
    return [...order, 'granted'];
  }

  it('C1: a leader without etcd closes its connections before the next one grants', async () => {
    const order = await orderAfter((proxy) => proxy.fallSilent());
    expect(order).to.deep.equal(['closed', 'granted']);
  });

  it('C1: so does a leader whose etcd answers later than its lease lasts', async () => {
    const order = await orderAfter((proxy) => proxy.slowDown(LATE_MS));
    expect(order).to.deep.equal(['closed', 'granted']);
  });

  it('C2: so does a leader whose key was deleted by hand and who does not hear of it', async () => {
    const order = await orderAfter((proxy) => {
      proxy.delay('toClient');
      cluster.etcd.control('del', cluster.leaderKey);
    });
    expect(order).to.deep.equal(['closed', 'granted']);
  });

  it('C3: a leader answers a client that asks it to make sure once etcd has confirmed its key', async () => {
    const { first, proxy } = await startTwo();
    const [late, inTime] = [await first.connect(), await first.connect()];
    expect(await late.ask('ping', { confirm: true })).to.deep.equal({ status: 'ok' });
    proxy.delay('toClient');
    late.send({ command: 'ping', parameters: { confirm: true }, id: 1 });
    expect(await inTime.ask('ping')).to.deep.equal({ status: 'ok' });
    expect(await late.rest()).to.deep.equal([]);
  });

  it('C7: has saved that tokens are reserved before it serves', async () => {
    const directory = makeFolder();
    let saved = '';
    const whenMade = (): void => {
      saved = readFileSync(join(directory, 'etcd'), 'utf8');
    };
    const node = await cluster.start('a', { directory, whenMade });
    await node.untilLogged('leads');
    const { token } = await cluster.client({ port: node.port }).lock('jobs');
    expect(JSON.parse(saved).token).to.be.above(token);
  });

  it('serves no more when its key was deleted by hand', async () => {
    const { first, second } = await startTwo();
    const client = await first.connect();
    await client.take('jobs');
    cluster.etcd.control('del', cluster.leaderKey);
    await client.closed;
    await second.untilLogged('leads');
    await cluster.settled();
  });

  it('C5: a leader that hands over keeps its key until its holders without a session are done', async () => {
    const { first, second } = await startTwo();
    const [holder, waiter] = [await first.connect(), await first.connect()];
    await holder.take('jobs');
    await waiter.queue(1, 'jobs');
    const closed = first.node.close({ drainMs: 20_000 });
    expect(await waiter.next()).to.deep.equal({ id: 1, result: { status: 'draining' } });
    expect(JSON.parse(cluster.leaderText())).to.include({ node: 'a' });
    expect(await holder.ask('unlock', { lockName: 'jobs' })).to.include({ status: 'ok' });
    await closed;
    await second.untilLogged('leads');
  });

  it('C1: a leader that is replaced while it hands over waits for nobody', async () => {
    const { first } = await startTwo();
    const holder = await first.connect();
    await holder.take('jobs');
    const closed = first.node.close({ drainMs: 600_000 });
    cluster.etcd.control('del', cluster.leaderKey);
    await holder.closed;
    await closed;
  });

  it('C8: a standby closes what it forwards when the leader changes, before the old one knows', async () => {
    const { first, proxy } = await startTwo();
    const standby = await cluster.start('c', { limits: LIMITS });
    const [forwarded, direct] = [await standby.connect(), await first.connect()];
    await forwarded.take('jobs');
    proxy.delay('toClient');
    cluster.etcd.control('del', cluster.leaderKey);
    await forwarded.closed;
    expect(await direct.ask('ping')).to.deep.equal({ status: 'ok' });
  });

  it('C8: a standby without etcd closes what it forwards, though the leader is well', async () => {
    await cluster.start('a');
    await cluster.settled();
    const { node: standby, proxy } = await cluster.startBehindProxy('b');
    await cluster.settled();
    const forwarded = await standby.connect();
    await forwarded.take('jobs');
    proxy.fallSilent();
    await forwarded.closed;
    const refused = await standby.connect();
    expect(await refused.ask('hello', { protocol: 1 })).to.deep.equal({ status: 'unavailable', reason: 'noQuorum' });
  });

  it('gives up a key that came late, by which nobody leads', async () => {
    const node = await cluster.start('a');
    await node.untilLogged('leads');
    const text = cluster.leaderText();
    node.node.stepDown();
    await untilCluster(() => cluster.leaderText() === '');
    // As if etcd had carried out the election only now.
    cluster.etcd.control('put', cluster.leaderKey, text);
    await untilCluster(() => node.logger.entries.filter(({ message }) => message === 'leads').length === 2);
  });

  it('stands by again when it is replaced before it serves', async () => {
    const { first } = await startTwo();
    let isFirstTime = true;
    const third = await cluster.start('c', {
      limits: LIMITS,
      whenMade: () => {
        if (isFirstTime) cluster.etcd.control('del', cluster.leaderKey);
        isFirstTime = false;
      },
    });
    await cluster.nodes[1]?.node.close();
    const holder = await first.connect();
    await open(holder, TIMEOUT_SECONDS);
    await holder.take('jobs');
    // What it has saved must be deleted by the next leader before it serves.
    first.node.stepDown();
    await untilCluster(() => !isFirstTime);
    const terms = (): number =>
      [first, third].flatMap(({ logger }) => logger.shown).filter((each) => each === 'leads').length;
    await untilCluster(() => terms() === 2);
    await cluster.settled([first, third]);
  });
});
