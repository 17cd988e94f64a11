import { expect } from 'chai';
import { serverForEachTest } from './running-server.ts';

const TIME_LIMIT = 0.05;

/** The server shares the process of the test, so it handles nothing until this returns. */
function keepBusyBeyond(seconds: number): void {
  const endMs = performance.now() + seconds * 1_000 + 20;
  while (performance.now() < endMs);
}

describe('a server that was busy or stopped', () => {
  const server = serverForEachTest();

  it('lets a waiter in by a release that arrived in time', async () => {
    const [holder, waiter] = await server.connectTwo();
    await holder.take('jobs');
    waiter.send({ command: 'lock', parameters: { lockName: 'jobs', timeLimit: TIME_LIMIT }, id: 1 });
    await waiter.settle();
    holder.send({ command: 'unlock', parameters: { lockName: 'jobs' } });
    keepBusyBeyond(TIME_LIMIT);
    expect(await waiter.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 2, count: 1 } });
  });

  it('renews a lease by a request that arrived in time', async () => {
    const holder = await server.connect();
    await holder.take('jobs', { lease: TIME_LIMIT });
    holder.send({ command: 'lock', parameters: { lockName: 'jobs', lease: 3_600 }, id: 1 });
    keepBusyBeyond(TIME_LIMIT);
    expect(await holder.next()).to.have.nested.property('result.alreadyHeld', true);
    expect(await holder.ask('stats')).to.include({ holders: 1, expiredLeases: 0 });
  });
});
