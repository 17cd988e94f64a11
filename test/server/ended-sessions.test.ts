import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { granted, released } from './answers.ts';
import { endTest } from './clean-up.ts';
import { numbered } from './odd-names.ts';
import type { Message, RawClient } from './raw-client.ts';
import { type RunningServer, serverForEachTest, startServer } from './running-server.ts';

/** Both ends of each connection. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'TCPSocketWrap').length;
}

const MANY_LOCKS = { maxLocksPerSession: 100_000, maxBytesPerSession: 100_000_000 };

describe('a client that goes away', () => {
  const server = serverForEachTest(MANY_LOCKS);

  for (const [how, leave] of [
    ['is reset', (client: RawClient) => client.reset()],
    ['closes its side', (client: RawClient) => client.socket.end()],
  ] as const) {
    it(`hands on its lock when it ${how}`, async () => {
      const [holder, waiter] = await server.connectWaiter('jobs');
      leave(holder);
      expect(await waiter.next()).to.deep.equal({ id: 1, result: granted(2) });
      await holder.closed;
      expect(holder.unreadCount).to.equal(0);
      expect(await waiter.ask('stats')).to.include({ orphans: 1, sessions: 1 });
    });
  }

  it('hands on its lock and is no longer counted, when 300 connections are reset at once', async () => {
    const socketsBefore = openSockets();
    const [waiter, ...holders] = await server.connectMany(301);
    await Promise.all(holders.map((holder, index) => holder.take(`${index}`)));
    for (const index of holders.keys()) await waiter?.queue(index, `${index}`);
    for (const holder of holders) holder.reset();
    const granted = await Promise.all(holders.map(() => waiter?.next()));
    expect(granted.map((message) => message?.id)).to.have.members([...holders.keys()]);
    expect(await waiter?.ask('stats')).to.include({ orphans: 300, holders: 300, sessions: 1, openConnections: 1 });
    await Promise.all(holders.map((holder) => holder.closed));
    while (openSockets() > socketsBefore + 2) await nextTurn();
  });

  it('hands on each lock and permit, and leaves each queue', async () => {
    const [holder, first, second] = await server.connectThree();
    await holder.take('a');
    await holder.take('b', { mode: 'shared', owner: 'x' });
    await holder.take('b', { mode: 'shared', owner: 'y' });
    await holder.take('c', { mode: 'permit', limit: 1 });
    await first.take('d');
    await holder.queue(1, 'd');
    await first.queue(1, 'a');
    await second.queue(1, 'b');
    await first.queue(2, 'c', { mode: 'permit', limit: 1 });
    await second.queue(2, 'd');
    holder.reset();
    expect(await second.next()).to.deep.include({ id: 1 });
    const grants = [await first.next(), await first.next()];
    expect(grants.map(({ id }) => id)).to.have.members([1, 2]);
    await first.ask('unlock', { lockName: 'd' });
    expect(await second.next()).to.deep.include({ id: 2 });
    expect(await second.ask('stats')).to.include({ orphans: 3, permitOrphans: 1, holders: 4, waiting: 0 });
  });

  it('gets answers to everything it asked before it closed its side, and its waiting requests are cancelled', async () => {
    const [holder, client] = await server.connectTwo();
    await holder.take('held');
    client.send(
      { command: 'lock', parameters: { lockName: 'held' }, id: 1 },
      { command: 'lock', parameters: { lockName: 'free' }, id: 2 },
      { command: 'list', id: 3 },
    );
    client.socket.end();
    expect(await client.next()).to.deep.equal({ id: 2, result: { status: 'ok', token: 2, count: 1 } });
    const { id, result } = await client.next();
    expect(id).to.equal(3);
    expect((result as Message).locks).to.have.lengthOf(2);
    expect(await client.next()).to.deep.equal({ id: 1, result: { status: 'cancelled' } });
    await client.closed;
    expect(client.unreadCount).to.equal(0);
    expect(await holder.ask('stats')).to.include({ holders: 1, waiting: 0, orphans: 1, cancelled: 1, sessions: 1 });
  });
});

describe('a client that goes away with 20,000 locks', () => {
  const LOCKS = 20_000;
  let server: RunningServer;
  let holder: RawClient;
  let other: RawClient;

  beforeEach(async () => {
    server = await startServer(MANY_LOCKS);
    holder = await server.connect();
    await holder.takeMany(numbered(LOCKS));
    other = await server.connect();
    await other.queue('last', `lock ${LOCKS - 1}`);
    holder.reset();
  });
  afterEach(endTest);

  /** They are released in the order of their grants, so the last one is granted to another when all are free. */
  async function allAreFree(): Promise<void> {
    expect(await other.next()).to.deep.include({ id: 'last' });
  }

  it('leaves all of them free, and each counts as an orphan once', async () => {
    await allAreFree();
    const now = { holders: 1, locks: 1, waiting: 0, sessions: 1 };
    expect(await other.ask('stats')).to.include({ ...now, orphans: LOCKS, grants: LOCKS + 1 });
    const { locks } = await other.ask('list');
    expect((locks as Message[]).map(({ lockName }) => lockName)).to.deep.equal([`lock ${LOCKS - 1}`]);
    await other.takeMany(numbered(LOCKS), { timeLimit: 0 });
    expect(await other.ask('stats')).to.include({ holders: LOCKS, locks: LOCKS });
  });

  it('does not keep others from being served', async () => {
    const bystander = await server.connect();
    for (let pair = 0; pair < 100; pair += 1) {
      await bystander.take('pair');
      expect(await bystander.ask('unlock', { lockName: 'pair' })).to.deep.equal(released(0));
    }
    await allAreFree();
  });
});

describe('a client that goes away from 20,000 queues', () => {
  const QUEUES = 20_000;

  afterEach(endTest);

  it('leaves all of them', async () => {
    const server = await startServer({ ...MANY_LOCKS, maxPendingRequests: 100_000 });
    const [holder, leaver, third] = await server.connectThree();
    const names = numbered(QUEUES);
    await holder.takeMany(names);
    await third.queue('before', 'lock 2');
    leaver.send(...names.map((lockName, id) => ({ command: 'lock', parameters: { lockName }, id })));
    // All waits are cancelled before the first hold is released, so this lock passes to another after the waits are gone.
    await leaver.take('last');
    await third.queue('ended', 'last');
    await third.queue('behind', 'lock 0');
    leaver.reset();
    expect(await third.next()).to.deep.include({ id: 'ended' });
    expect(await holder.ask('inspect', { lockName: 'lock 2' })).to.include({ holderCount: 1, waiterCount: 1 });
    expect(await holder.ask('inspect', { lockName: 'lock 1' })).to.include({ holderCount: 1, waiterCount: 0 });
    expect(await holder.ask('inspect', { lockName: 'lock 0' })).to.include({ holderCount: 1, waiterCount: 1 });
    await holder.ask('unlock', { lockName: 'lock 0' });
    expect(await third.next()).to.deep.include({ id: 'behind' });
    expect(await holder.ask('stats')).to.include({ waiting: 1, cancelled: QUEUES, orphans: 1, holders: QUEUES + 1 });
  });
});
