import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import { LockLostError, LockTimeoutError } from '../../lib/client/lock-error.ts';
import { startTestServer, type TestServer } from '../../lib/testing/index.ts';
import { ManualClock } from '../../lib/testing/test-clock.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { rejection, rejects } from '../support/rejection.ts';

/** Long enough not to pass by itself while a test runs. */
const HOUR_MS = 3_600_000;

for (const socket of [false, true]) {
  describe(`the clock of a test server ${socket ? 'on a socket' : 'without a socket'}`, () => {
    let server: TestServer;
    let holder: LockClient;
    let waiter: LockClient;

    beforeEach(async () => {
      server = await startTestServer({ socket, clock: 'manual' });
      whenTestEnds(() => server.close());
      holder = await server.client();
      waiter = await server.client();
    });
    afterEach(endTest);

    it('ends a wait when its time has come, and not before', async () => {
      await holder.lock('jobs');
      const waiting = rejection(waiter.lock('jobs', { waitMs: HOUR_MS }));
      await server.clock.advance(HOUR_MS / 2);
      expect((await holder.inspect('jobs')).waiterCount).to.equal(1);
      await server.clock.advance(HOUR_MS / 2);
      expect(await waiting).to.be.instanceOf(LockTimeoutError);
    });

    it('ends a lease, admits the waiter, and tells the holder that it lost the lock', async () => {
      const handle = await holder.lock('jobs', { leaseMs: HOUR_MS });
      const waiting = waiter.lock('jobs', { waitMs: Number.POSITIVE_INFINITY });
      await server.clock.advance(HOUR_MS - 1);
      expect(handle.isHeld).to.equal(true);
      await server.clock.advance(1);
      expect(handle.signal.reason).to.be.instanceOf(LockLostError).and.include({ code: 'leaseOver' });
      expect(await waiting).to.include({ isHeld: true });
    });

    it('lets all consequences of one deadline happen before the next', async () => {
      const told: string[] = [];
      await holder.lock('jobs');
      // Each wait that is over is followed by another that ends within the same advance.
      const retry = (async () => {
        for (let time = 1; time <= 3; time += 1) {
          const error = await rejection(waiter.lock('jobs', { waitMs: 10_000 }));
          told.push(`${time}: ${(error as LockTimeoutError).code}`);
        }
      })();
      const lease = await waiter.lock('leased', { leaseMs: 15_000 });
      lease.signal.addEventListener('abort', () => told.push('lease'));
      await server.clock.advance(30_000);
      await retry;
      expect(told).to.deep.equal(['1: timeout', 'lease', '2: timeout', '3: timeout']);
    });

    it('reaches times that are not whole seconds', async () => {
      await holder.lock('jobs');
      for (const waitMs of [2_007, 2_011, 4_001]) {
        // The raw request is exact; lock() would subtract the time that has passed since the call.
        const result = waiter.rpc('lock', { lockName: 'jobs', timeLimit: waitMs / 1_000 });
        await server.clock.advance(waitMs - 1);
        expect((await holder.inspect('jobs')).waiterCount).to.equal(1);
        await server.clock.advance(1);
        expect((await holder.inspect('jobs')).waiterCount).to.equal(0);
        expect(await result).to.include({ status: 'timeout' });
      }
    });

    it('ends the waits of hundreds in the order of their times', async () => {
      await holder.lock('jobs');
      const ended: number[] = [];
      const waits = Array.from({ length: 300 }, (_, index) => 1_000 + ((index * 7_919) % 300) * 1_000);
      const waiting = waits.map((waitMs) =>
        waiter.rpc('lock', { lockName: 'jobs', owner: String(waitMs), timeLimit: waitMs / 1_000 }).then(() => {
          ended.push(waitMs);
        }),
      );
      await server.clock.advance(300_000);
      await Promise.all(waiting);
      expect(ended).to.deep.equal(waits.toSorted((a, b) => a - b));
    });

    it('stands still by itself', async () => {
      await holder.lock('jobs');
      await holder.inspect('jobs');
      const { holders } = await waiter.inspect('jobs');
      expect(holders[0]?.heldMs).to.equal(0);
      await server.clock.advance(1_234);
      expect((await waiter.inspect('jobs')).holders[0]?.heldMs).to.equal(1_234);
    });

    it('refuses a number that is no length of time', async () => {
      for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
        await rejects(server.clock.advance(ms), RangeError, `ms is ${ms}; expected a number from 0`);
      }
    });

    it('lets the server list more locks than fit into one slice of work', async () => {
      const names = Array.from({ length: 200 }, (_, index) => `lock ${100 + index}`);
      await Promise.all(names.map((name) => holder.lock(name)));
      const listed: string[] = [];
      for await (const { lockName } of waiter.listAll()) listed.push(lockName);
      expect(listed).to.deep.equal(names);
    });
  });
}

describe('ManualClock', () => {
  const settled = (): Promise<void> => new Promise(setImmediate);

  it('calls back in the order of time, at the same time in the order of the calls', async () => {
    const clock = new ManualClock(settled);
    const called: string[] = [];
    const note = (name: string) => (): void => {
      called.push(`${name} at ${clock.nowMs()}`);
    };
    clock.startTimeout(20, note('c'));
    clock.startTimeout(10, note('a'));
    clock.startTimeout(10, note('b'));
    const stop = clock.startTimeout(15, note('stopped'));
    clock.startTimeout(Number.POSITIVE_INFINITY, note('never'));
    stop();
    stop();
    await clock.advance(10);
    expect(called).to.deep.equal(['a at 10', 'b at 10']);
    await clock.advance(9);
    expect(called).to.have.length(2);
    await clock.advance(1);
    expect(called[2]).to.equal('c at 20');
  });

  it('takes overlapping calls one after the other', async () => {
    const clock = new ManualClock(settled);
    const called: number[] = [];
    clock.startTimeout(5, () => clock.startTimeout(10, () => called.push(clock.nowMs())));
    await Promise.all([clock.advance(10), clock.advance(10)]);
    expect(called).to.deep.equal([15]);
    expect(clock.nowMs()).to.equal(20);
  });
});
