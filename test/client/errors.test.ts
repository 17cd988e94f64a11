import { expect } from 'chai';
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
import { until } from '../server/raw-client.ts';
import { startServer } from '../server/running-server.ts';
import { rejection, rejects } from '../support/rejection.ts';
import { client as ann, other as bob, clientScene, LONG_MS, server } from './client-scene.ts';

/** Long enough to be asked for before it is over: the server is asked without waiting when nothing is left. */
const SHORT_WAIT = { waitMs: 300 } as const;

describe('the error of a lock that was not granted', () => {
  clientScene({
    limits: { maxNameBytes: 20, maxLocksPerRequest: 3 },
    client: { name: 'Ann' },
    other: { name: 'Bob' },
  });

  it('has a class and a code for each reason', async () => {
    const held = await ann.lock('jobs');
    const cancelled = isOf(bob.lock('jobs'), LockCancelledError, 'cancelled');
    await bob.rpc('unlockAll');
    await cancelled;
    await isOf(bob.lock('jobs', { waitMs: 5 }), LockTimeoutError, 'timeout');
    await isOf(bob.lock('jobs', { waitMs: -1 }), LockInvalidError, 'invalid');
    await isOf(bob.lock('x'.repeat(21)), LockLimitError, 'limit');
    const denied = await isOf(bob.lock('jobs', { steal: true }), LockDeniedError, 'denied');
    expect(denied.message).to.match(/did not take it with stealable, .* setting forceUnlock is off$/);
    await isOf(bob.forceUnlock('jobs'), LockDeniedError, 'denied');
    const run = (): Promise<unknown> => ann.rpc('unlockAll');
    await isOf(ann.locked('list', run), LockLostError, 'forced');
    expect(await held.release()).to.equal(false);
    await ann.lock('kept');
    const closed = server.server.close({ drainMs: LONG_MS });
    await until(
      async () => (await bob.tryLock('free').catch((error: LockError) => error)) instanceof LockDrainingError,
    );
    await isOf(bob.lock('free', { waitMs: 5 }), LockDrainingError, 'draining');
    await bob.close();
    await isOf(bob.lock('free'), LockClosedError, 'closed');
    await ann.close();
    await closed;
  });

  it('names the limit and its value', async () => {
    expect(await rejection(ann.lock('x'.repeat(21)))).to.include({ limit: 'maxNameBytes', value: 20 });
    const limit = { limit: 'maxLocksPerRequest', value: 3 };
    await rejects(ann.lockAll(['a', 'b', 'c', 'd']), LockLimitError, limit);
  });

  it('names the holders of the lock after a time-out', async () => {
    const { owner, token } = await ann.lock('jobs', { mode: 'shared' });
    await bob.lock('jobs', { mode: 'shared' });
    for (const call of [bob.lock('jobs', SHORT_WAIT), bob.lockAll(['free', 'jobs'], SHORT_WAIT)]) {
      const error = await rejects(call, LockTimeoutError);
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
    const error = await isOf(b.lock('a'), LockDeadlockError, 'deadlock');
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

  it('says nothing of holders if the server hides them', async () => {
    const silent = await startServer({}, undefined, { dump: false });
    const [first, second] = [await silent.client(), await silent.client()];
    const [a, b] = [await first.lock('a'), await second.lock('b')];
    const message = 'the lock "a" was not granted: timeout';
    const timeout = await rejects(second.lock('a', SHORT_WAIT), LockTimeoutError, message);
    expect(timeout.holders).to.deep.equal([]);
    const waiting = a.lock('b');
    await first.rpc('ping');
    const cyclic = 'the lock "a" was not granted: it would wait for an owner that waits for it';
    expect((await rejects(b.lock('a'), LockDeadlockError, cyclic)).cycle).to.deep.equal([]);
    await b.release();
    expect(await waiting).to.include({ isHeld: true });
  });

  async function isOf<E extends LockError>(
    call: Promise<unknown>,
    type: new (...parameters: never[]) => E,
    code: string,
  ): Promise<E> {
    const error = await rejects(call, type, { code, name: type.name });
    expect(error).to.be.instanceOf(LockError);
    return error;
  }
});
