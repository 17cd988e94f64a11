import { expect } from 'chai';
import {
  acquire,
  acquireEach,
  anna,
  ben,
  cancel,
  cara,
  dora,
  drain,
  endSession,
  expectNews,
  forceRelease,
  goOn,
  holders,
  release,
  releaseAll,
  startTable,
  table,
  tableScene,
  wait,
} from './table-scene.ts';

const SHARED = { mode: 'shared' } as const;
const PERMIT = { mode: 'permit' } as const;

describe('lock table', () => {
  tableScene();

  describe('when a session ends', () => {
    it('releases the lock that it holds', () => {
      acquireEach([anna], [ben]);
      endSession(anna);
      expectNews('anna lost jobs: sessionEnded', 'ben: ok');
      expect(table.counts.sessions).to.equal(3);
    });

    it('cancels its waits and admits the next waiters', () => {
      acquireEach([anna, SHARED], [ben], [cara, SHARED]);
      endSession(ben);
      expectNews('ben: cancelled', 'cara: ok');
    });

    it('does not grant a lock of one of its owners to another of its owners', () => {
      acquireEach([anna, { tag: 'x' }], [anna, { tag: 'y' }], [ben]);
      endSession(anna);
      expectNews('anna: cancelled', 'anna lost jobs: sessionEnded', 'ben: ok');
    });

    it('cancels its waits before it releases its holds in the order of their grants', () => {
      acquire(ben);
      for (const name of ['post', 'mail', 'news']) acquire(anna, { name });
      acquire(anna, { tag: 'x' });
      endSession(anna);
      expectNews(
        'anna: cancelled',
        'anna lost post: sessionEnded',
        'anna lost mail: sessionEnded',
        'anna lost news: sessionEnded',
      );
    });

    it('releases one hold after the other: the first to be admitted still sees the others held', () => {
      acquireEach([anna, { ...PERMIT, tag: 'x' }], [anna, { ...PERMIT, tag: 'y' }], [ben, { ...PERMIT, limit: 2 }]);
      const events = table.goOn(table.endSession(anna), 1, 0);
      const grant = events.find((event) => event.kind === 'answered');
      expect(grant).to.deep.include({ session: ben, result: { status: 'ok', token: 3, count: 2 } });
    });

    it('takes no further request of that session', () => {
      acquire(anna);
      endSession(anna, 0);
      expect(() => acquire(anna)).to.throw('has ended');
      expect(() => release(anna)).to.throw('has ended');
      expect(() => releaseAll(anna)).to.throw('has ended');
      expect(() => cancel(anna, 1)).to.throw('has ended');
      expect(() => endSession(anna)).to.throw('has ended');
    });
  });

  describe('when a session ends in slices', () => {
    it('frees no more in a slice than it is told to', () => {
      for (const name of ['jobs', 'mail', 'news']) acquire(anna, { name });
      const end = endSession(anna, 1);
      expect(table.counts.holders).to.equal(2);
      expect(end.isOver).to.equal(false);
      goOn(end, 2);
      expect(table.counts).to.deep.equal({ locks: 0, permits: 0, holders: 0, waiting: 0, sessions: 3, tableBytes: 0 });
      expect(end.isOver).to.equal(true);
    });

    it('keeps a lock held until its turn comes', () => {
      acquire(anna, 'mail');
      const end = endSession(anna, 0);
      expect(acquire(ben, { name: 'mail', waitMs: 0 })).to.deep.equal({ status: 'unavailable' });
      expect(holders('mail')).to.deep.equal(['anna']);
      acquire(ben, 'mail');
      goOn(end, 1);
      expectNews('anna lost mail: sessionEnded', 'ben: ok');
    });

    it('skips holds that have ended meanwhile', () => {
      acquireEach([anna, { leaseMs: 10 }], [anna, 'mail']);
      const end = endSession(anna, 0);
      wait(10);
      forceRelease('mail');
      goOn(end, 2);
      expectNews('anna lost jobs: lease', 'anna lost mail: forced');
      expect(end.isOver).to.equal(true);
    });
  });

  describe('when it drains', () => {
    it('answers waiting requests and new ones with draining', () => {
      acquireEach([anna], [ben, { context: 'first' }], [ben, { context: 'second' }], [cara]);
      drain();
      expectNews('first: draining', 'second: draining', 'cara: draining');
      expect(acquire(dora, 'mail')).to.deep.equal({ status: 'draining' });
      expect(acquire(dora, { name: 'mail', waitMs: 0 })).to.deep.equal({ status: 'draining' });
    });

    it('still answers owners that ask for locks they hold', () => {
      acquire(anna);
      drain();
      expect(acquire(anna, { leaseMs: 10 })).to.include({ status: 'ok', token: 1, alreadyHeld: true });
      wait(10);
      expectNews('anna lost jobs: lease');
    });

    it('still releases, but lets nobody in', () => {
      acquireEach([anna], [ben]);
      drain();
      expect(release(anna)).to.deep.equal({ status: 'ok', count: 0 });
      expect(table.counts).to.include({ locks: 0, holders: 0, waiting: 0 });
      expect(acquire(ben)).to.deep.equal({ status: 'draining' });
    });
  });

  describe('limits', () => {
    it('bound the locks that are held or waited for, in both name spaces', () => {
      startTable({ maxLocks: 2 });
      acquireEach([anna], [anna, PERMIT]);
      const refusal = { status: 'limit', limit: 'maxLocks', value: 2 };
      expect(acquire(ben, 'mail')).to.deep.equal(refusal);
      expect(acquire(ben)).to.deep.equal({ status: 'queued' });
      release(anna, { name: 'jobs', ...PERMIT });
      expect(acquire(ben, 'mail')).to.include({ status: 'ok' });
    });

    it('bound the locks that one session holds or waits for, over all its owners', () => {
      startTable({ maxLocksPerSession: 2 });
      acquireEach([ben, 'mail'], [anna, { tag: 'x' }], [anna, { name: 'mail', tag: 'y' }]);
      const refusal = { status: 'limit', limit: 'maxLocksPerSession', value: 2 };
      expect(acquire(anna, 'news')).to.deep.equal(refusal);
      expect(acquire(anna, { tag: 'x' })).to.include({ alreadyHeld: true });
      expect(acquire(anna, { name: 'mail', tag: 'y' })).to.deep.equal({ status: 'queued' });
    });

    it('bound the requests that wait for one lock, even if they share a place', () => {
      startTable({ maxWaitersPerLock: 2 });
      acquireEach([anna], [ben], [ben]);
      const refusal = { status: 'limit', limit: 'maxWaitersPerLock', value: 2 };
      expect(acquire(ben)).to.deep.equal(refusal);
      expect(acquire(cara)).to.deep.equal(refusal);
      expect(acquire(cara, { waitMs: 0 })).to.deep.equal({ status: 'unavailable' });
      release(ben);
      expect(acquire(cara)).to.deep.equal({ status: 'queued' });
    });
  });
});
