import { expect } from 'chai';
import { endTest } from './clean-up.ts';
import type { Message, RawClient } from './raw-client.ts';
import { type RunningServer, startServer } from './running-server.ts';

const CLIENTS = 1_000;

describe('a thousand clients that wait for one lock', () => {
  let server: RunningServer;
  let holder: RawClient;
  let waiters: RawClient[];

  beforeEach(async () => {
    server = await startServer();
    holder = await server.connect();
    await holder.take('jobs');
    waiters = await server.connectMany(CLIENTS);
    for (const [index, waiter] of waiters.entries()) await waiter.queue(index, 'jobs');
  });
  afterEach(endTest);

  it('get it one after the other, in the order of their requests', async () => {
    const granted: unknown[] = [];
    const turns = waiters.map((waiter) => takeTurn(waiter, granted));
    await holder.ask('unlock', { lockName: 'jobs' });
    await Promise.all(turns);
    expect(granted).to.deep.equal(waiters.map((_, index) => ({ id: index, token: index + 2, count: 1 })));
    for (const waiter of waiters) await waiter.settle();
    const nothing = { locks: 0, waiting: 0, orphans: 0 };
    expect(await holder.ask('stats')).to.include({ ...nothing, grants: CLIENTS + 1, releases: CLIENTS + 1 });
  });

  it('pass it on when each disconnects as its holder', async () => {
    const granted: unknown[] = [];
    const turns = waiters.map(async (waiter, index) => {
      const { id } = await waiter.next();
      granted.push(id);
      if (index % 2 === 0) waiter.reset();
      else waiter.socket.end();
    });
    holder.reset();
    await Promise.all(turns);
    expect(granted).to.deep.equal(waiters.map((_, index) => index));
    const last = await server.connect();
    await last.take('jobs');
    expect(await last.ask('stats')).to.include({ orphans: CLIENTS + 1, grants: CLIENTS + 2, releases: 0 });
  });

  async function takeTurn(waiter: RawClient, granted: unknown[]): Promise<void> {
    const { id, result } = await waiter.next();
    const { status, ...grant } = result as Message;
    expect(status).to.equal('ok');
    granted.push({ id, ...grant });
    await waiter.ask('unlock', { lockName: 'jobs' });
  }
});
