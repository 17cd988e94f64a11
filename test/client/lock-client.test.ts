import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import { LockError } from '../../lib/client/lock-error.ts';
import type { LockHandle } from '../../lib/client/lock-handle.ts';
import { endTest } from '../server/clean-up.ts';
import { type RunningServer, startServer } from '../server/running-server.ts';
import { rejection } from './rejection.ts';

describe('a lock client', () => {
  let server: RunningServer;
  let client: LockClient;
  let other: LockClient;

  beforeEach(async () => {
    server = await startServer({ maxNameBytes: 100 });
    client = await server.client();
    other = await server.client();
  });
  afterEach(endTest);

  describe('that takes a lock', () => {
    it('has a handle with its name and its token', async () => {
      const handle = await client.lock('jobs');
      expect(handle).to.include({ name: 'jobs', token: 1 });
      expect(handle.signal.aborted).to.equal(false);
      const { holders } = await other.inspect('jobs');
      expect(holders).to.have.lengthOf(1);
      expect(holders[0]).to.include({ token: 1, mode: 'exclusive', owner: handle.owner });
    });

    it('keeps others out until it gives it back', async () => {
      const handle = await client.lock('jobs');
      expect(await other.tryLock('jobs')).to.equal(null);
      expect(await handle.release()).to.equal(true);
      expect(await other.tryLock('jobs')).to.include({ name: 'jobs', token: 2 });
    });

    it('says that this very client holds it when it does not wait for itself', async () => {
      const handle = await client.lock('jobs');
      const own = `; this very client holds "jobs", as owner ${handle.owner}`;
      const free = await client.lock('mails');
      const atOnce = { waitMs: 0 } as const;
      for (const call of [client.lock('jobs', atOnce), free.lock('jobs', atOnce)]) {
        const refused = await rejection(call);
        expect(refused).to.include({ code: 'timeout' });
        expect(String(refused)).to.include(`the lock "jobs" was not granted: it is not free${own}`);
      }
      const all = await rejection(client.lockAll(['a', 'jobs'], atOnce));
      expect(String(all)).to.include(`the locks were not granted: not all of them are free${own}`);
      const stranger = await rejection(other.lock('jobs', atOnce));
      expect(String(stranger)).to.match(/it is not free$/);
    });

    it('waits until the lock is free', async () => {
      const handle = await client.lock('jobs');
      const waiting = other.lock('jobs');
      await waits('jobs', 1);
      expect(await handle.release()).to.equal(true);
      expect((await waiting).token).to.equal(2);
    });

    it('gives it back at the end of an await using block, also when that throws', async () => {
      {
        await using handle = await client.lock('jobs');
        expect((await other.inspect('jobs')).holders[0]?.token).to.equal(handle.token);
      }
      await isFree('jobs');
      const thrown = new Error('from the block');
      const block = async (): Promise<void> => {
        await using _handle = await client.lock('jobs');
        throw thrown;
      };
      expect(await rejection(block())).to.equal(thrown);
      await isFree('jobs');
    });

    it('gives it back once however often it is told to', async () => {
      const handle = await client.lock('jobs');
      expect(await Promise.all([handle.release(), handle.release()])).to.deep.equal([true, true]);
      const again = await other.lock('jobs');
      expect(await handle.release()).to.equal(true);
      await handle[Symbol.asyncDispose]();
      expect((await other.inspect('jobs')).holders[0]?.token).to.equal(again.token);
      expect((await other.stats()).requests.unlock).to.equal(1);
      expect(handle.signal.aborted).to.equal(false);
    });

    it('is told that it held nothing when the server had freed it', async () => {
      const handle = await client.lock('jobs');
      await client.rpc('unlockAll');
      expect(await handle.release()).to.equal(false);
    });

    it('cannot name it with anything but a string', async () => {
      const error = await rejection(client.lock(5 as unknown as string));
      expect(error).to.be.instanceOf(LockError).and.include({ code: 'invalid' });
      expect((error as LockError).message).to.equal('name is 5; expected a string');
    });

    it('is refused by a limit', async () => {
      for (const refused of [client.lock('x'.repeat(101)), client.tryLock('x'.repeat(101))]) {
        const error = await rejection(refused);
        expect(error).to.be.instanceOf(LockError).and.include({ code: 'limit' });
        expect((error as LockError).message).to.match(/was not granted: limit \(maxNameBytes, 100\)$/);
      }
    });

    it('is refused by a server that is about to stop once the wait is over', async () => {
      const handle = await client.lock('jobs');
      const waiting = rejection(other.lock('jobs', { waitMs: 200 }));
      await waits('jobs', 1);
      const closed = server.server.close({ drainMs: 3_600_000 });
      expect(await waiting)
        .to.be.instanceOf(LockError)
        .and.include({ code: 'draining' });
      for (const refused of [
        rejection(other.lock('free', { waitMs: 5 })),
        rejection(other.tryLock('free')),
        rejection(other.tryLock('jobs')),
      ]) {
        expect(await refused)
          .to.be.instanceOf(LockError)
          .and.include({ code: 'draining' });
      }
      expect(await handle.release()).to.equal(true);
      await closed;
    });
  });

  describe('that tries to take a lock', () => {
    it('has null when somebody has it, and waits in no queue', async () => {
      await client.lock('jobs');
      expect(await other.tryLock('jobs')).to.equal(null);
      expect(await other.inspect('jobs')).to.include({ holderCount: 1, waiterCount: 0 });
    });

    it('has a handle when it is free', async () => {
      const handle = await client.tryLock('jobs');
      expect(handle).to.include({ name: 'jobs', token: 1 });
      expect(await handle?.release()).to.equal(true);
      await isFree('jobs');
    });

    it('has null when it has the lock itself', async () => {
      await client.lock('jobs');
      expect(await client.tryLock('jobs')).to.equal(null);
    });
  });

  describe('that runs a function under a lock', () => {
    it('passes its value on, and the handle to it', async () => {
      let seen: LockHandle | undefined;
      const value = await client.locked('jobs', async (handle) => {
        seen = handle;
        expect(await other.tryLock('jobs')).to.equal(null);
        return { some: 'value' };
      });
      expect(value).to.deep.equal({ some: 'value' });
      expect(seen).to.include({ name: 'jobs', token: 1 });
      await isFree('jobs');
    });

    it('passes on what it throws, and gives the lock back', async () => {
      const thrown = new Error('from the function');
      const functions = [
        () => {
          throw thrown;
        },
        () => Promise.reject(thrown),
      ];
      for (const run of functions) {
        expect(await rejection(client.locked('jobs', run))).to.equal(thrown);
        await isFree('jobs');
      }
    });

    it('takes a function that returns no promise', async () => {
      expect(await client.locked('jobs', () => 42)).to.equal(42);
      await isFree('jobs');
    });

    it('does not run it when the lock is not granted', async () => {
      await other.lock('jobs');
      let runs = 0;
      const run = (): void => {
        runs += 1;
      };
      expect(await rejection(client.locked('jobs', run, { waitMs: 10 }))).to.include({ code: 'timeout' });
      expect(runs).to.equal(0);
    });
  });

  describe('used by several flows at once', () => {
    it('lets one of them in at a time, in the order in which they asked', async () => {
      let inside = 0;
      const order: number[] = [];
      const flow = async (index: number): Promise<void> => {
        await client.locked('jobs', async () => {
          inside += 1;
          expect(inside).to.equal(1);
          order.push(index);
          await client.stats();
          inside -= 1;
        });
      };
      await Promise.all(Array.from({ length: 50 }, (_, index) => flow(index)));
      expect(order).to.deep.equal(Array.from({ length: 50 }, (_, index) => index));
    });

    it('gives back what each of them holds, and nothing of the others', async () => {
      const first = await client.lock('a');
      const second = await client.lock('b');
      expect(first.owner).to.not.equal(second.owner);
      await first.release();
      await isFree('a');
      expect((await other.inspect('b')).holderCount).to.equal(1);
    });

    it('keeps the places of those that wait when one of them gives the lock back', async () => {
      const handle = await client.lock('jobs');
      const waiting = [client.lock('jobs'), client.lock('jobs')] as const;
      await waits('jobs', 2);
      await handle.release();
      const second = await waiting[0];
      expect(await other.inspect('jobs')).to.include({ holderCount: 1, waiterCount: 1 });
      await second.release();
      expect((await waiting[1]).token).to.equal(3);
    });
  });

  async function isFree(name: string): Promise<void> {
    expect(await other.inspect(name)).to.include({ holderCount: 0, waiterCount: 0 });
  }

  /** Both clients send what they send in order, so the server knows of all requests made before. */
  async function waits(name: string, count: number): Promise<void> {
    await client.rpc('ping');
    expect((await other.inspect(name)).waiterCount).to.equal(count);
  }
});
