import { expect } from 'chai';
import { PolicyError } from '../../lib/cluster/policy.ts';
import { EtcdError } from '../../lib/ledger/etcd/etcd-error.ts';
import { makeFolder, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { open } from '../sessions/session-scene.ts';
import { rejects } from '../support/rejection.ts';
import { clusterForEachTest, type RunningNode, untilCluster } from './cluster-scene.ts';

const NO_QUORUM = { status: 'unavailable', reason: 'noQuorum' };

describe('a server of a cluster whose etcd is in trouble', function () {
  this.timeout(30_000);
  const cluster = clusterForEachTest({ quotaBytes: 2_000_000 });

  async function sayHello(node: RunningNode): Promise<object> {
    const client = await node.connect();
    return await client.ask('hello', { protocol: 1 });
  }

  it('starts without etcd, says so, and joins once etcd is there', async () => {
    const [member] = cluster.etcd.members;
    await member?.kill();
    const node = await cluster.start('a');
    expect(node.logger.at('error').map(({ message }) => message)).to.have.length(1);
    expect(node.logger.shown[0]).to.match(
      /^the server takes no part in the cluster: etcd at .* cannot be reached: .*; it tries again$/,
    );
    expect(await sayHello(node)).to.deep.equal(NO_QUORUM);
    await member?.start();
    await node.untilLogged('leads');
  });

  it('keeps the locks when etcd is started again', async () => {
    const { leader, others } = await cluster.startAll('a', 'b');
    const servers = cluster.nodes.map(({ address }) => address);
    const [holder, waiter] = [cluster.client({ servers }), cluster.client({ servers })];
    const handle = await holder.lock('jobs');
    // Its session is on record before etcd goes away.
    await waiter.lock('other jobs');
    const waiting = waiter.lock('jobs');
    const [member] = cluster.etcd.members;
    await member?.kill();
    await leader.untilLogged('left the cluster');
    await others[0]?.untilLogged('left the cluster');
    expect(await sayHello(leader)).to.deep.equal(NO_QUORUM);
    await member?.start();
    expect(await handle.confirm()).to.equal(true);
    await handle.release();
    expect((await waiting).token).to.be.above(handle.token);
  });

  it('goes on when etcd was compacted', async () => {
    const { leader, others } = await cluster.startAll('a', 'b');
    const { revision } = await (await cluster.etcd.client()).range('none');
    cluster.etcd.control('compact', String(revision));
    leader.node.stepDown();
    await others[0]?.untilLogged('leads');
    await cluster.settled();
  });

  it('refuses new sessions while etcd is full, keeps the others, and recovers', async () => {
    const { leader } = await cluster.startAll('a', 'b');
    const known = await leader.connect();
    await open(known);
    await known.take('jobs');
    const etcd = await cluster.etcd.client();
    const fill = { compare: [], success: [{ kind: 'put', key: 'a', value: 'x'.repeat(500_000) }] } as const;
    await until(() =>
      etcd.txn(fill).then(
        () => false,
        (error: EtcdError) => error.code === 'noSpace',
      ),
    );
    await known.take('more jobs');
    const late = await leader.connect();
    await open(late);
    expect(await late.ask('lock', { lockName: 'other jobs' })).to.include({ status: 'unavailable' });
    const told = leader.logger.at('error').map(({ message }) => message);
    expect(told.join()).to.match(/^etcd cannot be written: etcd at .* has no space left \(alarm NOSPACE\): compact/);
    cluster.etcd.control('del', 'a');
    const { revision } = await etcd.range('none');
    cluster.etcd.control('compact', String(revision));
    cluster.etcd.control('defrag');
    cluster.etcd.control('alarm', 'disarm');
    await until(async () => (await late.ask('lock', { lockName: 'other jobs' })).status === 'ok');
  });

  it('C7: serves nothing when etcd was restored from an older copy, and does with --raise', async () => {
    const directory = makeFolder();
    const servers = (): string[] => cluster.nodes.map(({ address }) => address);
    const before = await cluster.start('a', { directory });
    await before.untilLogged('leads');
    await cluster.etcd.members[0]?.kill();
    const restore = cluster.etcd.copy();
    await before.untilLogged('left the cluster');
    await cluster.etcd.members[0]?.start();
    await untilCluster(() => before.isLeading);
    // The leases that end in a restored etcd make some revisions as well.
    for (let count = 0; count < 10; count += 1) cluster.etcd.control('put', `${cluster.prefix}more`, String(count));
    const client = cluster.client({ servers: servers() });
    const { token } = await client.lock('jobs');
    await client.close();
    await cluster.etcd.members[0]?.kill();
    restore();
    await cluster.etcd.members[0]?.start();
    await before.untilLogged('the server takes no part in the cluster: etcd has other data than before: its revision');
    expect(await sayHello(before)).to.deep.equal({ status: 'unavailable', reason: 'setBack' });
    await before.node.close();
    const again = await cluster.start('a', { directory });
    expect(again.logger.shown.join()).to.include('etcd has other data than before');
    await again.node.close();
    const raised = await cluster.start('a', { directory, isRaised: true });
    const further = await cluster.client({ port: raised.port }).lock('jobs');
    expect(further.token).to.be.above(token);
  });

  it('does not start when its settings differ from those of the others, and tells how', async () => {
    await cluster.start('a', { limits: { maxLocks: 5 } });
    const { message } = await rejects(cluster.start('b', { limits: { maxLocks: 7 } }), PolicyError);
    expect(message).to.equal(
      'the settings differ from those of the cluster: settings.limits.maxLocks is 7 here and 5 there; ' +
        'expected the same, or a start while no other node runs',
    );
  });

  it('does not join together with a server of other settings that starts at the same time', async () => {
    const starts = [5, 7, 9].map((maxLocks) => cluster.start(String(maxLocks), { limits: { maxLocks } }));
    const outcomes = await Promise.allSettled(starts);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
  });

  it('waits for its name while another server has it', async () => {
    await cluster.start('a');
    const other = await cluster.start('a');
    expect(other.logger.warnings.join()).to.include('another node of the cluster is called a; it tries again');
    expect(await sayHello(other)).to.deep.equal({ status: 'unavailable', reason: 'notJoined' });
  });

  it('does not start with a wrong password, and says so', async () => {
    cluster.etcd.control('user', 'add', 'root:secret');
    cluster.etcd.control('auth', 'enable');
    whenTestEnds(() => cluster.etcd.control('--user=root:secret', 'auth', 'disable'));
    const { message } = await rejects(cluster.start('a', { user: 'root', password: 'wrong' }), EtcdError, {
      code: 'denied',
    });
    expect(message).to.match(/^etcd at .* denies access: authentication failed/);
    await (await cluster.start('b', { user: 'root', password: 'secret' })).untilLogged('leads');
  });
});
