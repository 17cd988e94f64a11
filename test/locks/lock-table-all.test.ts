import { expect } from 'chai';
import { TableScene } from './table-scene.ts';

const ALL_OF = ['a', 'b'];
const PERMIT = { name: 'p', mode: 'permit' } as const;

describe('lock table', () => {
  describe('acquiring several locks', () => {
    it('grants all that are free at once, in the order asked for', () => {
      const scene = new TableScene();
      expect(scene.acquireAll(scene.anna, ['b', 'a'])).to.deep.equal({ status: 'ok', tokens: [1, 2], counts: [1, 1] });
      expect(scene.inspect('b').holders[0]).to.include({ token: 1 });
    });

    it('holds nothing while it waits, but keeps its places', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'a' });
      expect(scene.acquireAll(scene.ben, ALL_OF)).to.deep.equal({ status: 'queued' });
      expect(scene.holders('b')).to.deep.equal([]);
      expect(scene.inspect('b').waiters[0]).to.include({ position: 1, lockAll: true });
      expect(scene.acquire(scene.cara, { name: 'b', waitMs: 0 })).to.deep.equal({ status: 'unavailable' });
      scene.acquire(scene.cara, { name: 'b' });
      scene.release(scene.anna, { name: 'a' });
      expect(scene.takeNews()).to.deep.equal(['ben: ok']);
      scene.release(scene.ben, { name: 'b' });
      expect(scene.takeNews()).to.deep.equal(['cara: ok']);
    });

    it('grants in one step what several releases have made room for', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'a' });
      scene.acquire(scene.ben, { name: 'b' });
      scene.acquireAll(scene.cara, ALL_OF);
      scene.release(scene.ben, { name: 'b' });
      expect(scene.takeNews()).to.deep.equal([]);
      scene.release(scene.anna, { name: 'a' });
      expect(scene.takeNews()).to.deep.equal(['cara: ok']);
    });

    it('lets those in behind it that share with it', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'a' });
      scene.acquireAll(scene.ben, ['a', { name: 'b', mode: 'shared' }]);
      scene.acquire(scene.cara, { name: 'b', mode: 'shared' });
      scene.release(scene.anna, { name: 'a' });
      expect(scene.takeNews()).to.deep.equal(['ben: ok', 'cara: ok']);
    });

    it('keeps what the owner holds already, and says so', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'b' });
      expect(scene.acquireAll(scene.anna, ALL_OF)).to.deep.equal({
        status: 'ok',
        tokens: [2, 1],
        counts: [1, 1],
        alreadyHeld: ['b'],
      });
    });

    it('is cancelled when a hold ends that it counts on', () => {
      const ways: ((scene: TableScene) => void)[] = [
        (scene) => scene.release(scene.ben, { name: 'b' }),
        (scene) => scene.wait(10),
        (scene) => scene.forceRelease('b'),
        (scene) => scene.acquire(scene.cara, { name: 'b', steal: 'any' }),
      ];
      for (const end of ways) {
        const scene = new TableScene();
        scene.acquire(scene.anna, { name: 'a' });
        scene.acquire(scene.ben, { name: 'b', leaseMs: 10 });
        scene.acquireAll(scene.ben, ALL_OF, { context: 'both' });
        end(scene);
        expect(scene.takeNews()).to.include('both: cancelled');
        expect(scene.waiters('a')).to.deep.equal([]);
      }
    });

    it('leaves every queue when it ends, and each is looked at again', () => {
      const ways: ((scene: TableScene) => void)[] = [
        (scene) => scene.cancel(scene.ben, 7),
        (scene) => scene.wait(10),
        (scene) => scene.release(scene.ben, { name: 'b' }),
        (scene) => scene.releaseAll(scene.ben),
        (scene) => scene.endSession(scene.ben),
      ];
      for (const end of ways) {
        const scene = new TableScene();
        scene.acquire(scene.anna, { name: 'a' });
        scene.acquireAll(scene.ben, ALL_OF, { id: 7, waitMs: 10 });
        scene.acquire(scene.cara, { name: 'b' });
        end(scene);
        expect(scene.waiters('a')).to.deep.equal([]);
        expect(scene.takeNews()[1]).to.equal('cara: ok');
        expect(scene.table.counts.waiting).to.equal(0);
        expect(scene.table.nextDeadlineMs).to.equal(Number.POSITIVE_INFINITY);
      }
    });

    it('tells at a time-out who holds what it waited for, ten at most', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'a' });
      for (let count = 0; count < 12; count += 1) scene.acquire(scene.cara, { ...PERMIT, tag: `${count}` });
      scene.acquireAll(scene.ben, [{ ...PERMIT, limit: 1 }, 'a', 'free'], { waitMs: 5 });
      scene.acquireAll(scene.dora, ['free', 'a'], { waitMs: 5 });
      const events = scene.table.expire(10, 5);
      const results = events.map((event) => (event.kind === 'answered' ? event.result : undefined));
      const holders = results.map((result) => (result?.status === 'timeout' ? result.holders : []));
      expect(holders[0]).to.have.lengthOf(10);
      expect(holders[1]).to.deep.equal([
        { lockName: 'a', owner: '', name: 'anna', address: 'anna:1', mode: 'exclusive', token: 1, heldMs: 5 },
      ]);
    });

    it('is refused unless it names locks, each of them once', () => {
      const scene = new TableScene({ maxLocksPerRequest: 2 });
      expect(scene.acquireAll(scene.anna, [])).to.include({ status: 'invalid' });
      expect(scene.acquireAll(scene.anna, ['a', { name: 'a', mode: 'shared' }])).to.include({ status: 'invalid' });
      expect(scene.acquireAll(scene.anna, ['a', { name: 'a', mode: 'permit' }])).to.include({ status: 'ok' });
      const refusal = { status: 'limit', limit: 'maxLocksPerRequest', value: 2 };
      expect(scene.acquireAll(scene.anna, ['b', 'c', 'd'])).to.deep.equal(refusal);
    });

    it('is refused for a lock that the owner awaits, and so is the other way round', () => {
      const scene = new TableScene();
      scene.acquireAll(scene.anna, ['a', 'b']);
      scene.acquire(scene.ben, { name: 'a' });
      expect(scene.acquireAll(scene.ben, ['a', 'c'])).to.include({ status: 'invalid' });
      scene.acquireAll(scene.cara, ['a', 'c']);
      expect(scene.acquire(scene.cara, { name: 'c' })).to.include({ status: 'invalid' });
      expect(scene.acquireAll(scene.cara, ['c', 'd'])).to.include({ status: 'invalid' });
    });

    it('is refused for an upgrade', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'a', mode: 'shared' });
      expect(scene.acquireAll(scene.anna, ALL_OF)).to.include({ status: 'invalid' });
    });

    it('counts each lock in the limits, and one request that waits', () => {
      const scene = new TableScene({ maxLocksPerSession: 2, maxLocks: 3, maxWaitersPerLock: 1 });
      expect(scene.acquireAll(scene.anna, ['a', 'b', 'c'])).to.include({ limit: 'maxLocksPerSession' });
      scene.acquireAll(scene.anna, ALL_OF);
      expect(scene.acquireAll(scene.ben, ['c', 'd'])).to.include({ limit: 'maxLocks' });
      scene.acquireAll(scene.ben, ALL_OF);
      expect(scene.table.counts.waiting).to.equal(1);
      expect(scene.acquireAll(scene.cara, ['b', 'c'])).to.include({ limit: 'maxWaitersPerLock' });
      expect(scene.acquire(scene.cara, { name: 'b' })).to.include({ limit: 'maxWaitersPerLock' });
    });

    it('never waits when it is told not to', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'b' });
      expect(scene.acquireAll(scene.ben, ALL_OF, { waitMs: 0 })).to.deep.equal({ status: 'unavailable' });
      expect(scene.inspect('a')).to.include({ holderCount: 0, waiterCount: 0 });
    });

    it('leaves all its queues when its session ends', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'a' });
      scene.acquireAll(scene.ben, ['a', 'b', 'c']);
      scene.acquire(scene.cara, { name: 'b' });
      scene.acquireAll(scene.dora, ['c', 'd'], { context: 'c and d' });
      scene.endSession(scene.ben, 0);
      expect(scene.takeNews()).to.have.members(['ben: cancelled', 'cara: ok', 'c and d: ok']);
    });

    it('passes with a permit without limit as soon as its owner waits for nothing else', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { ...PERMIT });
      scene.acquire(scene.dora, { ...PERMIT, limit: 1 });
      scene.acquire(scene.anna, { name: 'a' });
      scene.acquire(scene.cara, { name: 'c' });
      scene.acquireAll(scene.ben, ['a', PERMIT], { tag: 'x', context: 'all' });
      scene.acquire(scene.ben, { name: 'c', tag: 'x', context: 'c' });
      scene.release(scene.anna, { name: 'a' });
      expect(scene.takeNews()).to.deep.equal([]);
      scene.release(scene.cara, { name: 'c' });
      expect(scene.takeNews()).to.deep.equal(['c: ok', 'all: ok']);
    });

    it('waits no longer when the table drains', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'a' });
      scene.acquireAll(scene.ben, ALL_OF);
      scene.acquire(scene.cara, { name: 'b' });
      scene.drain();
      expect(scene.takeNews()).to.have.members(['ben: draining', 'cara: draining']);
      expect(scene.acquireAll(scene.ben, ALL_OF)).to.deep.equal({ status: 'draining' });
      expect(scene.table.counts).to.include({ locks: 1, waiting: 0 });
    });
  });
});
