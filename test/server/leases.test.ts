import { expect } from 'chai';
import { serverForEachTest } from './running-server.ts';

/** Short enough to wait for. */
const SHORT = 0.03;
/** Long enough for the steps of a test before its end. */
const MEDIUM = 0.25;
/** Longer than any test. */
const LONG = 3_600;

describe('leases', () => {
  const server = serverForEachTest();

  it('free the lock at their end, and tell its holder', async () => {
    const client = await server.connect();
    await client.take('jobs', { lease: SHORT });
    expect(await client.next()).to.deep.equal(lost('jobs'));
    expect(await client.ask('unlock', { lockName: 'jobs' })).to.deep.equal({ status: 'notHeld' });
    expect(await client.ask('stats')).to.include({ locks: 0, holders: 0, expiredLeases: 1, releases: 0, orphans: 0 });
  });

  it('name the owner and the mode of the lost lock', async () => {
    const client = await server.connect();
    await client.take('jobs', { lease: SHORT, owner: 'a', mode: 'permit', limit: 1 });
    expect(await client.next()).to.deep.equal({ ...lost('jobs'), mode: 'permit', owner: 'a' });
    await client.take('jobs', { lease: SHORT, mode: 'shared' });
    expect(await client.next()).to.deep.equal({ ...lost('jobs'), mode: 'shared', token: 2 });
  });

  it('let in the next in line at their end', async () => {
    const [holder, waiter] = await server.connectTwo();
    holder.send({ command: 'lock', parameters: { lockName: 'jobs', lease: SHORT }, id: 1 });
    await holder.next();
    waiter.send({ command: 'lock', parameters: { lockName: 'jobs' }, id: 2 });
    expect(await waiter.next()).to.deep.equal({ id: 2, result: { status: 'ok', token: 2, count: 1 } });
    expect(await holder.next()).to.deep.equal(lost('jobs'));
    await waiter.settle();
  });

  for (const first of [{ lease: LONG }, {}]) {
    it(`can be made shorter by a second request, after ${JSON.stringify(first)}`, async () => {
      const client = await server.connect();
      await client.take('jobs', first);
      await client.take('jobs', { lease: SHORT });
      expect(await client.next()).to.deep.equal(lost('jobs'));
    });
  }

  it('end at an unlock, without an event', async () => {
    const client = await server.connect();
    await client.take('jobs', { lease: MEDIUM });
    await client.ask('unlock', { lockName: 'jobs' });
    await client.take('jobs');
    await client.take('clock', { lease: MEDIUM });
    expect(await client.next()).to.deep.equal({ ...lost('clock'), token: 3 });
    expect(await client.ask('unlock', { lockName: 'jobs', token: 2 })).to.deep.equal({ status: 'ok', count: 0 });
  });

  function lost(lockName: string) {
    return { event: 'lost', lockName, mode: 'exclusive', owner: '', token: 1, reason: 'lease' };
  }
});
