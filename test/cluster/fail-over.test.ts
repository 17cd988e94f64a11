import { expect } from 'chai';
import { DelayingProxy } from '../client/delaying-proxy.ts';
import { until } from '../server/raw-client.ts';
import { clusterForEachTest, type RunningNode } from './cluster-scene.ts';

const TIMEOUT_MS = 1_000;
const LIMITS = { minSessionTimeoutMs: TIMEOUT_MS };
/** Of each direction: there and back it is less than a server gives etcd for an answer. */
const SLOW_MS = 100;

describe('a cluster of servers', function () {
  this.timeout(30_000);
  const cluster = clusterForEachTest();

  it('has one leader, and the others know where it is', async () => {
    const { leader, others } = await cluster.startAll('a', 'b', 'c');
    expect(leader.node.standing).to.deep.equal({ role: 'leader' });
    for (const other of others) {
      expect(other.node.standing).to.deep.equal({ role: 'standby', leader: leader.address });
      const client = await other.connect();
      const answer = await client.ask('hello', { protocol: 1, redirect: true });
      expect(answer).to.deep.equal({ status: 'elsewhere', address: leader.address });
    }
  });

  it('tells of its nodes', async () => {
    const { leader } = await cluster.startAll('a', 'b');
    const told = await cluster.client({ servers: cluster.nodes.map(({ address }) => address) }).cluster();
    expect(told).to.include({ node: leader.name, role: 'leader', sessions: 0 });
    expect(told.nodes.map(({ node, role }) => `${node} ${role}`)).to.have.members(
      cluster.nodes.map((each) => `${each.name} ${each === leader ? 'leader' : 'standby'}`),
    );
  });

  it('gives nobody the rights of an operator through a standby', async () => {
    await cluster.start('a', { listen: { admin: true } });
    await cluster.settled();
    await cluster.start('b', { listen: { admin: true } });
    const { leader, others } = await cluster.settled();
    const answers = await Promise.all(
      [leader, ...others].map(async (node) => (await node.connect()).ask('forceUnlock', { lockName: 'jobs' })),
    );
    expect(answers.map(({ status }) => status)).to.deep.equal(['ok', 'denied']);
  });

  it('keeps a lock when the leader steps down, and its token grows with the next grant', async () => {
    const { leader } = await cluster.startAll('a', 'b');
    const servers = cluster.nodes.map(({ address }) => address);
    const [holder, waiter] = [cluster.client({ servers }), cluster.client({ servers })];
    const handle = await holder.lock('jobs');
    const waiting = waiter.lock('jobs');
    await until(async () => (await holder.inspect('jobs')).waiters.length === 1);
    leader.node.stepDown();
    await cluster.settled(cluster.nodes.filter((each) => each !== leader));
    expect(await handle.confirm()).to.equal(true);
    await handle.release();
    expect((await waiting).token).to.be.above(handle.token);
  });

  /** The first leads; clients are told to reach it by the proxy. */
  async function startBehindProxy(): Promise<{
    readonly leader: RunningNode;
    readonly standby: RunningNode;
    readonly proxy: DelayingProxy;
    readonly servers: readonly string[];
  }> {
    const proxy = await DelayingProxy.start(0);
    const advertised = `127.0.0.1:${proxy.port}`;
    const leader = await cluster.start('a', { limits: LIMITS, advertised });
    proxy.serverPort = leader.port;
    await leader.untilLogged('leads');
    const standby = await cluster.start('b', { limits: LIMITS });
    await cluster.settled();
    return { leader, standby, proxy, servers: [advertised, standby.address] };
  }

  it('frees a lock once its client, cut off from the leader alone, counts it as lost', async () => {
    const { leader, standby, proxy, servers } = await startBehindProxy();
    const order: string[] = [];
    const handle = await cluster.client({ servers, session: { timeoutMs: TIMEOUT_MS } }).lock('jobs');
    handle.signal.addEventListener('abort', () => order.push('lost'));
    const waiter = await standby.connect();
    await waiter.queue(1, 'jobs');
    proxy.refuse();
    proxy.reset();
    expect(await waiter.next()).to.have.nested.property('result.status', 'ok');
    expect([...order, 'granted']).to.deep.equal(['lost', 'granted']);
    expect(leader.node.standing).to.deep.equal({ role: 'leader' });
  });

  it('keeps the locks of clients that a standby forwards, when others are cut off from the leader', async () => {
    const { standby, proxy } = await startBehindProxy();
    const forwarded = await standby.connect();
    await forwarded.take('jobs');
    proxy.refuse();
    proxy.reset();
    const other = await standby.connect();
    await other.queue(1, 'jobs');
    expect(await forwarded.ask('unlock', { lockName: 'jobs' })).to.include({ status: 'ok' });
    expect(await other.next()).to.have.nested.property('result.status', 'ok');
  });

  it('goes on with its leader when etcd is slow', async () => {
    const { node: leader, proxy } = await cluster.startBehindProxy('a');
    await leader.untilLogged('leads');
    await cluster.start('b');
    await cluster.settled();
    proxy.slowDown(SLOW_MS);
    const client = cluster.client({ servers: [leader.address] });
    const handle = await client.lock('jobs');
    // A keep-alive was slow as well.
    await until(async () => (await client.cluster()).etcd.lagMs >= SLOW_MS);
    expect(await handle.confirm()).to.equal(true);
    expect(leader.logger.shown.join()).not.to.include('left the cluster');
  });
});
