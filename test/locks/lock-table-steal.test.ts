import { expect } from 'chai';
import { TableScene } from './table-scene.ts';

const SHARED = { mode: 'shared' } as const;
const STEAL = { steal: 'any' } as const;

describe('lock table', () => {
  describe('stealing', () => {
    it('takes the lock from all its holders, ahead of those who wait', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, SHARED);
      scene.acquire(scene.ben, SHARED);
      scene.acquire(scene.cara);
      expect(scene.acquire(scene.dora, STEAL)).to.deep.equal({ status: 'ok', token: 3, count: 1 });
      expect(scene.takeNews()).to.deep.equal(['anna lost jobs: stolen', 'ben lost jobs: stolen']);
      expect(scene.waiters()).to.deep.equal(['cara']);
    });

    it('is denied unless every holder allowed it, where it may take only such holds', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { ...SHARED, isStealable: true });
      scene.acquire(scene.ben, SHARED);
      expect(scene.inspect().holders.map(({ stealable }) => stealable)).to.deep.equal([true, undefined]);
      expect(scene.acquire(scene.cara, { steal: 'stealable' })).to.deep.equal({ status: 'denied' });
      scene.release(scene.ben);
      expect(scene.acquire(scene.cara, { steal: 'stealable' })).to.include({ status: 'ok' });
    });

    it('takes a free lock ahead of one who waits for it together with another', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'mail' });
      scene.acquireAll(scene.ben, ['jobs', 'mail']);
      expect(scene.acquire(scene.cara, STEAL)).to.include({ status: 'ok' });
      scene.release(scene.anna, { name: 'mail' });
      expect(scene.takeNews()).to.deep.equal([]);
      scene.release(scene.cara);
      expect(scene.takeNews()).to.deep.equal(['ben: ok']);
    });

    it('grants the place of its owner, with all its requests', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben);
      scene.acquire(scene.cara);
      expect(scene.acquire(scene.cara, STEAL)).to.deep.equal({ status: 'ok', token: 2, count: 1, alreadyHeld: true });
      expect(scene.takeNews()).to.deep.equal(['anna lost jobs: stolen', 'cara: ok']);
      expect(scene.waiters()).to.deep.equal(['ben']);
    });

    it('leaves the holder what it holds', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      expect(scene.acquire(scene.anna, STEAL)).to.deep.equal({ status: 'ok', token: 1, count: 1, alreadyHeld: true });
    });

    it('makes no sense but for an exclusive lock, by an owner that waits for no other', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      expect(scene.acquire(scene.ben, { ...STEAL, ...SHARED })).to.include({ status: 'invalid' });
      expect(scene.acquire(scene.ben, { ...STEAL, mode: 'permit' })).to.include({ status: 'invalid' });
      scene.acquire(scene.ben);
      expect(scene.acquire(scene.ben, { ...STEAL, name: 'mail' })).to.include({ status: 'invalid' });
      scene.acquire(scene.cara, { ...SHARED, name: 'news' });
      expect(scene.acquire(scene.cara, { ...STEAL, name: 'news' })).to.include({ status: 'invalid' });
      scene.acquireAll(scene.dora, ['jobs', 'news']);
      expect(scene.acquire(scene.dora, STEAL)).to.include({ status: 'invalid' });
    });

    it('gets a lease and is refused at a limit as any other request', () => {
      const scene = new TableScene({ maxLocksPerSession: 1 });
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, { name: 'mail' });
      expect(scene.acquire(scene.ben, STEAL)).to.include({ status: 'limit' });
      expect(scene.holders()).to.deep.equal(['anna']);
      scene.acquire(scene.cara, { ...STEAL, leaseMs: 5 });
      scene.takeNews();
      scene.wait(5);
      expect(scene.takeNews()).to.deep.equal(['cara lost jobs: lease']);
    });
  });

  describe('releasing by force', () => {
    it('takes the lock from all its holders and lets those in who wait', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, SHARED);
      scene.acquire(scene.ben, SHARED);
      scene.acquire(scene.cara);
      expect(scene.forceRelease()).to.equal(2);
      expect(scene.takeNews()).to.deep.equal(['anna lost jobs: forced', 'ben lost jobs: forced', 'cara: ok']);
    });

    it('frees the reader/writer lock or the permit of a name', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, { mode: 'permit' });
      expect(scene.forceRelease('jobs', 'permit')).to.equal(1);
      expect(scene.holders()).to.deep.equal(['anna']);
    });

    it('finds nothing where nobody holds', () => {
      expect(new TableScene().forceRelease('jobs')).to.equal(0);
    });
  });
});
