import { expect } from 'chai';
import { CONNECTION_REFUSALS } from '../../lib/message/refusals.ts';
import { COMMAND_REFUSALS } from '../../lib/server/command-refusals.ts';
import { endTest } from './clean-up.ts';
import type { Message, RawClient } from './raw-client.ts';
import { startServer } from './running-server.ts';

/** Each reason is there from the start. */
const NO_REFUSALS = Object.fromEntries(
  Object.keys({ ...CONNECTION_REFUSALS, ...COMMAND_REFUSALS }).map((reason) => [reason, 0]),
);

const NOTHING = {
  status: 'ok',
  locks: 0,
  permits: 0,
  holders: 0,
  waiting: 0,
  sessions: 1,
  grants: 0,
  releases: 0,
  timeouts: 0,
  cancelled: 0,
  deadlocks: 0,
  expiredLeases: 0,
  forced: 0,
  stolen: 0,
  orphans: 0,
  permitOrphans: 0,
  connections: 1,
  refusals: NO_REFUSALS,
  unknownCommands: 0,
  invalidRequests: 0,
  failedRequests: 0,
  openConnections: 1,
};

const NO_REQUESTS = {
  lock: 0,
  lockAll: 0,
  unlock: 0,
  unlockAll: 0,
  forceUnlock: 0,
  cancel: 0,
  inspect: 0,
  list: 0,
  stats: 0,
  identify: 0,
  whoami: 0,
  who: 0,
  ping: 0,
  hello: 0,
};

describe('the stats command', () => {
  afterEach(endTest);

  it('counts nothing at first but who asks', async () => {
    const client = await (await startServer()).connect();
    expect(await stats(client)).to.deep.equal({ ...NOTHING, requests: { ...NO_REQUESTS, stats: 1 } });
  });

  it('counts what is held and awaited now', async () => {
    const [holder, other] = await (await startServer()).connectTwo();
    await holder.take('a');
    await holder.take('b', { mode: 'shared' });
    await other.take('b', { mode: 'shared' });
    await holder.take('b', { mode: 'permit' });
    await other.queue(1, 'a');
    await other.queue(2, 'a');
    expect(await stats(holder)).to.deep.equal({
      ...NOTHING,
      sessions: 2,
      connections: 2,
      openConnections: 2,
      locks: 2,
      permits: 1,
      holders: 4,
      waiting: 2,
      grants: 4,
      requests: { ...NO_REQUESTS, lock: 6, ping: 2, stats: 1 },
    });
  });

  it('counts how requests and holds ended', async () => {
    const [first, second] = await (await startServer()).connectTwo();
    await first.take('a');
    await first.take('a');
    await second.ask('lock', { lockName: 'a', timeLimit: 0 });
    await second.ask('lock', { lockName: 'a', timeLimit: 0.01 });
    await second.queue(1, 'a');
    second.send({ command: 'cancel', parameters: { id: 1 } });
    await second.next();
    await first.ask('unlock', { lockName: 'a' });
    await first.ask('unlock', { lockName: 'a' });
    await first.take('b');
    await first.take('c', { mode: 'permit' });
    await first.ask('unlockAll');
    await first.take('d', { lease: 0.01 });
    await first.next();
    expect(await stats(first)).to.deep.include({
      locks: 0,
      permits: 0,
      holders: 0,
      waiting: 0,
      grants: 4,
      releases: 3,
      timeouts: 1,
      cancelled: 1,
      expiredLeases: 1,
      orphans: 0,
      permitOrphans: 0,
    });
  });

  it('counts a grant and an end of a hold for each that waited', async () => {
    const [holder, waiter] = await (await startServer()).connectTwo();
    await holder.take('a');
    await waiter.queue(1, 'a');
    await holder.ask('unlock', { lockName: 'a' });
    await waiter.next();
    expect(await stats(waiter)).to.include({ grants: 2, releases: 1, holders: 1, waiting: 0 });
  });

  it('counts each new grant of a lockAll, and the request once as waiting', async () => {
    const [holder, other] = await (await startServer()).connectTwo();
    const locks = ['a', 'b', 'c'].map((lockName) => ({ lockName }));
    await other.take('a');
    expect(await other.ask('lockAll', { locks })).to.include({ status: 'ok' });
    expect(await stats(other)).to.include({ grants: 3, holders: 3, waiting: 0 });
    holder.send({ command: 'lockAll', parameters: { locks }, id: 1 });
    await holder.settle();
    expect(await stats(holder)).to.include({ grants: 3, waiting: 1 });
    await other.ask('unlockAll');
    await holder.next();
    expect(await holder.ask('lockAll', { locks })).to.include({ status: 'ok' });
    expect(await stats(holder)).to.include({ grants: 6, releases: 3, holders: 3, waiting: 0 });
    for (const timeLimit of [0, 0.01]) await other.ask('lockAll', { locks, timeLimit });
    expect(await stats(holder)).to.include({ grants: 6, timeouts: 1, cancelled: 0 });
  });

  it('counts deadlocks, and holds that were stolen or freed by force', async () => {
    const [first, second] = await (await startServer({}, undefined, { forceUnlock: true })).connectTwo();
    await first.take('a', { owner: 'x' });
    await second.take('b', { owner: 'y' });
    await first.queue(1, 'b', { owner: 'x' });
    expect(await second.ask('lock', { lockName: 'a', owner: 'y' })).to.include({ status: 'deadlock' });
    expect(await second.ask('lockAll', { locks: [{ lockName: 'a' }], owner: 'y' })).to.include({ status: 'deadlock' });
    expect(await stats(second)).to.include({ deadlocks: 2, waiting: 1, grants: 2, cancelled: 0, timeouts: 0 });
    await second.ask('unlockAll');
    await first.next();
    await first.take('p', { mode: 'permit' });
    await first.take('p', { mode: 'permit', owner: 'x' });
    await first.take('s', { mode: 'shared' });
    await first.take('s', { mode: 'shared', owner: 'x' });
    await first.take('s', { mode: 'shared', owner: 'y' });
    await second.ask('forceUnlock', { lockName: 'p', mode: 'permit' });
    await second.ask('forceUnlock', { lockName: 's', mode: 'permit' });
    expect(await stats(second)).to.include({ forced: 2, stolen: 0, permits: 0 });
    await second.take('s', { steal: true });
    expect(await second.ask('stats')).to.include({
      ...{ deadlocks: 2, forced: 2, stolen: 3, releases: 1, expiredLeases: 0, orphans: 0, permitOrphans: 0 },
      ...{ grants: 9, holders: 3, locks: 3 },
    });
  });

  it('counts the holds of clients that went away, those of permits apart', async () => {
    const [leaver, stayer] = await (await startServer()).connectTwo();
    await leaver.take('a');
    await leaver.take('b', { mode: 'shared' });
    await leaver.take('c', { mode: 'permit' });
    await stayer.take('d');
    await leaver.queue(1, 'd');
    await leaver.leave();
    expect(await stats(stayer)).to.deep.equal({
      ...NOTHING,
      connections: 2,
      locks: 1,
      holders: 1,
      grants: 4,
      cancelled: 1,
      orphans: 2,
      permitOrphans: 1,
      requests: { ...NO_REQUESTS, lock: 5, ping: 1, stats: 1 },
    });
  });

  it('counts each command, what is wrong and what is unknown', async () => {
    const client = await (await startServer()).connect();
    await client.ask('whoami');
    await client.ask('who');
    await client.ask('hello', { protocol: 2 });
    await client.ask('nothing');
    client.send([], { command: 'lock', parameters: { lockName: 'a' } }, { command: 'unlock', lockName: 'a' });
    await client.next();
    await client.next();
    await client.next();
    const { requests, ...counts } = await stats(client);
    expect(counts).to.deep.equal({ ...NOTHING, unknownCommands: 1, invalidRequests: 3 });
    expect(requests).to.deep.equal({ ...NO_REQUESTS, whoami: 1, who: 1, hello: 1, lock: 1, unlock: 1, stats: 1 });
  });
});

/** The counts; the time since the start is looked at here. */
async function stats(client: RawClient): Promise<Message> {
  const { uptimeMs, ...counts } = await client.ask('stats');
  expect(uptimeMs).to.satisfy((value: number) => Number.isInteger(value) && value >= 0);
  return counts;
}
