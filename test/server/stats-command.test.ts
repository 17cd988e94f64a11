import { expect } from 'chai';
import { CONNECTION_REFUSALS } from '../../lib/message/refusals.ts';
import { COMMAND_REFUSALS } from '../../lib/server/command-refusals.ts';
import type { Message, RawClient } from './raw-client.ts';
import { serverForEachTest } from './running-server.ts';

/** Every reason is counted from the start. */
const NO_REFUSALS = Object.fromEntries(
  Object.keys({ ...CONNECTION_REFUSALS, ...COMMAND_REFUSALS }).map((reason) => [reason, 0]),
);

/** The keys with the value 0. */
function zeros(...keys: readonly string[]): Record<string, number> {
  return Object.fromEntries(keys.map((key) => [key, 0]));
}

const NOTHING = {
  ...zeros(
    'locks',
    'permits',
    'holders',
    'waiting',
    'grants',
    'releases',
    'timeouts',
    'cancelled',
    'deadlocks',
    'tableBytes',
  ),
  ...zeros('expiredLeases', 'forced', 'stolen', 'orphans', 'permitOrphans'),
  ...zeros('suspendedSessions', 'awaitedSessions', 'resumedSessions', 'expiredSessions'),
  ...zeros('unknownCommands', 'invalidRequests', 'failedRequests'),
  status: 'ok',
  sessions: 1,
  connections: 1,
  openConnections: 1,
  refusals: NO_REFUSALS,
  notOk: {},
};

const NO_REQUESTS = {
  ...zeros(
    'lock',
    'lockAll',
    'unlock',
    'unlockAll',
    'forceUnlock',
    'cancel',
    'verify',
    'inspect',
    'list',
    'stats',
    'identify',
  ),
  ...zeros('kill', 'history', 'survey', 'watch', 'cluster', 'whoami', 'who', 'ping', 'hello', 'reclaim', 'bye'),
};

describe('the stats command', () => {
  const server = serverForEachTest({}, undefined, { forceUnlock: true });

  it('counts nothing at first but the client that asks', async () => {
    const client = await server.connect();
    expect(await stats(client)).to.deep.equal({ ...NOTHING, requests: { ...NO_REQUESTS, stats: 1 } });
  });

  it('counts current holders and waiters', async () => {
    const [holder, other] = await server.connectTwo();
    await holder.take('a');
    await holder.take('b', { mode: 'shared' });
    await other.take('b', { mode: 'shared' });
    await holder.take('b', { mode: 'permit' });
    await other.queue(1, 'a');
    await other.queue(2, 'a');
    const counts = await stats(holder);
    expect(counts.tableBytes).to.be.a('number').above(0);
    expect(counts).to.deep.equal({
      ...NOTHING,
      tableBytes: counts.tableBytes,
      ...{ sessions: 2, connections: 2, openConnections: 2 },
      ...{ locks: 2, permits: 1, holders: 4, waiting: 2, grants: 4 },
      requests: { ...NO_REQUESTS, lock: 6, ping: 2, stats: 1 },
    });
  });

  it('counts how requests and holds ended', async () => {
    const [first, second] = await server.connectTwo();
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
    expect(await stats(first)).to.include({
      ...zeros('locks', 'permits', 'holders', 'waiting', 'orphans', 'permitOrphans'),
      ...{ grants: 4, releases: 3, timeouts: 1, cancelled: 1, expiredLeases: 1 },
    });
    const notOk = { lock: { unavailable: 1, timeout: 1, cancelled: 1 }, unlock: { notHeld: 1 } };
    expect(await stats(first)).to.deep.include({ notOk });
  });

  it('counts each new grant of a lockAll, and the request once as waiting', async () => {
    const [holder, other] = await server.connectTwo();
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
    const [first, second] = await server.connectTwo();
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

  it('counts the holds of clients that disconnected, permits apart', async () => {
    const [leaver, stayer] = await server.connectTwo();
    await leaver.take('a');
    await leaver.take('b', { mode: 'shared' });
    await leaver.take('c', { mode: 'permit' });
    await stayer.take('d');
    await leaver.queue(1, 'd');
    await leaver.leave();
    const counts = await stats(stayer);
    expect(counts.tableBytes).to.be.a('number').above(0);
    expect(counts).to.deep.equal({
      ...NOTHING,
      notOk: { lock: { cancelled: 1 } },
      tableBytes: counts.tableBytes,
      ...{ connections: 2, locks: 1, holders: 1, grants: 4, cancelled: 1, orphans: 2, permitOrphans: 1 },
      requests: { ...NO_REQUESTS, lock: 5, ping: 1, stats: 1 },
    });
  });

  it('counts each command, and wrong and unknown requests', async () => {
    const client = await server.connect();
    await client.ask('whoami');
    await client.ask('who');
    await client.ask('hello', { protocol: 2 });
    await client.ask('nothing');
    client.send([], { command: 'lock', parameters: { lockName: 'a' } }, { command: 'unlock', lockName: 'a' });
    await client.next();
    await client.next();
    await client.next();
    const { requests, ...counts } = await stats(client);
    expect(counts).to.deep.equal({
      ...NOTHING,
      unknownCommands: 1,
      invalidRequests: 3,
      notOk: { hello: { invalid: 1 } },
    });
    expect(requests).to.deep.equal({ ...NO_REQUESTS, whoami: 1, who: 1, hello: 1, lock: 1, unlock: 1, stats: 1 });
  });
});

/** The counts without the time since the start, which must be whole milliseconds. */
async function stats(client: RawClient): Promise<Message> {
  const { uptimeMs, ...counts } = await client.ask('stats');
  expect(uptimeMs).to.satisfy((value: number) => Number.isInteger(value) && value >= 0);
  return counts;
}
