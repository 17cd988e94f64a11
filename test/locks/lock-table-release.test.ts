import { expect } from 'chai';
import {
  acquire,
  acquireEach,
  anna,
  ben,
  cancel,
  cara,
  dora,
  expectNews,
  holders,
  inspect,
  release,
  releaseAll,
  table,
  tableScene,
  takeNews,
  wait,
  waiters,
} from './table-scene.ts';

const SHARED = { mode: 'shared' } as const;
const PERMIT = { mode: 'permit' } as const;
const NOT_HELD = { status: 'notHeld' };

describe('lock table', () => {
  tableScene();

  describe('releasing', () => {
    it('tells how many holders are left, before anybody is let in', () => {
      acquireEach([anna, SHARED], [ben, SHARED], [cara]);
      expect(release(anna)).to.deep.equal({ status: 'ok', count: 1 });
      expect(release(ben)).to.deep.equal({ status: 'ok', count: 0 });
      expect(holders()).to.deep.equal(['cara']);
    });

    it('withdraws an owner that only waits, with all its requests', () => {
      acquireEach([anna, SHARED], [ben, { context: 'first' }], [ben, { context: 'second' }], [cara, SHARED]);
      expect(release(ben)).to.deep.equal({ status: 'ok', count: 1, withdrawn: true });
      expectNews('first: cancelled', 'second: cancelled', 'cara: ok');
    });

    it('releases neither a free lock nor the lock of another session', () => {
      expect(release(ben)).to.deep.equal(NOT_HELD);
      acquire(anna);
      expect(release(ben)).to.deep.equal(NOT_HELD);
      expect(release(ben, { token: 1 })).to.deep.equal(NOT_HELD);
      expect(holders()).to.deep.equal(['anna']);
    });

    it('means the untagged owner unless a tag is given', () => {
      acquire(anna, { tag: 'x' });
      expect(release(anna)).to.deep.equal(NOT_HELD);
      expect(release(anna, { name: 'jobs', tag: 'x' })).to.deep.equal({ status: 'ok', count: 0 });
    });

    it('means the reader/writer lock in either mode unless a mode is given', () => {
      acquire(anna, PERMIT);
      expect(release(anna)).to.deep.equal(NOT_HELD);
      acquire(anna, SHARED);
      expect(release(anna)).to.deep.equal({ status: 'ok', count: 0 });
      expect(release(anna, { name: 'jobs', ...PERMIT })).to.deep.equal({ status: 'ok', count: 0 });
    });

    it('refuses a mode that is not the one held', () => {
      acquire(anna);
      expect(release(anna, { name: 'jobs', ...SHARED })).to.deep.equal(NOT_HELD);
      expect(release(anna, { name: 'jobs', mode: 'exclusive' })).to.include({ status: 'ok' });
    });

    it('finds a hold by its token alone, with any tag and mode', () => {
      acquire(anna, { tag: 'x', ...PERMIT });
      expect(release(anna, { token: 1 })).to.deep.equal({ status: 'ok', count: 0 });
    });

    it('finds a permit by its token together with its name and tag', () => {
      acquireEach([anna, PERMIT], [anna]);
      expect(release(anna, { name: 'jobs', tag: '', token: 1 })).to.include({ status: 'ok' });
      expect(inspect().holders[0]).to.include({ mode: 'exclusive' });
    });

    it('refuses a token together with anything that does not fit', () => {
      acquireEach([anna, { tag: 'x' }], [anna, { name: 'mail', tag: 'x' }]);
      expect(release(anna, { token: 1, name: 'mail' })).to.deep.equal(NOT_HELD);
      expect(release(anna, { token: 1, tag: '' })).to.deep.equal(NOT_HELD);
      expect(release(anna, { token: 1, ...SHARED })).to.deep.equal(NOT_HELD);
      expect(release(anna, { token: 2, name: 'jobs', tag: 'x' })).to.deep.equal(NOT_HELD);
      expect(release(anna, { token: 3 })).to.deep.equal(NOT_HELD);
      const all = { token: 1, name: 'jobs', tag: 'x', mode: 'exclusive' } as const;
      expect(release(anna, all)).to.include({ status: 'ok' });
    });
  });

  describe('releasing all', () => {
    it('frees everything of the session and counts the holds', () => {
      acquireEach([ben, 'mail'], [anna], [anna, { ...PERMIT, tag: 'x' }], [anna, { name: 'mail', context: 'waiting' }]);
      expect(releaseAll(anna)).to.deep.equal({ status: 'ok', released: 2 });
      expectNews('waiting: cancelled');
      expect(table.counts).to.include({ holders: 1, waiting: 0 });
    });

    it('frees only the locks of one owner if a tag is given', () => {
      acquireEach([anna], [anna, { name: 'mail', tag: 'x' }]);
      expect(releaseAll(anna, 'x')).to.deep.equal({ status: 'ok', released: 1 });
      expect(releaseAll(anna, '')).to.deep.equal({ status: 'ok', released: 1 });
    });

    it('grants the session none of the locks that it releases', () => {
      acquireEach([anna, { tag: 'x' }], [anna, { tag: 'y', context: 'waiting' }], [ben]);
      expect(releaseAll(anna)).to.deep.equal({ status: 'ok', released: 1 });
      expectNews('waiting: cancelled', 'ben: ok');
    });
  });

  describe('cancelling', () => {
    it('ends a request that waits', () => {
      acquireEach([anna], [ben, { id: 7 }]);
      expect(cancel(ben, 7)).to.equal('cancelled');
      expectNews('ben: cancelled');
      expect(cancel(ben, 7)).to.equal('unknown');
    });

    it('does not end a granted request, as long as the hold lasts', () => {
      acquireEach([anna], [ben, { id: 7 }]);
      release(anna);
      expect(cancel(ben, 7)).to.equal('granted');
      expect(holders()).to.deep.equal(['ben']);
      release(ben);
      expect(cancel(ben, 7)).to.equal('unknown');
    });

    it('knows a grant by its id although a later one with that id has ended', () => {
      acquire(anna, { id: 7 });
      expect(cancel(anna, 7)).to.equal('granted');
      acquire(anna, { name: 'mail', id: 7 });
      release(anna, 'mail');
      expect(cancel(anna, 7)).to.equal('granted');
    });

    it('tells all numbers apart, by keys that nobody can foresee', () => {
      acquire(anna);
      const ids = [0, 1, -1, 2 ** 26, 2 ** 26 + 1, -(2 ** 26), 2 ** 31, 2 ** 52, 2 ** 53 - 1, 1 - 2 ** 53];
      for (const id of ids) acquire(ben, { id, tag: `${id}` });
      expect(ben.waits).to.have.property('size', ids.length);
      expect(ids.filter((id) => ben.waits?.has(id))).to.deep.equal([]);
      for (const id of ids) {
        expect(cancel(ben, id), `${id}`).to.equal('cancelled');
        expect(cancel(ben, id), `${id}`).to.equal('unknown');
      }
    });

    it('knows no ids of other sessions and tells numbers from strings', () => {
      acquireEach([anna], [ben, { id: 7 }]);
      expect(cancel(anna, 7)).to.equal('unknown');
      expect(cancel(ben, '7')).to.equal('unknown');
      expect(waiters()).to.deep.equal(['ben']);
    });
  });

  describe('wait limits', () => {
    it('end a wait at their time and not before', () => {
      acquireEach([anna], [ben, { waitMs: 10 }]);
      expect(table.nextDeadlineMs).to.equal(10);
      wait(9);
      expectNews();
      wait(1);
      expectNews('ben: timeout');
      expect(table.nextDeadlineMs).to.equal(Number.POSITIVE_INFINITY);
    });

    it('end no wait that was granted', () => {
      acquireEach([anna], [ben, { waitMs: 10 }]);
      release(anna);
      wait(10);
      expectNews('ben: ok');
    });

    it('of the same millisecond end in the order in which they were set, in parts if the caller asks for parts', () => {
      acquireEach([anna], [ben, { waitMs: 10 }]);
      wait(4);
      acquireEach([cara, { waitMs: 6 }], [dora, { waitMs: 6 }]);
      wait(6, 2);
      expectNews('ben: timeout', 'cara: timeout');
      expect(table.nextDeadlineMs).to.equal(10);
      wait(0);
      expectNews('dora: timeout');
    });
  });

  describe('leases', () => {
    it('free the lock at their end and let the next in', () => {
      acquireEach([anna, { leaseMs: 10 }], [ben]);
      wait(10);
      expectNews('anna lost jobs: lease', 'ben: ok');
    });

    it('run from the grant, not from the request', () => {
      acquireEach([anna], [ben, { leaseMs: 10 }]);
      wait(50);
      release(anna);
      wait(9);
      expectNews('ben: ok');
      wait(1);
      expectNews('ben lost jobs: lease');
    });

    it('start anew when the owner asks again with a lease', () => {
      acquire(anna, { leaseMs: 10 });
      wait(8);
      acquire(anna, { leaseMs: 10 });
      wait(9);
      expectNews();
      wait(1);
      expectNews('anna lost jobs: lease');
    });

    it('stay as they are when the owner asks again without one', () => {
      acquire(anna, { leaseMs: 10 });
      wait(8);
      acquire(anna);
      wait(2);
      expectNews('anna lost jobs: lease');
    });

    it('of requests that share a place are decided by the last that asks for one', () => {
      acquireEach([anna], [ben, { leaseMs: 5, context: 'first' }], [ben, { leaseMs: 20, context: 'second' }]);
      acquire(ben, { context: 'third' });
      release(anna);
      takeNews();
      wait(19);
      expectNews();
      wait(1);
      expectNews('ben lost jobs: lease');
    });

    it('end with the hold', () => {
      acquire(anna, { leaseMs: 10 });
      release(anna);
      expect(table.nextDeadlineMs).to.equal(Number.POSITIVE_INFINITY);
    });
  });
});
