import { expect } from 'chai';
import { serverForEachTest } from './running-server.ts';

describe('the cancel command', () => {
  const server = serverForEachTest();

  it('ends a waiting request, and the answer to that request comes first', async () => {
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

  it('answers unknown for an id that was never used, or after its request is over', async () => {
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
});
