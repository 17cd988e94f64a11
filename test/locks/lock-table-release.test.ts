import { expect } from 'chai';
import { TableScene } from './table-scene.ts';

const SHARED = { mode: 'shared' } as const;
const PERMIT = { mode: 'permit' } as const;
const NOT_HELD = { status: 'notHeld' };

describe('lock table', () => {
  describe('releasing', () => {
    it('tells how many holders are left, before anybody is let in', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, SHARED);
      scene.acquire(scene.ben, SHARED);
      scene.acquire(scene.cara);
      expect(scene.release(scene.anna)).to.deep.equal({ status: 'ok', count: 1 });
      expect(scene.release(scene.ben)).to.deep.equal({ status: 'ok', count: 0 });
      expect(scene.holders()).to.deep.equal(['cara']);
    });

    it('withdraws an owner that only waits, with all its requests', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, SHARED);
      scene.acquire(scene.ben, { context: 'first' });
      scene.acquire(scene.ben, { context: 'second' });
      scene.acquire(scene.cara, SHARED);
      expect(scene.release(scene.ben)).to.deep.equal({ status: 'ok', count: 1, withdrawn: true });
      expect(scene.takeNews()).to.deep.equal(['first: cancelled', 'second: cancelled', 'cara: ok']);
    });

    it('finds neither a lock that nobody holds nor one that another session holds', () => {
      const scene = new TableScene();
      expect(scene.release(scene.ben)).to.deep.equal(NOT_HELD);
      scene.acquire(scene.anna);
      expect(scene.release(scene.ben)).to.deep.equal(NOT_HELD);
      expect(scene.release(scene.ben, { token: 1 })).to.deep.equal(NOT_HELD);
      expect(scene.holders()).to.deep.equal(['anna']);
    });

    it('means the untagged owner unless a tag is given', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { tag: 'x' });
      expect(scene.release(scene.anna, { name: 'jobs' })).to.deep.equal(NOT_HELD);
      expect(scene.release(scene.anna, { name: 'jobs', tag: 'x' })).to.deep.equal({ status: 'ok', count: 0 });
    });

    it('means the reader/writer lock in either mode unless a mode is given', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, PERMIT);
      expect(scene.release(scene.anna, { name: 'jobs' })).to.deep.equal(NOT_HELD);
      scene.acquire(scene.anna, SHARED);
      expect(scene.release(scene.anna, { name: 'jobs' })).to.deep.equal({ status: 'ok', count: 0 });
      expect(scene.release(scene.anna, { name: 'jobs', ...PERMIT })).to.deep.equal({ status: 'ok', count: 0 });
    });

    it('refuses a mode that is not the one held', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      expect(scene.release(scene.anna, { name: 'jobs', ...SHARED })).to.deep.equal(NOT_HELD);
      expect(scene.release(scene.anna, { name: 'jobs', mode: 'exclusive' })).to.include({ status: 'ok' });
    });

    it('finds a hold by its token alone, whatever its tag and mode', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { tag: 'x', ...PERMIT });
      expect(scene.release(scene.anna, { token: 1 })).to.deep.equal({ status: 'ok', count: 0 });
    });

    it('finds a permit by its token together with its name and tag', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, PERMIT);
      scene.acquire(scene.anna);
      expect(scene.release(scene.anna, { name: 'jobs', tag: '', token: 1 })).to.include({ status: 'ok' });
      expect(scene.inspect().holders[0]).to.include({ mode: 'exclusive' });
    });

    it('refuses a token together with anything that does not fit', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { tag: 'x' });
      scene.acquire(scene.anna, { name: 'mail', tag: 'x' });
      expect(scene.release(scene.anna, { token: 1, name: 'mail' })).to.deep.equal(NOT_HELD);
      expect(scene.release(scene.anna, { token: 1, tag: '' })).to.deep.equal(NOT_HELD);
      expect(scene.release(scene.anna, { token: 1, ...SHARED })).to.deep.equal(NOT_HELD);
      expect(scene.release(scene.anna, { token: 2, name: 'jobs', tag: 'x' })).to.deep.equal(NOT_HELD);
      expect(scene.release(scene.anna, { token: 3 })).to.deep.equal(NOT_HELD);
      const all = { token: 1, name: 'jobs', tag: 'x', mode: 'exclusive' } as const;
      expect(scene.release(scene.anna, all)).to.include({ status: 'ok' });
    });
  });

  describe('releasing all', () => {
    it('frees everything of the session and counts the holds', () => {
      const scene = new TableScene();
      scene.acquire(scene.ben, { name: 'mail' });
      scene.acquire(scene.anna, { name: 'jobs' });
      scene.acquire(scene.anna, { name: 'jobs', ...PERMIT, tag: 'x' });
      scene.acquire(scene.anna, { name: 'mail', context: 'waiting' });
      expect(scene.releaseAll(scene.anna)).to.deep.equal({ status: 'ok', released: 2 });
      expect(scene.takeNews()).to.deep.equal(['waiting: cancelled']);
      expect(scene.table.counts).to.include({ holders: 1, waiting: 0 });
    });

    it('frees what one owner has when a tag is given', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'jobs' });
      scene.acquire(scene.anna, { name: 'mail', tag: 'x' });
      expect(scene.releaseAll(scene.anna, 'x')).to.deep.equal({ status: 'ok', released: 1 });
      expect(scene.releaseAll(scene.anna, '')).to.deep.equal({ status: 'ok', released: 1 });
    });

    it('grants the session nothing of what it gives up', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { tag: 'x' });
      scene.acquire(scene.anna, { tag: 'y', context: 'waiting' });
      scene.acquire(scene.ben);
      expect(scene.releaseAll(scene.anna)).to.deep.equal({ status: 'ok', released: 1 });
      expect(scene.takeNews()).to.deep.equal(['waiting: cancelled', 'ben: ok']);
    });
  });

  describe('cancelling', () => {
    it('ends a request that waits', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, { id: 7 });
      expect(scene.cancel(scene.ben, 7)).to.equal('cancelled');
      expect(scene.takeNews()).to.deep.equal(['ben: cancelled']);
      expect(scene.cancel(scene.ben, 7)).to.equal('unknown');
    });

    it('leaves a request alone that was granted, as long as the hold lasts', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, { id: 7 });
      scene.release(scene.anna);
      expect(scene.cancel(scene.ben, 7)).to.equal('granted');
      expect(scene.holders()).to.deep.equal(['ben']);
      scene.release(scene.ben);
      expect(scene.cancel(scene.ben, 7)).to.equal('unknown');
    });

    it('knows a grant by its id although a later one with that id has ended', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'jobs', id: 7 });
      expect(scene.cancel(scene.anna, 7)).to.equal('granted');
      scene.acquire(scene.anna, { name: 'mail', id: 7 });
      scene.release(scene.anna, { name: 'mail' });
      expect(scene.cancel(scene.anna, 7)).to.equal('granted');
    });

    it('knows no ids of other sessions and tells numbers from strings', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, { id: 7 });
      expect(scene.cancel(scene.anna, 7)).to.equal('unknown');
      expect(scene.cancel(scene.ben, '7')).to.equal('unknown');
      expect(scene.waiters()).to.deep.equal(['ben']);
    });
  });

  describe('wait limits', () => {
    it('end a wait at their time and not before', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, { waitMs: 10 });
      expect(scene.table.nextDeadlineMs).to.equal(10);
      scene.wait(9);
      expect(scene.takeNews()).to.deep.equal([]);
      scene.wait(1);
      expect(scene.takeNews()).to.deep.equal(['ben: timeout']);
      expect(scene.table.nextDeadlineMs).to.equal(Number.POSITIVE_INFINITY);
    });

    it('end no wait that was granted', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, { waitMs: 10 });
      scene.release(scene.anna);
      scene.wait(10);
      expect(scene.takeNews()).to.deep.equal(['ben: ok']);
    });

    it('of the same millisecond end in the order in which they were set, as many as are asked for', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, { waitMs: 10 });
      scene.wait(4);
      scene.acquire(scene.cara, { waitMs: 6 });
      scene.acquire(scene.dora, { waitMs: 6 });
      scene.wait(6, 2);
      expect(scene.takeNews()).to.deep.equal(['ben: timeout', 'cara: timeout']);
      expect(scene.table.nextDeadlineMs).to.equal(10);
      scene.wait(0);
      expect(scene.takeNews()).to.deep.equal(['dora: timeout']);
    });
  });

  describe('leases', () => {
    it('free the lock at their end and let the next in', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { leaseMs: 10 });
      scene.acquire(scene.ben);
      scene.wait(10);
      expect(scene.takeNews()).to.deep.equal(['anna lost jobs: lease', 'ben: ok']);
    });

    it('run from the grant, not from the request', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, { leaseMs: 10 });
      scene.wait(50);
      scene.release(scene.anna);
      scene.wait(9);
      expect(scene.takeNews()).to.deep.equal(['ben: ok']);
      scene.wait(1);
      expect(scene.takeNews()).to.deep.equal(['ben lost jobs: lease']);
    });

    it('start anew when the owner asks again with a lease', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { leaseMs: 10 });
      scene.wait(8);
      scene.acquire(scene.anna, { leaseMs: 10 });
      scene.wait(9);
      expect(scene.takeNews()).to.deep.equal([]);
      scene.wait(1);
      expect(scene.takeNews()).to.deep.equal(['anna lost jobs: lease']);
    });

    it('stay as they are when the owner asks again without one', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { leaseMs: 10 });
      scene.wait(8);
      scene.acquire(scene.anna);
      scene.wait(2);
      expect(scene.takeNews()).to.deep.equal(['anna lost jobs: lease']);
    });

    it('of requests that share a place are decided by the last that asks for one', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, { leaseMs: 5, context: 'first' });
      scene.acquire(scene.ben, { leaseMs: 20, context: 'second' });
      scene.acquire(scene.ben, { context: 'third' });
      scene.release(scene.anna);
      scene.takeNews();
      scene.wait(19);
      expect(scene.takeNews()).to.deep.equal([]);
      scene.wait(1);
      expect(scene.takeNews()).to.deep.equal(['ben lost jobs: lease']);
    });

    it('end with the hold', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { leaseMs: 10 });
      scene.release(scene.anna);
      expect(scene.table.nextDeadlineMs).to.equal(Number.POSITIVE_INFINITY);
    });
  });
});
