import { expect } from 'chai';
import { addressOf, type Message } from './raw-client.ts';
import { serverForEachTest, startServer } from './running-server.ts';

describe('the inspect command', () => {
  const server = serverForEachTest();

  it('shows no holder and no waiter if there is no such lock', async () => {
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
