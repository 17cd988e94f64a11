import { expect } from 'chai';
import { until } from '../server/raw-client.ts';
import { clusterForEachTest } from './cluster-scene.ts';

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
});
