import { expect } from 'chai';
import { isWaitedFor } from '../../lib/locks/deadlock.ts';
import { ownerOf } from '../../lib/locks/session.ts';
import { TableScene, viewCycle } from './table-scene.ts';

const X = { tag: 'x' } as const;
const SHARED = { tag: 'x', mode: 'shared' } as const;
const PERMIT = { tag: 'x', mode: 'permit' } as const;

/** Anna holds `a`, Ben holds `b` and Ben waits for `a`, all with the tag x. */
function sceneWithBenWaitingForAnna(): TableScene {
  const scene = new TableScene();
  scene.acquire(scene.anna, { ...X, name: 'a' });
  scene.acquire(scene.ben, { ...X, name: 'b' });
  scene.acquire(scene.ben, { ...X, name: 'a', id: 1, waitMs: 100 });
  return scene;
}

describe('lock table', () => {
  describe('deadlocks', () => {
    it('of two owners are refused to the second, with the cycle', () => {
      const scene = sceneWithBenWaitingForAnna();
      const result = scene.acquire(scene.anna, { ...X, name: 'b' });
      expect(result.status).to.equal('deadlock');
      expect(viewCycle(result)).to.deep.equal([
        'anna/x waits for b exclusive: holder',
        'ben/x waits for a exclusive: holder',
      ]);
      expect(scene.waiters('b')).to.deep.equal([]);
      expect(scene.table.counts).to.include({ waiting: 1, holders: 2 });
      expect(scene.takeNews()).to.deep.equal([]);
    });

    it('of three owners are told with all three', () => {
      const scene = sceneWithBenWaitingForAnna();
      scene.acquire(scene.cara, { ...X, name: 'c' });
      scene.acquire(scene.cara, { ...X, name: 'b' });
      expect(viewCycle(scene.acquire(scene.anna, { ...X, name: 'c' }))).to.deep.equal([
        'anna/x waits for c exclusive: holder',
        'cara/x waits for b exclusive: holder',
        'ben/x waits for a exclusive: holder',
      ]);
    });

    it('are told by the shortest cycle', () => {
      const scene = sceneWithBenWaitingForAnna();
      scene.acquire(scene.cara, { ...SHARED, name: 'c' });
      scene.acquire(scene.ben, { ...SHARED, name: 'c' });
      scene.acquire(scene.cara, { ...X, name: 'b' });
      expect(viewCycle(scene.acquire(scene.anna, { ...X, name: 'c' }))).to.have.lengthOf(2);
    });

    it('of readers and a writer are refused', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { ...SHARED, name: 'a' });
      scene.acquire(scene.ben, { ...SHARED, name: 'b' });
      scene.acquire(scene.ben, { ...X, name: 'a' });
      expect(viewCycle(scene.acquire(scene.anna, { ...X, name: 'b' }))).to.deep.equal([
        'anna/x waits for b exclusive: holder',
        'ben/x waits for a exclusive: holder',
      ]);
    });

    it('are none between readers', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { ...SHARED, name: 'a' });
      scene.acquire(scene.ben, { ...SHARED, name: 'b' });
      expect(scene.acquire(scene.ben, { ...SHARED, name: 'a' })).to.include({ status: 'ok' });
      expect(scene.acquire(scene.anna, { ...SHARED, name: 'b' })).to.include({ status: 'ok' });
    });

    it('come about through one who waits ahead', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { ...SHARED, name: 'a' });
      scene.acquire(scene.cara, { ...X, name: 'a' });
      // Dora shares with Anna, but Cara, who waits ahead of her, must come first and never will.
      scene.acquire(scene.dora, { ...SHARED, name: 'd' });
      scene.acquire(scene.anna, { ...X, name: 'd' });
      expect(viewCycle(scene.acquire(scene.dora, { ...SHARED, name: 'a' }))).to.deep.equal([
        'dora/x waits for a shared: waiter',
        'cara/x waits for a exclusive: holder',
        'anna/x waits for d exclusive: holder',
      ]);
    });

    it('are none as long as one holder of a permit is free to go', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { ...PERMIT, name: 'p' });
      scene.acquire(scene.cara, { ...PERMIT, name: 'p' });
      scene.acquire(scene.ben, { ...X, name: 'b' });
      scene.acquire(scene.anna, { ...X, name: 'b' });
      expect(scene.acquire(scene.ben, { ...PERMIT, name: 'p', limit: 2 })).to.deep.equal({ status: 'queued' });
      expect(viewCycle(scene.acquire(scene.cara, { ...X, name: 'b' }))).to.deep.equal([
        'cara/x waits for b exclusive: holder',
        'ben/x waits for p permit: holder',
      ]);
    });

    it('are refused to a request for several locks, of which one is enough', () => {
      const scene = sceneWithBenWaitingForAnna();
      expect(viewCycle(scene.acquireAll(scene.anna, ['free', 'b'], X))).to.deep.equal([
        'anna/x waits for b exclusive: holder',
        'ben/x waits for a exclusive: holder',
      ]);
      expect(scene.inspect('free')).to.include({ waiterCount: 0 });
      expect(scene.table.counts).to.include({ waiting: 1 });
    });

    it('are found through a request for several locks that keeps its places', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { ...X, name: 'a' });
      scene.acquire(scene.ben, { ...X, name: 'd' });
      scene.acquireAll(scene.ben, ['a', 'b'], X);
      // Nobody holds b, but Ben waits ahead, for a.
      scene.acquire(scene.cara, { ...X, name: 'c' });
      scene.acquire(scene.anna, { ...X, name: 'c' });
      expect(viewCycle(scene.acquire(scene.cara, { ...X, name: 'b' }))).to.deep.equal([
        'cara/x waits for b exclusive: waiter',
        'ben/x waits for a exclusive: holder',
        'anna/x waits for c exclusive: holder',
      ]);
    });

    it('are none between requests for several locks that hold nothing', () => {
      const scene = new TableScene();
      scene.acquire(scene.dora, { ...X, name: 'a' });
      expect(scene.acquireAll(scene.anna, ['a', 'b'], X)).to.deep.equal({ status: 'queued' });
      expect(scene.acquireAll(scene.ben, ['b', 'a'], X)).to.deep.equal({ status: 'queued' });
      scene.release(scene.dora, { ...X, name: 'a' });
      scene.releaseAll(scene.anna);
      expect(scene.takeNews()).to.deep.equal(['anna: ok', 'ben: ok']);
    });

    it('are over when a member cancels, runs out of time, withdraws or goes', () => {
      const ways: ((scene: TableScene) => void)[] = [
        (scene) => scene.cancel(scene.ben, 1),
        (scene) => scene.wait(100),
        (scene) => scene.release(scene.ben, { ...X, name: 'a' }),
        (scene) => scene.endSession(scene.ben),
        (scene) => scene.endSession(scene.ben, 0),
      ];
      for (const end of ways) {
        const scene = sceneWithBenWaitingForAnna();
        end(scene);
        expect(scene.acquire(scene.anna, { ...X, name: 'b' }).status).not.to.equal('deadlock');
      }
    });

    it('are none where an owner without a tag takes part', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { ...X, name: 'a' });
      scene.acquire(scene.ben, { name: 'b' });
      scene.acquire(scene.ben, { name: 'a' });
      expect(scene.acquire(scene.anna, { ...X, name: 'b' })).to.deep.equal({ status: 'queued' });
      const other = new TableScene();
      other.acquire(other.anna, { name: 'a' });
      other.acquire(other.ben, { ...X, name: 'b' });
      other.acquire(other.ben, { ...X, name: 'a' });
      expect(other.acquire(other.anna, { name: 'b' })).to.deep.equal({ status: 'queued' });
    });

    it('are told apart by the tag, within one session too', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { tag: 'x', name: 'a' });
      scene.acquire(scene.anna, { tag: 'y', name: 'b' });
      scene.acquire(scene.anna, { tag: 'x', name: 'b' });
      expect(viewCycle(scene.acquire(scene.anna, { tag: 'y', name: 'a' }))).to.deep.equal([
        'anna/y waits for a exclusive: holder',
        'anna/x waits for b exclusive: holder',
      ]);
    });

    it('are no matter for one who does not wait', () => {
      const scene = sceneWithBenWaitingForAnna();
      expect(scene.acquire(scene.anna, { ...X, name: 'b', waitMs: 0 })).to.deep.equal({ status: 'unavailable' });
    });

    it('end a place whose greatest limit leaves, when the others could never be granted', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { ...PERMIT, name: 'p' });
      scene.acquire(scene.dora, { ...PERMIT, name: 'p' });
      scene.acquire(scene.ben, { ...X, name: 'b' });
      scene.acquire(scene.anna, { ...X, name: 'b' });
      scene.acquire(scene.ben, { ...PERMIT, name: 'p', limit: 2, id: 1, context: 'two' });
      scene.acquire(scene.ben, { ...PERMIT, name: 'p', limit: 1, context: 'one' });
      expect(scene.takeNews()).to.deep.equal([]);
      scene.cancel(scene.ben, 1);
      expect(scene.takeNews()).to.deep.equal(['two: cancelled', 'one: deadlock']);
      expect(scene.waiters('p')).to.deep.equal([]);
    });

    it('end such a place, too, when those behind it are who it waits for', () => {
      const scene = new TableScene();
      scene.acquire(scene.cara, { ...PERMIT, name: 'p' });
      scene.acquire(scene.dora, { ...PERMIT, name: 'p' });
      scene.acquire(scene.anna, { ...X, name: 'm' });
      scene.acquire(scene.ben, { ...PERMIT, name: 'p', limit: 2, id: 1 });
      scene.acquire(scene.ben, { ...PERMIT, name: 'p', limit: 1 });
      scene.acquire(scene.anna, { ...PERMIT, name: 'p', limit: 2 });
      scene.acquire(scene.cara, { ...X, name: 'm' });
      const [, ended] = scene.table.cancel(scene.ben, 1, 0).events;
      expect(ended?.kind === 'answered' && viewCycle(ended.result)).to.deep.equal([
        'ben/x waits for p permit: holder',
        'cara/x waits for m exclusive: holder',
        'anna/x waits for p permit: waiter',
      ]);
    });

    it('count a permit without limit among several locks as waiting its turn while its owner waits elsewhere', () => {
      const scene = new TableScene();
      const READ = { name: 'a', mode: 'shared' } as const;
      scene.acquire(scene.dora, { name: 'a' });
      scene.acquire(scene.anna, { ...PERMIT, name: 'p' });
      scene.acquire(scene.dora, { tag: 'y', mode: 'permit', name: 'p', limit: 1 });
      scene.acquire(scene.ben, { ...X, name: 'h' });
      scene.acquireAll(scene.ben, [READ, { name: 'p', mode: 'permit' }], X);
      scene.acquire(scene.cara, { ...X, name: 'c' });
      scene.acquire(scene.cara, { ...X, ...READ });
      scene.acquire(scene.anna, { ...X, name: 'h' });
      // Ben would pass Dora only if he waited for nothing else, and Cara is behind him.
      expect(scene.acquire(scene.ben, { ...X, name: 'c' })).to.include({ status: 'deadlock' });
    });

    it('forbid a permit without limit that would keep back who its owner waits for', () => {
      const scene = new TableScene();
      scene.acquire(scene.dora, { ...PERMIT, name: 'p' });
      scene.acquire(scene.ben, { ...X, name: 'b' });
      scene.acquire(scene.ben, { ...PERMIT, name: 'p', limit: 1 });
      scene.acquire(scene.anna, { ...X, name: 'b' });
      expect(viewCycle(scene.acquire(scene.anna, { ...PERMIT, name: 'p' }))).to.deep.equal([
        'anna/x waits for b exclusive: holder',
        'ben/x waits for p permit: holder',
      ]);
      expect(viewCycle(scene.acquireAll(scene.anna, [{ name: 'p', mode: 'permit' }, 'free'], X))).to.have.lengthOf(2);
      expect(scene.holders('p')).to.deep.equal(['dora/x']);
      expect(scene.table.counts).to.include({ locks: 1, holders: 2 });
    });

    it('forbid a place to pass those ahead of it, and leave it where it is', () => {
      const scene = new TableScene();
      scene.acquire(scene.dora, { ...PERMIT, name: 'p' });
      scene.acquire(scene.ben, { ...X, name: 'b' });
      scene.acquire(scene.ben, { ...PERMIT, name: 'p', limit: 1 });
      scene.acquire(scene.anna, { ...X, name: 'b' });
      scene.acquire(scene.anna, { ...PERMIT, name: 'p', limit: 1 });
      expect(viewCycle(scene.acquire(scene.anna, { ...PERMIT, name: 'p' }))).to.deep.equal([
        'anna/x waits for b exclusive: holder',
        'ben/x waits for p permit: holder',
      ]);
      expect(scene.waiters('p')).to.deep.equal(['ben/x', 'anna/x']);
    });

    it('are told where an earlier request for several locks may not pass any more, since its owner waits elsewhere', () => {
      const scene = new TableScene();
      scene.acquire(scene.dora, { ...PERMIT, name: 'p' });
      scene.acquire(scene.ben, { ...X, name: 'b' });
      scene.acquire(scene.ben, { ...PERMIT, name: 'p', limit: 1 });
      scene.acquire(scene.cara, { name: 'c' });
      scene.acquireAll(scene.anna, [{ name: 'p', mode: 'permit' }, 'c'], X);
      scene.acquire(scene.dora, { ...X, name: 'c' });
      expect(viewCycle(scene.acquire(scene.anna, { ...X, name: 'b' }))).to.deep.equal([
        'anna/x waits for b exclusive: holder',
        'ben/x waits for p permit: holder',
        'dora/x waits for c exclusive: waiter',
      ]);
      expect(scene.waiters('b')).to.deep.equal([]);
    });

    it('are none through one whose session has ended, before its locks are worked off', () => {
      const scene = sceneWithBenWaitingForAnna();
      scene.acquire(scene.cara, { ...X, name: 'c' });
      scene.acquire(scene.cara, { ...X, name: 'b' });
      scene.endSession(scene.ben, 0);
      expect(scene.acquire(scene.anna, { ...X, name: 'c' })).to.deep.equal({ status: 'queued' });
    });

    it('are looked for only when somebody waits for the owner', () => {
      const scene = new TableScene({ maxWaitersPerLock: 20_000 });
      scene.acquire(scene.anna, { ...X, name: 'a' });
      scene.acquire(scene.ben, { ...X, name: 'busy' });
      for (let count = 0; count < 10_000; count += 1) scene.acquire(scene.cara, { tag: `${count}`, name: 'busy' });
      expect(scene.acquire(scene.anna, { ...X, name: 'busy' })).to.deep.equal({ status: 'queued' });
      expect(isWaitedFor(ownerOf(scene.anna, 'x'))).to.equal(false);
      scene.acquire(scene.dora, { ...X, name: 'a' });
      expect(isWaitedFor(ownerOf(scene.anna, 'x'))).to.equal(true);
    });

    it('are found at the end of a long queue', () => {
      const scene = new TableScene({ maxWaitersPerLock: 20_000 });
      scene.acquire(scene.anna, { ...X, name: 'a' });
      scene.acquire(scene.ben, { ...X, name: 'busy' });
      scene.acquire(scene.ben, { ...X, name: 'a' });
      for (let count = 0; count < 10_000; count += 1) scene.acquire(scene.cara, { tag: `${count}`, name: 'busy' });
      expect(viewCycle(scene.acquire(scene.anna, { ...X, name: 'busy' }))).to.have.lengthOf(2);
    });
  });
});
