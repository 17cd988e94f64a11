import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { released } from './answers.ts';
import { endTest } from './clean-up.ts';
import { numbered } from './odd-names.ts';
import type { Message, RawClient } from './raw-client.ts';
import { type RunningServer, serverForEachTest, startServer } from './running-server.ts';

/** Both ends of each connection. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'TCPSocketWrap').length;
}

describe('a client that goes away', () => {
  const server = serverForEachTest({ maxLocksPerSession: 100_000 });

  it('hands its lock on when its connection is reset', async () => {
    const [holder, waiter] = await server.connectWaiter('jobs');
    holder.reset();
    expect(await waiter.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 2, count: 1 } });
    expect(await waiter.ask('stats')).to.include({ orphans: 1, sessions: 1 });
  });

  it('hands on its lock, and is counted no more, with very many others that break at once', async () => {
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

  it('hands its lock on when it closes its side', async () => {
    const [holder, waiter] = await server.connectWaiter('jobs');
    holder.socket.end();
    expect(await waiter.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 2, count: 1 } });
    await holder.closed;
    expect(holder.unreadCount).to.equal(0);
  });

  it('hands on each lock and permit that it held, and is in no queue any more', async () => {
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

  it('is answered what it asked before it closed its side, and its waiting requests are cancelled', async () => {
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

  it('lets in readers behind its waiting writer', async () => {
    const [reader, writer, second] = await server.connectThree();
    await reader.take('jobs', { mode: 'shared' });
    await writer.queue(1, 'jobs');
    await second.queue(1, 'jobs', { mode: 'shared' });
    writer.reset();
    expect(await second.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 2, count: 2 } });
  });

  it('is not granted what becomes free in the moment in which it goes', async () => {
    const [client, other] = await server.connectTwo();
    await client.take('jobs', { owner: 'a' });
    await client.queue(1, 'jobs', { owner: 'b' });
    await other.queue(1, 'jobs');
    client.reset();
    expect(await other.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 2, count: 1 } });
    expect(await other.ask('stats')).to.include({ grants: 2, orphans: 1, cancelled: 1 });
  });
});

describe('a client that goes away with 20,000 locks', () => {
  const LOCKS = 20_000;
  let server: RunningServer;
  let holder: RawClient;
  let other: RawClient;

  beforeEach(async () => {
    server = await startServer({ maxLocksPerSession: 100_000 });
    holder = await server.connect();
    await holder.takeMany(numbered(LOCKS));
    other = await server.connect();
    // The last lock is the first to be worked off: its grant tells that the session has ended and the rest is to come.
    await other.queue('ended', `lock ${LOCKS - 1}`);
  });
  afterEach(endTest);

  it('leaves each of them to whoever asks, at once', async () => {
    holder.reset();
    expect(await other.next()).to.deep.include({ id: 'ended' });
    for (const index of [0, 1, 9_999, 10_000, 15_000, LOCKS - 2]) {
      expect(await other.ask('lock', { lockName: `lock ${index}`, timeLimit: 0 })).to.include(released(1));
    }
  });

  it('leaves all of them to one who asks for all', async () => {
    holder.reset();
    expect(await other.next()).to.deep.include({ id: 'ended' });
    await other.takeMany(numbered(LOCKS), { timeLimit: 0 });
    expect(await other.ask('stats')).to.include({ orphans: LOCKS, holders: LOCKS, locks: LOCKS, sessions: 1 });
  });

  it('is listed and inspected no more', async () => {
    holder.reset();
    expect(await other.next()).to.deep.include({ id: 'ended' });
    expect(await other.ask('inspect', { lockName: 'lock 0' })).to.include({ holderCount: 0 });
    const listed: unknown[] = [];
    let page: Message = { next: '' };
    while (page.next !== undefined) {
      page = await other.ask('list', { max: 10_000, after: page.next });
      listed.push(...(page.locks as Message[]).map(({ lockName }) => lockName));
    }
    expect(listed).to.deep.equal([`lock ${LOCKS - 1}`]);
  });

  it('has each hold counted as an orphan, and none twice', async () => {
    holder.reset();
    expect(await other.next()).to.deep.include({ id: 'ended' });
    expect(await other.ask('stats')).to.include({
      orphans: LOCKS,
      holders: 1,
      locks: 1,
      waiting: 0,
      sessions: 1,
      grants: LOCKS + 1,
    });
  });

  it('keeps nobody else from being served', async () => {
    holder.reset();
    expect(await other.next()).to.deep.include({ id: 'ended' });
    for (let pair = 0; pair < 100; pair += 1) {
      expect(await other.ask('lock', { lockName: 'pair' })).to.include({ status: 'ok' });
      expect(await other.ask('unlock', { lockName: 'pair' })).to.deep.equal({ status: 'ok', count: 0 });
    }
  });
});

describe('a client that goes away from 20,000 queues', () => {
  const QUEUES = 20_000;

  afterEach(endTest);

  it('is in none of them from then on', async () => {
    const server = await startServer({ maxLocksPerSession: 100_000, maxPendingRequests: 100_000 });
    const [holder, leaver, third] = await server.connectThree();
    const names = numbered(QUEUES);
    await holder.takeMany(names);
    await third.queue('before', 'lock 2');
    leaver.send(...names.map((lockName, id) => ({ command: 'lock', parameters: { lockName }, id })));
    // What was asked for last is worked off first: its grant to another tells that the session has ended.
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
