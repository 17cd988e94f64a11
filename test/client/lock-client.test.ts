import { expect } from 'chai';
import { LockDrainingError, LockInvalidError, LockLimitError, LockTimeoutError } from '../../lib/client/lock-error.ts';
import type { LockHandle } from '../../lib/client/lock-handle.ts';
import { rejection, rejects } from '../support/rejection.ts';
import { client, clientScene, isFree, LONG_MS, other, server, waits } from './client-scene.ts';

describe('a lock client', () => {
  clientScene({ limits: { maxNameBytes: 100 } });

  describe('that takes a lock', () => {
    it('keeps others out until it releases the lock', async () => {
      const handle = await client.lock('jobs');
      expect(await other.tryLock('jobs')).to.equal(null);
      expect(await other.inspect('jobs')).to.include({ holderCount: 1, waiterCount: 0 });
      expect(await handle.release()).to.equal(true);
      expect(await other.tryLock('jobs')).to.include({ name: 'jobs', token: 2 });
    });

    it('says so when it would wait for itself', async () => {
      const handle = await client.lock('jobs');
      const own = `; this very client holds "jobs", as owner ${handle.owner}`;
      const free = await client.lock('mails');
      const atOnce = { waitMs: 0 } as const;
      const notFree = 'the lock "jobs" was not granted: it is not free';
      const all = 'the locks were not granted: not all of them are free';
      await isRefused(client.lock('jobs', atOnce), notFree + own);
      await isRefused(free.lock('jobs', atOnce), notFree + own);
      await isRefused(client.lockAll(['a', 'jobs'], atOnce), all + own);
      await rejects(other.lock('jobs', atOnce), LockTimeoutError, /it is not free$/);
    });

    it('releases it at the end of an await using block, also when the block throws', async () => {
      {
        await using handle = await client.lock('jobs');
        expect((await other.inspect('jobs')).holders[0]?.token).to.equal(handle.token);
      }
      await isFree();
      const thrown = new Error('from the block');
      const block = async (): Promise<void> => {
        await using _handle = await client.lock('jobs');
        throw thrown;
      };
      expect(await rejection(block())).to.equal(thrown);
      await isFree();
    });

    it('releases it once, even if it is told to several times', async () => {
      const handle = await client.lock('jobs');
      expect(await Promise.all([handle.release(), handle.release()])).to.deep.equal([true, true]);
      const again = await other.lock('jobs');
      expect(await handle.release()).to.equal(true);
      await handle[Symbol.asyncDispose]();
      expect((await other.inspect('jobs')).holders[0]?.token).to.equal(again.token);
      expect((await other.stats()).requests.unlock).to.equal(1);
      expect(handle.signal.aborted).to.equal(false);
    });

    it('takes only a string as a name, and not a long one', async () => {
      const name = 5 as unknown as string;
      await rejects(client.lock(name), LockInvalidError, 'name is 5; expected a string');
      for (const call of [client.lock('x'.repeat(101)), client.tryLock('x'.repeat(101))]) {
        await rejects(call, LockLimitError, /was not granted: limit \(maxNameBytes, 100\)$/);
      }
    });

    it('is refused by a server that is about to stop, when its wait is over', async () => {
      const handle = await client.lock('jobs');
      const waiting = rejects(client.lock('jobs', { waitMs: 200 }), LockDrainingError);
      await waits(1);
      const closed = server.server.close({ drainMs: LONG_MS });
      await waiting;
      const calls = [other.lock('free', { waitMs: 5 }), other.tryLock('free'), other.tryLock('jobs')];
      await Promise.all(calls.map((call) => rejects(call, LockDrainingError)));
      expect(await handle.release()).to.equal(true);
      await closed;
    });
  });

  describe('that runs a function under a lock', () => {
    it('hands it the handle and passes its value on', async () => {
      let seen: LockHandle | undefined;
      const value = await client.locked('jobs', async (handle) => {
        seen = handle;
        expect(await other.tryLock('jobs')).to.equal(null);
        return { some: 'value' };
      });
      expect(value).to.deep.equal({ some: 'value' });
      expect(seen).to.include({ name: 'jobs', token: 1 });
      await isFree();
      expect(await client.locked('jobs', () => 42)).to.equal(42);
      await isFree();
    });

    it('passes on its error and releases the lock', async () => {
      const thrown = new Error('from the function');
      const run = (): never => {
        throw thrown;
      };
      for (const fails of [run, () => Promise.reject(thrown)]) {
        expect(await rejection(client.locked('jobs', fails))).to.equal(thrown);
        await isFree();
      }
    });

    it('does not run it when the lock is not granted', async () => {
      await other.lock('jobs');
      let runs = 0;
      const run = (): void => {
        runs += 1;
      };
      await rejects(client.locked('jobs', run, { waitMs: 10 }), LockTimeoutError);
      expect(runs).to.equal(0);
    });
  });

  describe('used by several flows at once', () => {
    it('lets one of them in at a time, in the order in which they asked', async () => {
      let inside = 0;
      const order: number[] = [];
      const flow = async (index: number): Promise<void> => {
        inside += 1;
        expect(inside).to.equal(1);
        order.push(index);
        await client.stats();
        inside -= 1;
      };
      const indexes = [...Array(50).keys()];
      await Promise.all(indexes.map((index) => client.locked('jobs', () => flow(index))));
      expect(order).to.deep.equal(indexes);
    });

    it('releases the lock of one of them, but no lock of the others', async () => {
      const [first, second] = [await client.lock('a'), await client.lock('b')];
      expect(first.owner).to.not.equal(second.owner);
      await first.release();
      await isFree('a');
      expect((await other.inspect('b')).holderCount).to.equal(1);
    });
  });

  async function isRefused(call: Promise<unknown>, message: string): Promise<void> {
    expect((await rejects(call, LockTimeoutError)).message).to.include(message);
  }
});
