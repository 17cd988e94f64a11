import { once } from 'node:events';
import { expect } from 'chai';
import { LockLostError } from '../../lib/client/lock-error.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { startServer } from '../server/running-server.ts';

const LEASE_MS = 3_600_000;

/** Moves the wall clock; the monotonic one stands still meanwhile, as on Linux while the machine sleeps. */
function moveWallClock(byMs: number): void {
  const { now } = Date;
  Date.now = () => now() + byMs;
  whenTestEnds(() => {
    Date.now = now;
  });
}

describe('a lease, when the machine has slept', () => {
  afterEach(endTest);

  it('is over at once for who asks', async () => {
    const client = await (await startServer()).client();
    const lock = await client.lock('jobs', { leaseMs: LEASE_MS });
    moveWallClock(LEASE_MS);
    expect(lock.isHeld).to.equal(false);
    expect(lock.signal.aborted).to.equal(true);
    expect(() => lock.throwIfLost())
      .to.throw(LockLostError)
      .with.property('code', 'leaseOver');
  });

  it('is over within a second for who waits for its signal', async () => {
    const client = await (await startServer()).client();
    const lock = await client.lock('jobs', { leaseMs: LEASE_MS });
    const aborted = once(lock.signal, 'abort');
    moveWallClock(LEASE_MS);
    await aborted;
  });

  it('goes on while less than it has passed, also when the wall clock is set back', async () => {
    const client = await (await startServer()).client();
    const long = await client.lock('jobs', { leaseMs: LEASE_MS });
    moveWallClock(LEASE_MS / 2);
    expect(long.isHeld).to.equal(true);
    moveWallClock(-2 * LEASE_MS);
    expect(long.isHeld).to.equal(true);
  });
});
