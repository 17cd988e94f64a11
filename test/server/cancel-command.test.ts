import { expect } from 'chai';
import { serverForEachTest } from './running-server.ts';

describe('the cancel command', () => {
  const server = serverForEachTest();

  it('ends a waiting request, whose answer comes first', async () => {
    const [holder, waiter] = await server.connectWaiter('jobs');
    waiter.send({ command: 'cancel', parameters: { id: 1 }, id: 2 });
    expect(await waiter.next()).to.deep.equal({ id: 1, result: { status: 'cancelled' } });
    expect(await waiter.next()).to.deep.equal({ id: 2, result: { status: 'ok', outcome: 'cancelled' } });
    expect(await holder.ask('inspect', { lockName: 'jobs' })).to.include({ holderCount: 1, waiterCount: 0 });
    await holder.ask('unlock', { lockName: 'jobs' });
    await waiter.settle();
  });

  it('leaves a granted request alone', async () => {
    const [holder, client] = await server.connectTwo();
    client.send(
      { command: 'lock', parameters: { lockName: 'free' }, id: 1 },
      { command: 'cancel', parameters: { id: 1 }, id: 2 },
    );
    expect(await client.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 1, count: 1 } });
    expect(await client.next()).to.deep.equal({ id: 2, result: { status: 'ok', outcome: 'granted' } });
    await holder.take('jobs');
    await client.queue(3, 'jobs');
    await holder.ask('unlock', { lockName: 'jobs' });
    await client.next();
    expect(await client.ask('cancel', { id: 3 })).to.deep.equal({ status: 'ok', outcome: 'granted' });
    expect(await client.ask('stats')).to.include({ holders: 2 });
  });

  it('answers unknown for an id that was never used, or whose request is over', async () => {
    const [holder, client] = await server.connectTwo();
    await holder.take('jobs');
    client.send({ command: 'lock', parameters: { lockName: 'jobs', timeLimit: 0 }, id: 1 });
    await client.next();
    client.send({ command: 'lock', parameters: { lockName: 'free' }, id: 2 });
    await client.next();
    await client.ask('unlock', { lockName: 'free' });
    for (const id of [1, 2, 3, 'nothing']) {
      expect(await client.ask('cancel', { id })).to.deep.equal({ status: 'ok', outcome: 'unknown' });
    }
  });

  it('distinguishes the ids 7 and "7"', async () => {
    const [holder, waiter] = await server.connectTwo();
    await holder.take('jobs');
    await waiter.queue(7, 'jobs', { owner: 'number' });
    await waiter.queue('7', 'jobs', { owner: 'string' });
    waiter.send({ command: 'cancel', parameters: { id: '7' } });
    expect(await waiter.next()).to.deep.equal({ id: '7', result: { status: 'cancelled' } });
    const { waiters } = await waiter.ask('inspect', { lockName: 'jobs' });
    expect(waiters).to.have.lengthOf(1).and.to.have.nested.property('[0].owner', 'number');
  });

  it('finds only requests of its own session', async () => {
    const [holder] = await server.connectWaiter('jobs');
    expect(await holder.ask('cancel', { id: 1 })).to.deep.equal({ status: 'ok', outcome: 'unknown' });
    expect(await holder.ask('inspect', { lockName: 'jobs' })).to.include({ waiterCount: 1 });
  });

  it('lets in the readers behind a writer that is cancelled', async () => {
    const [reader, writer, second] = await server.connectThree();
    await reader.take('jobs', { mode: 'shared' });
    await writer.queue(1, 'jobs');
    await second.queue(2, 'jobs', { mode: 'shared' });
    writer.send({ command: 'cancel', parameters: { id: 1 } });
    expect(await second.next()).to.deep.equal({ id: 2, result: { status: 'ok', token: 2, count: 2 } });
  });
});
