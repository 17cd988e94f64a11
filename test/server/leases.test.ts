import { expect } from 'chai';
import { alreadyHeld } from './answers.ts';
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

  it('start again when the holder asks again with a lease', async () => {
    const client = await server.connect();
    await client.take('jobs', { lease: MEDIUM });
    expect(await client.ask('lock', { lockName: 'jobs', lease: LONG })).to.deep.equal(alreadyHeld(1));
    await client.take('clock', { lease: MEDIUM });
    expect(await client.next()).to.deep.equal({ ...lost('clock'), token: 2 });
    expect(await client.ask('unlock', { lockName: 'jobs' })).to.deep.equal({ status: 'ok', count: 0 });
  });

  for (const first of [{ lease: LONG }, {}]) {
    it(`can be made shorter by a second request, after ${JSON.stringify(first)}`, async () => {
      const client = await server.connect();
      await client.take('jobs', first);
      await client.take('jobs', { lease: SHORT });
      expect(await client.next()).to.deep.equal(lost('jobs'));
    });
  }

  it('go on when the holder asks again without a lease', async () => {
    const client = await server.connect();
    client.send(
      { command: 'lock', parameters: { lockName: 'jobs', lease: SHORT }, id: 1 },
      { command: 'lock', parameters: { lockName: 'jobs' }, id: 2 },
    );
    expect(await client.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 1, count: 1 } });
    expect(await client.next()).to.deep.equal({ id: 2, result: alreadyHeld(1) });
    expect(await client.next()).to.deep.equal(lost('jobs'));
  });

  it('start at the grant, not at the request', async () => {
    const [holder, waiter] = await server.connectTwo();
    await holder.take('jobs');
    await waiter.queue(1, 'jobs', { lease: SHORT });
    await holder.take('clock', { lease: SHORT });
    expect(await holder.next()).to.deep.equal({ ...lost('clock'), token: 2 });
    expect(await waiter.ask('inspect', { lockName: 'jobs' })).to.include({ holderCount: 1, waiterCount: 1 });
    await holder.ask('unlock', { lockName: 'jobs' });
    expect(await waiter.next()).to.deep.equal({ id: 1, result: { status: 'ok', token: 3, count: 1 } });
    expect(await waiter.next()).to.deep.equal({ ...lost('jobs'), token: 3 });
  });

  it('end at an unlock, without an event', async () => {
    const client = await server.connect();
    await client.take('jobs', { lease: MEDIUM });
    await client.ask('unlock', { lockName: 'jobs' });
    await client.take('jobs');
    await client.take('clock', { lease: MEDIUM });
    expect(await client.next()).to.deep.equal({ ...lost('clock'), token: 3 });
    expect(await client.ask('unlock', { lockName: 'jobs', token: 2 })).to.deep.equal({ status: 'ok', count: 0 });
  });

  it('end with their session, without an event', async () => {
    const [holder, other] = await server.connectTwo();
    await holder.take('jobs', { lease: MEDIUM });
    await holder.leave();
    await other.take('clock', { lease: MEDIUM });
    await other.next();
    expect(await other.ask('stats')).to.include({ expiredLeases: 1, orphans: 1 });
  });

  function lost(lockName: string) {
    return { event: 'lost', lockName, mode: 'exclusive', owner: '', token: 1, reason: 'lease' };
  }
});
