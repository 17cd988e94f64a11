import { once } from 'node:events';
import { expect } from 'chai';
import { LockLostError } from '../../lib/client/lock-error.ts';
import { whenTestEnds } from '../server/clean-up.ts';
import { client, clientScene, isFree, LONG_MS as LEASE_MS } from './client-scene.ts';

/** Less than a client trusts its session without an answer. */
const MOVED_MS = 10_000;

/** Moves the wall clock; the monotonic one stands still meanwhile, as on Linux while the machine sleeps. */
function moveWallClock(byMs: number): void {
  const { now } = Date;
  Date.now = () => now() + byMs;
  whenTestEnds(() => {
    Date.now = now;
  });
}

describe('a lease, when the machine has slept', () => {
  clientScene();

  it('is over at once for a caller that asks', async () => {
    const lock = await client.lock('jobs', { leaseMs: LEASE_MS });
    moveWallClock(LEASE_MS);
    expect(lock.isHeld).to.equal(false);
    expect(lock.signal.aborted).to.equal(true);
    expect(() => lock.throwIfLost())
      .to.throw(LockLostError)
      .with.property('code', 'leaseOver');
    // The lease goes on at the server, so the client tells it.
    await client.rpc('ping');
    await isFree();
  });

  it('is over within a second for a caller that waits for its signal', async () => {
    const lock = await client.lock('jobs', { leaseMs: LEASE_MS });
    const aborted = once(lock.signal, 'abort');
    moveWallClock(LEASE_MS);
    await aborted;
  });

  it('goes on when less time has passed, also when the wall clock is set back', async () => {
    const long = await client.lock('jobs', { leaseMs: 4 * MOVED_MS });
    moveWallClock(MOVED_MS);
    expect(long.isHeld).to.equal(true);
    moveWallClock(-3 * MOVED_MS);
    expect(long.isHeld).to.equal(true);
  });
});
