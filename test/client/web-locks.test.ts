import { expect } from 'chai';
import type { WebLock } from '../../lib/client/web-locks/web-lock.ts';
import { rejection } from '../support/rejection.ts';
import { client, isFree, other, waits } from './client-scene.ts';
import { HeldRequest, hold, locks, webLocksScene } from './web-locks-scene.ts';

describe('the Web Locks API', () => {
  webLocksScene();

  describe('holds a lock', () => {
    it('while the callback runs, and passes the name and the mode to it', async () => {
      for (const mode of ['exclusive', 'shared'] as const) {
        const seen = await locks.request('jobs', { mode }, async (lock) => {
          expect((await other.inspect('jobs')).holders.map((holder) => holder.mode)).to.deep.equal([mode]);
          return lock;
        });
        expect(seen).to.include({ name: 'jobs', mode });
        await isFree();
      }
    });

    it('for a callback that returns no promise, and resolves to what it returns', async () => {
      const settled = locks.request('jobs', () => 123);
      expect(settled).to.be.instanceOf(Promise);
      expect(await settled).to.equal(123);
      await isFree();
    });

    it('until the promise of the callback resolves, and then grants the next request', async () => {
      const order: string[] = [];
      const first = await hold(locks, 'jobs');
      const second = locks.request('jobs', () => order.push('second granted'));
      await waits(1);
      order.push('first ends');
      first.release('value');
      await second;
      expect(await first.settled).to.equal('value');
      expect(order).to.deep.equal(['first ends', 'second granted']);
    });

    it('until the promise of the callback rejects', async () => {
      const thrown = new Error('from the callback');
      const first = new HeldRequest(locks, 'jobs');
      const failed = rejection(first.settled);
      const second = locks.request('jobs', () => 'granted');
      await waits(1);
      first.fail(thrown);
      expect(await failed).to.equal(thrown);
      expect(await second).to.equal('granted');
    });

    it('only until its own promise settles', async () => {
      const order: string[] = [];
      const held = await hold(locks, 'jobs');
      const settled = held.settled.then(async () => {
        order.push('settled');
        await isFree();
      });
      held.release();
      await Promise.resolve().then(() => order.push('callback ended'));
      await settled;
      expect(order).to.deep.equal(['callback ended', 'settled']);
    });

    it('for a callback that throws, and rejects with its error', async () => {
      const errors = [new Error('from the callback'), { name: 'test' }, undefined];
      for (const error of errors) {
        const throwing = (): void => {
          throw error;
        };
        expect(await rejection(locks.request('jobs', throwing))).to.equal(error);
        expect(await rejection(locks.request('jobs', () => Promise.reject(error)))).to.equal(error);
        await isFree();
      }
    });

    it('and does not call the then method of a thrown object', async () => {
      let thenCalls = 0;
      const thrown = {
        // biome-ignore lint/suspicious/noThenProperty: the test checks that it is not called
        then: () => {
          thenCalls += 1;
        },
      };
      const seen: unknown[] = [];
      await locks.request('jobs', () => Promise.reject(thrown)).catch((error) => seen.push(error));
      expect(seen[0]).to.equal(thrown);
      expect(thenCalls).to.equal(0);
    });

    it('under a lone surrogate, beside its replacement character', async () => {
      await locks.request('\uD800', async () => {
        expect(await locks.request('\uFFFD', (lock) => lock?.name)).to.equal('\uFFFD');
        expect(await locks.request('\uDC00', (lock) => lock?.name)).to.equal('\uDC00');
      });
    });
  });

  describe('grants', () => {
    it('nothing twice: a request for a lock that the client holds waits', async () => {
      const inner: HeldRequest[] = [];
      await locks.request('jobs', async () => {
        inner.push(new HeldRequest(locks, 'jobs'));
        await waits(1);
        expect(inner[0]?.isCalled).to.equal(false);
      });
      expect(await inner[0]?.granted).to.include({ name: 'jobs' });
    });

    it('locks that exclude locks taken with lock(), and the other way round', async () => {
      const handle = await client.lock('jobs');
      const held = new HeldRequest(locks, 'jobs');
      await waits(1);
      expect(held.isCalled).to.equal(false);
      await handle.release();
      await held.granted;
      expect(await client.tryLock('jobs')).to.equal(null);
    });
  });

  describe('asked for what is available', () => {
    const ifAvailable = true;

    it('grants a lock that is free', async () => {
      expect(await locks.request('jobs', { ifAvailable }, (lock) => lock?.name)).to.equal('jobs');
      await isFree();
    });

    it('calls back with null when the lock is held, by the same client or another', async () => {
      for (const holder of [client, other]) {
        await holder.locks.request('jobs', async () => {
          expect(await locks.request('jobs', { ifAvailable }, (lock) => [lock, 123])).to.deep.equal([null, 123]);
          expect(await other.inspect('jobs')).to.include({ holderCount: 1, waiterCount: 0 });
        });
      }
    });

    it('passes on the error of a callback called with null', async () => {
      const thrown = { name: 'test' };
      const throwing = (lock: WebLock | null): void => {
        expect(lock).to.equal(null);
        throw thrown;
      };
      await locks.request('jobs', async () => {
        for (const callback of [throwing, () => Promise.reject(thrown)]) {
          expect(await rejection(locks.request('jobs', { ifAvailable }, callback))).to.equal(thrown);
        }
      });
    });
  });
});
