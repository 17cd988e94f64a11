import { expect } from 'chai';
import { addressOf, type Message, type RawClient } from './raw-client.ts';
import { serverForEachTest, startServer } from './running-server.ts';

describe('the inspect command', () => {
  const server = serverForEachTest();

  it('shows nobody when there is no such lock', async () => {
    const client = await server.connect();
    const nobody = { holderCount: 0, waiterCount: 0, holders: [], waiters: [] };
    const found = await client.ask('inspect', { lockName: 'jobs' });
    expect(found).to.deep.equal({ status: 'ok', lockName: 'jobs', ...nobody });
  });

  it('shows holders in order of their grants and waiters in order of the queue', async () => {
    const [first, second, third] = await server.connectThree();
    await first.ask('identify', { name: 'Ann' });
    await first.take('jobs', { mode: 'shared', owner: 'x' });
    await second.take('jobs', { mode: 'shared' });
    await third.queue(1, 'jobs');
    await first.queue(2, 'jobs', { mode: 'shared', owner: 'y' });
    const view = withoutTimes(await third.ask('inspect', { lockName: 'jobs' }));
    expect(view).to.deep.equal({
      status: 'ok',
      lockName: 'jobs',
      holderCount: 2,
      waiterCount: 2,
      holders: [
        { owner: 'x', name: 'Ann', address: addressOf(first), mode: 'shared', token: 1 },
        { owner: '', name: '', address: addressOf(second), mode: 'shared', token: 2 },
      ],
      waiters: [
        { owner: '', name: '', address: addressOf(third), mode: 'exclusive', position: 1 },
        { owner: 'y', name: 'Ann', address: addressOf(first), mode: 'shared', position: 2 },
      ],
    });
  });

  it('shows the reader/writer lock of a name before its permit, with positions of their own', async () => {
    const [first, second] = await server.connectTwo();
    await first.take('jobs', { mode: 'permit', limit: 1 });
    await first.take('jobs');
    await second.queue(1, 'jobs', { mode: 'permit', limit: 1 });
    await second.queue(2, 'jobs');
    await second.queue(3, 'jobs', { owner: 'x' });
    await second.queue('shares the place of 3', 'jobs', { owner: 'x' });
    const { holderCount, holders } = await first.ask('inspect', { lockName: 'jobs' });
    expect(holderCount).to.equal(2);
    expect((holders as Message[]).map(({ mode }) => mode)).to.deep.equal(['exclusive', 'permit']);
    const waiters = async (): Promise<unknown[]> => {
      const { waiters } = await first.ask('inspect', { lockName: 'jobs' });
      return (waiters as Message[]).map(({ mode, owner, position, limit }) => [mode, owner, position, limit]);
    };
    expect(await waiters()).to.deep.equal([
      ['exclusive', '', 1, undefined],
      ['exclusive', 'x', 2, undefined],
      ['permit', '', 1, 1],
    ]);
    await second.ask('cancel', { id: 'nothing' });
    second.send({ command: 'cancel', parameters: { id: 2 } });
    await second.next();
    expect(await waiters()).to.deep.equal([
      ['exclusive', 'x', 1, undefined],
      ['permit', '', 1, 1],
    ]);
  });

  it('marks holders whose lock can be stolen, and waiters of a lockAll', async () => {
    const [first, second] = await server.connectTwo();
    await first.take('jobs', { stealable: true });
    await first.take('other', { mode: 'permit', limit: 1, stealable: false });
    const locks = [{ lockName: 'jobs' }, { lockName: 'other', mode: 'permit', limit: 1 }];
    second.send({ command: 'lockAll', parameters: { locks, owner: 'x' }, id: 1 });
    await second.settle();
    const jobs = withoutTimes(await second.ask('inspect', { lockName: 'jobs' }));
    const other = withoutTimes(await second.ask('inspect', { lockName: 'other' }));
    const holder = { owner: '', name: '', address: addressOf(first) };
    const waiter = { owner: 'x', name: '', address: addressOf(second), position: 1, lockAll: true };
    expect(jobs.holders).to.deep.equal([{ ...holder, mode: 'exclusive', token: 1, stealable: true }]);
    expect(jobs.waiters).to.deep.equal([{ ...waiter, mode: 'exclusive' }]);
    expect(other.holders).to.deep.equal([{ ...holder, mode: 'permit', token: 2 }]);
    expect(other.waiters).to.deep.equal([{ ...waiter, mode: 'permit', limit: 1 }]);
  });

  it('lists as many as the client asks for, and counts all', async () => {
    const clients = await server.connectMany(5);
    for (const [index, client] of clients.entries()) await client.take('jobs', { mode: 'shared', owner: `${index}` });
    for (const client of clients) await client.queue(1, 'jobs', { owner: 'writer' });
    const view = await (clients[0] as RawClient).ask('inspect', { lockName: 'jobs', max: 3 });
    expect(view).to.include({ holderCount: 5, waiterCount: 5 });
    expect((view.holders as Message[]).map(({ owner }) => owner)).to.deep.equal(['0', '1', '2']);
    expect(view.waiters).to.have.lengthOf(3);
  });

  it('lists 100 by default, and never more than maxPageEntries', async () => {
    const client = await (await startServer({ maxPageEntries: 120 })).connect();
    for (let owner = 0; owner < 150; owner += 1) await client.take('jobs', { mode: 'shared', owner: `${owner}` });
    expect((await client.ask('inspect', { lockName: 'jobs' })).holders).to.have.lengthOf(100);
    const view = await client.ask('inspect', { lockName: 'jobs', max: 10_000 });
    expect(view.holders).to.have.lengthOf(120);
    expect(view.holderCount).to.equal(150);
  });
});

/** Drops the times, which must be whole milliseconds. */
function withoutTimes(view: Message): Message {
  const strip = (key: string) => (entry: Message) => {
    expect(entry[key]).to.satisfy((value: number) => Number.isInteger(value) && value >= 0);
    return Object.fromEntries(Object.entries(entry).filter(([name]) => name !== key));
  };
  return {
    ...view,
    holders: (view.holders as Message[]).map(strip('heldMs')),
    waiters: (view.waiters as Message[]).map(strip('waitedMs')),
  };
}
