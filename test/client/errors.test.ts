import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import {
  LockCancelledError,
  LockClosedError,
  LockDeadlockError,
  LockDeniedError,
  LockDrainingError,
  LockError,
  LockInvalidError,
  LockLimitError,
  LockLostError,
  LockTimeoutError,
} from '../../lib/client/lock-error.ts';
import { endTest } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { startServer } from '../server/running-server.ts';
import { rejection } from './rejection.ts';

describe('the error of a lock that was not granted', () => {
  let ann: LockClient;
  let bob: LockClient;
  let close: () => Promise<void>;

  beforeEach(async () => {
    const server = await startServer({ maxNameBytes: 20, maxLocksPerRequest: 3 });
    ann = await server.client({ name: 'Ann' });
    bob = await server.client({ name: 'Bob' });
    close = () => server.server.close({ drainMs: 3_600_000 });
  });
  afterEach(endTest);

  it('has a class and a code for each reason', async () => {
    const held = await ann.lock('jobs');
    const cancelled = rejection(bob.lock('jobs'));
    await bob.rpc('unlockAll');
    isOf(await cancelled, LockCancelledError, 'cancelled');
    isOf(await rejection(bob.lock('jobs', { waitMs: 5 })), LockTimeoutError, 'timeout');
    isOf(await rejection(bob.lock('jobs', { waitMs: -1 })), LockInvalidError, 'invalid');
    isOf(await rejection(bob.lock('x'.repeat(21))), LockLimitError, 'limit');
    const denied = await rejection(bob.lock('jobs', { steal: true }));
    isOf(denied, LockDeniedError, 'denied');
    expect((denied as Error).message).to.match(/did not take it with stealable, .* setting forceUnlock is off$/);
    isOf(await rejection(bob.forceUnlock('jobs')), LockDeniedError, 'denied');
    const lost = ann.locked('list', () => ann.rpc('unlockAll'));
    isOf(await rejection(lost), LockLostError, 'forced');
    expect(await held.release()).to.equal(false);
    await ann.lock('kept');
    const closed = close();
    await until(
      async () => (await bob.tryLock('free').catch((error: LockError) => error)) instanceof LockDrainingError,
    );
    isOf(await rejection(bob.lock('free', { waitMs: 5 })), LockDrainingError, 'draining');
    await bob.close();
    isOf(await rejection(bob.lock('free')), LockClosedError, 'closed');
    await ann.close();
    await closed;
  });

  it('names the limit and its value', async () => {
    expect(await rejection(ann.lock('x'.repeat(21)))).to.include({ limit: 'maxNameBytes', value: 20 });
    const several = await rejection(ann.lockAll(['a', 'b', 'c', 'd']));
    expect(several).to.be.instanceOf(LockLimitError).and.include({ limit: 'maxLocksPerRequest', value: 3 });
  });

  it('names the holders of the lock after a time-out', async () => {
    const { owner, token } = await ann.lock('jobs', { mode: 'shared' });
    await bob.lock('jobs', { mode: 'shared' });
    for (const call of [bob.lock('jobs', { waitMs: 5 }), bob.lockAll(['free', 'jobs'], { waitMs: 5 })]) {
      const error = (await rejection(call)) as LockTimeoutError;
      expect(error).to.be.instanceOf(LockTimeoutError);
      expect(error.holders.map(({ name }) => name)).to.deep.equal(['Ann', 'Bob']);
      expect(error.holders[0]).to.include({ lockName: 'jobs', name: 'Ann', mode: 'shared', owner, token });
      expect(error.message).to.match(
        /^the locks? .*"jobs" (was|were) not granted: timeout; Ann at 127\.0\.0\.1:\d+, owner #1 holds "jobs" shared for \d+\.\d s; Bob at /,
      );
    }
  });

  it('describes the cycle of a deadlock, line by line', async () => {
    const [a, b] = [await ann.lock('a'), await bob.lock('b')];
    const waiting = a.lock('b');
    await ann.rpc('ping');
    const error = (await rejection(b.lock('a'))) as LockDeadlockError;
    isOf(error, LockDeadlockError, 'deadlock');
    expect(
      error.cycle.map(({ name, lockName, mode, blockedBy }) => ({ name, lockName, mode, blockedBy })),
    ).to.deep.equal([
      { name: 'Bob', lockName: 'a', mode: 'exclusive', blockedBy: 'holder' },
      { name: 'Ann', lockName: 'b', mode: 'exclusive', blockedBy: 'holder' },
    ]);
    const address = String.raw`127\.0\.0\.1:\d+, owner #\d+`;
    expect(error.message).to.match(
      new RegExp(
        `^the lock "a" was not granted: it would wait for an owner that waits for it:\n` +
          `  Bob at ${address} waits for "a" \\(exclusive\\), which is held by Ann at ${address}\n` +
          `  Ann at ${address} waits for "b" \\(exclusive\\), which is held by Bob at ${address}$`,
      ),
    );
    expect(b.isHeld).to.equal(true);
    await b.release();
    expect(await waiting).to.include({ isHeld: true });
  });

  it('describes a deadlock of two flows of one client the same way', async () => {
    const [a, b] = [await ann.lock('a'), await ann.lock('b')];
    const waiting = a.lock('b');
    await ann.rpc('ping');
    isOf(await rejection(b.lock('a')), LockDeadlockError, 'deadlock');
    await b.release();
    await (await waiting).release();
  });

  it('says nothing of holders if the server hides them', async () => {
    const server = await startServer({}, undefined, { dump: false });
    const [first, second] = [await server.client(), await server.client()];
    const [a, b] = [await first.lock('a'), await second.lock('b')];
    const timeout = (await rejection(second.lock('a', { waitMs: 5 }))) as LockTimeoutError;
    expect(timeout).to.include({ message: 'the lock "a" was not granted: timeout' });
    expect(timeout.holders).to.deep.equal([]);
    const waiting = a.lock('b');
    await first.rpc('ping');
    const deadlock = (await rejection(b.lock('a'))) as LockDeadlockError;
    expect(deadlock.cycle).to.deep.equal([]);
    expect(deadlock.message).to.equal('the lock "a" was not granted: it would wait for an owner that waits for it');
    await b.release();
    expect(await waiting).to.include({ isHeld: true });
  });

  function isOf(error: unknown, type: new (...args: never[]) => LockError, code: string): void {
    expect(error).to.be.instanceOf(type).and.instanceOf(LockError).and.include({ code, name: type.name });
  }
});
