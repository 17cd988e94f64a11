import { expect } from 'chai';
import {
  acquire,
  acquireAll,
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
  holders,
  inspect,
  release,
  releaseAll,
  startTable,
  table,
  tableScene,
  takeNews,
  wait,
  waiters,
} from './table-scene.ts';

const ALL_OF = ['a', 'b'];
const PERMIT = { name: 'p', mode: 'permit' } as const;

describe('lock table', () => {
  tableScene();

  describe('acquiring several locks', () => {
    it('grants all that are free at once, in the order asked for', () => {
      expect(acquireAll(anna, ['b', 'a'])).to.deep.equal({ status: 'ok', tokens: [1, 2], counts: [1, 1] });
      expect(inspect('b').holders[0]).to.include({ token: 1 });
    });

    it('holds nothing while it waits, but keeps its places', () => {
      acquire(anna, 'a');
      expect(acquireAll(ben, ALL_OF)).to.deep.equal({ status: 'queued' });
      expect(holders('b')).to.deep.equal([]);
      expect(inspect('b').waiters[0]).to.include({ position: 1, lockAll: true });
      expect(acquire(cara, { name: 'b', waitMs: 0 })).to.deep.equal({ status: 'unavailable' });
      acquire(cara, 'b');
      release(anna, 'a');
      expectNews('ben: ok');
      release(ben, 'b');
      expectNews('cara: ok');
    });

    it('grants in one step, once several releases have made room', () => {
      acquireEach([anna, 'a'], [ben, 'b']);
      acquireAll(cara, ALL_OF);
      release(ben, 'b');
      expectNews();
      release(anna, 'a');
      expectNews('cara: ok');
    });

    it('admits waiters behind it that share a lock with it', () => {
      acquire(anna, 'a');
      acquireAll(ben, ['a', { name: 'b', mode: 'shared' }]);
      acquire(cara, { name: 'b', mode: 'shared' });
      release(anna, 'a');
      expectNews('ben: ok', 'cara: ok');
    });

    it('keeps locks that the owner holds already, and says so', () => {
      acquire(anna, 'b');
      expect(acquireAll(anna, ALL_OF)).to.deep.equal({
        status: 'ok',
        tokens: [2, 1],
        counts: [1, 1],
        alreadyHeld: ['b'],
      });
    });

    it('is cancelled when a hold ends that it needs', () => {
      const ways: (() => unknown)[] = [
        () => release(ben, 'b'),
        () => wait(10),
        () => forceRelease('b'),
        () => acquire(cara, { name: 'b', steal: 'any' }),
      ];
      for (const end of ways) {
        startTable();
        acquireEach([anna, 'a'], [ben, { name: 'b', leaseMs: 10 }]);
        acquireAll(ben, ALL_OF, { context: 'both' });
        end();
        expect(takeNews()).to.include('both: cancelled');
        expect(waiters('a')).to.deep.equal([]);
      }
    });

    it('leaves every queue when it ends, and the next waiters are admitted', () => {
      const ways: (() => unknown)[] = [
        () => cancel(ben, 7),
        () => wait(10),
        () => release(ben, 'b'),
        () => releaseAll(ben),
        () => endSession(ben),
      ];
      for (const end of ways) {
        startTable();
        acquire(anna, 'a');
        acquireAll(ben, ALL_OF, { id: 7, waitMs: 10 });
        acquire(cara, 'b');
        end();
        expect(waiters('a')).to.deep.equal([]);
        expect(takeNews()[1]).to.equal('cara: ok');
        expect(table.counts.waiting).to.equal(0);
        expect(table.nextDeadlineMs).to.equal(Number.POSITIVE_INFINITY);
      }
    });

    it('names up to ten holders of its locks at a time-out', () => {
      acquire(anna, 'a');
      for (let count = 0; count < 12; count += 1) acquire(cara, { ...PERMIT, tag: `${count}` });
      acquireAll(ben, [{ ...PERMIT, limit: 1 }, 'a', 'free'], { waitMs: 5 });
      acquireAll(dora, ['free', 'a'], { waitMs: 5 });
      const events = table.expire(10, 5);
      const results = events.map((event) => (event.kind === 'answered' ? event.result : undefined));
      const holders = results.map((result) => (result?.status === 'timeout' ? result.holders : []));
      expect(holders[0]).to.have.lengthOf(10);
      expect(holders[1]).to.deep.equal([
        { lockName: 'a', owner: '', name: 'anna', address: 'anna:1', mode: 'exclusive', token: 1, heldMs: 5 },
      ]);
    });

    it('is refused if it names no lock, or one of them twice', () => {
      startTable({ maxLocksPerRequest: 2 });
      expect(acquireAll(anna, [])).to.include({ status: 'invalid' });
      expect(acquireAll(anna, ['a', { name: 'a', mode: 'shared' }])).to.include({ status: 'invalid' });
      expect(acquireAll(anna, ['a', { name: 'a', mode: 'permit' }])).to.include({ status: 'ok' });
      const refusal = { status: 'limit', limit: 'maxLocksPerRequest', value: 2 };
      expect(acquireAll(anna, ['b', 'c', 'd'])).to.deep.equal(refusal);
    });

    it('is refused for a lock that the owner awaits, and so is a request for one lock that a lockAll awaits', () => {
      acquireAll(anna, ['a', 'b']);
      acquire(ben, 'a');
      expect(acquireAll(ben, ['a', 'c'])).to.include({ status: 'invalid' });
      acquireAll(cara, ['a', 'c']);
      expect(acquire(cara, 'c')).to.include({ status: 'invalid' });
      expect(acquireAll(cara, ['c', 'd'])).to.include({ status: 'invalid' });
    });

    it('is refused for an upgrade', () => {
      acquire(anna, { name: 'a', mode: 'shared' });
      expect(acquireAll(anna, ALL_OF)).to.include({ status: 'invalid' });
    });

    it('counts each lock in the limits, and one request that waits', () => {
      startTable({ maxLocksPerSession: 2, maxLocks: 3, maxWaitersPerLock: 1 });
      expect(acquireAll(anna, ['a', 'b', 'c'])).to.include({ limit: 'maxLocksPerSession' });
      acquireAll(anna, ALL_OF);
      expect(acquireAll(ben, ['c', 'd'])).to.include({ limit: 'maxLocks' });
      acquireAll(ben, ALL_OF);
      expect(table.counts.waiting).to.equal(1);
      expect(acquireAll(cara, ['b', 'c'])).to.include({ limit: 'maxWaitersPerLock' });
      expect(acquire(cara, 'b')).to.include({ limit: 'maxWaitersPerLock' });
    });

    it('does not wait with a wait limit of 0', () => {
      acquire(anna, 'b');
      expect(acquireAll(ben, ALL_OF, { waitMs: 0 })).to.deep.equal({ status: 'unavailable' });
      expect(inspect('a')).to.include({ holderCount: 0, waiterCount: 0 });
    });

    it('leaves all its queues when its session ends', () => {
      acquire(anna, 'a');
      acquireAll(ben, ['a', 'b', 'c']);
      acquire(cara, 'b');
      acquireAll(dora, ['c', 'd'], { context: 'c and d' });
      endSession(ben, 1);
      expect(takeNews()).to.have.members(['ben: cancelled', 'cara: ok', 'c and d: ok']);
    });

    it('is granted a permit without limit as soon as its owner waits for nothing else', () => {
      acquireEach([anna, PERMIT], [dora, { ...PERMIT, limit: 1 }], [anna, 'a'], [cara, 'c']);
      acquireAll(ben, ['a', PERMIT], { tag: 'x', context: 'all' });
      acquire(ben, { name: 'c', tag: 'x', context: 'c' });
      release(anna, 'a');
      expectNews();
      release(cara, 'c');
      expectNews('c: ok', 'all: ok');
    });

    it('waits no longer when the table drains', () => {
      acquire(anna, 'a');
      acquireAll(ben, ALL_OF);
      acquire(cara, 'b');
      drain();
      expect(takeNews()).to.have.members(['ben: draining', 'cara: draining']);
      expect(acquireAll(ben, ALL_OF)).to.deep.equal({ status: 'draining' });
      expect(table.counts).to.include({ locks: 1, waiting: 0 });
    });
  });
});
