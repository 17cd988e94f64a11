import { expect } from 'chai';
import { isWaitedFor } from '../../lib/locks/deadlock.ts';
import { ownerOf } from '../../lib/locks/session.ts';
import type { LockRequest } from '../../lib/locks/types.ts';
import {
  acquire,
  acquireAll,
  acquireEach,
  anna,
  ben,
  cancel,
  cara,
  catchUp,
  dora,
  endSession,
  expectNews,
  holders,
  inspect,
  release,
  releaseAll,
  startTable,
  table,
  tableScene,
  takeNews,
  viewCycle,
  wait,
  waiters,
} from './table-scene.ts';

type Request = Partial<LockRequest>;

const X = { tag: 'x' } as const;
const ANNA_AND_BEN = ['anna/x waits for b exclusive: holder', 'ben/x waits for a exclusive: holder'];
const ANNA_AND_BEN_AT_A_PERMIT = ['anna/x waits for b exclusive: holder', 'ben/x waits for p permit: holder'];

/** A request for a lock under the tag x. */
function x(name: string, more: Request = {}): Request {
  return { ...X, name, ...more };
}

function shared(name: string): Request {
  return x(name, { mode: 'shared' });
}

function permit(name: string, more: Request = {}): Request {
  return x(name, { mode: 'permit', ...more });
}

/** Anna holds `a`, Ben holds `b` and Ben waits for `a`, all with the tag x. */
function benWaitsForAnna(): void {
  acquireEach([anna, x('a')], [ben, x('b')], [ben, x('a', { id: 1, waitMs: 100 })]);
}

describe('lock table', () => {
  tableScene();

  describe('deadlocks', () => {
    it('of two owners are refused to the second, with the cycle', () => {
      benWaitsForAnna();
      const result = acquire(anna, x('b'));
      expect(result.status).to.equal('deadlock');
      expect(viewCycle(result)).to.deep.equal(ANNA_AND_BEN);
      expect(waiters('b')).to.deep.equal([]);
      expect(table.counts).to.include({ waiting: 1, holders: 2 });
      expectNews();
    });

    it('of three owners name all three', () => {
      benWaitsForAnna();
      acquireEach([cara, x('c')], [cara, x('b')]);
      expect(viewCycle(acquire(anna, x('c')))).to.deep.equal([
        'anna/x waits for c exclusive: holder',
        'cara/x waits for b exclusive: holder',
        'ben/x waits for a exclusive: holder',
      ]);
    });

    it('are described by the shortest cycle', () => {
      benWaitsForAnna();
      acquireEach([cara, shared('c')], [ben, shared('c')], [cara, x('b')]);
      expect(viewCycle(acquire(anna, x('c')))).to.have.lengthOf(2);
    });

    it('of readers and a writer are refused', () => {
      acquireEach([anna, shared('a')], [ben, shared('b')], [ben, x('a')]);
      expect(viewCycle(acquire(anna, x('b')))).to.deep.equal(ANNA_AND_BEN);
    });

    it('never arise between readers', () => {
      acquireEach([anna, shared('a')], [ben, shared('b')]);
      expect(acquire(ben, shared('a'))).to.include({ status: 'ok' });
      expect(acquire(anna, shared('b'))).to.include({ status: 'ok' });
    });

    it('arise through a waiter ahead in the queue', () => {
      acquireEach([anna, shared('a')], [cara, x('a')]);
      // Dora shares with Anna, but Cara, who waits ahead of her, must come first and never will.
      acquireEach([dora, shared('d')], [anna, x('d')]);
      expect(viewCycle(acquire(dora, shared('a')))).to.deep.equal([
        'dora/x waits for a shared: waiter',
        'cara/x waits for a exclusive: holder',
        'anna/x waits for d exclusive: holder',
      ]);
    });

    it('need all holders of a permit to wait', () => {
      acquireEach([anna, permit('p')], [cara, permit('p')], [ben, x('b')], [anna, x('b')]);
      expect(acquire(ben, permit('p', { limit: 2 }))).to.deep.equal({ status: 'queued' });
      expect(viewCycle(acquire(cara, x('b')))).to.deep.equal([
        'cara/x waits for b exclusive: holder',
        'ben/x waits for p permit: holder',
      ]);
    });

    it('are refused to a request for several locks if one of them closes the cycle', () => {
      benWaitsForAnna();
      expect(viewCycle(acquireAll(anna, ['free', 'b'], X))).to.deep.equal(ANNA_AND_BEN);
      expect(inspect('free')).to.include({ waiterCount: 0 });
      expect(table.counts).to.include({ waiting: 1 });
    });

    it('are found through a request for several locks that keeps its places', () => {
      acquireEach([anna, x('a')], [ben, x('d')]);
      acquireAll(ben, ['a', 'b'], X);
      // Nobody holds b, but Ben waits ahead, for a.
      acquireEach([cara, x('c')], [anna, x('c')]);
      expect(viewCycle(acquire(cara, x('b')))).to.deep.equal([
        'cara/x waits for b exclusive: waiter',
        'ben/x waits for a exclusive: holder',
        'anna/x waits for c exclusive: holder',
      ]);
    });

    it('never arise between requests for several locks that hold nothing', () => {
      acquire(dora, x('a'));
      expect(acquireAll(anna, ['a', 'b'], X)).to.deep.equal({ status: 'queued' });
      expect(acquireAll(ben, ['b', 'a'], X)).to.deep.equal({ status: 'queued' });
      release(dora, { ...X, name: 'a' });
      releaseAll(anna);
      expectNews('anna: ok', 'ben: ok');
    });

    it('are no longer possible when a member cancels, times out, withdraws or leaves', () => {
      const ways: (() => unknown)[] = [
        () => cancel(ben, 1),
        () => wait(100),
        () => release(ben, { ...X, name: 'a' }),
        () => endSession(ben),
        () => endSession(ben, 0),
      ];
      for (const end of ways) {
        startTable();
        benWaitsForAnna();
        end();
        expect(acquire(anna, x('b')).status).not.to.equal('deadlock');
      }
    });

    it('never include an owner without a tag', () => {
      acquireEach([anna, x('a')], [ben, 'b'], [ben, 'a']);
      expect(acquire(anna, x('b'))).to.deep.equal({ status: 'queued' });
      startTable();
      acquireEach([anna, 'a'], [ben, x('b')], [ben, x('a')]);
      expect(acquire(anna, 'b')).to.deep.equal({ status: 'queued' });
    });

    it('tell owners apart by their tags, within one session too', () => {
      acquireEach([anna, { tag: 'x', name: 'a' }], [anna, { tag: 'y', name: 'b' }], [anna, { tag: 'x', name: 'b' }]);
      expect(viewCycle(acquire(anna, { tag: 'y', name: 'a' }))).to.deep.equal([
        'anna/y waits for a exclusive: holder',
        'anna/x waits for b exclusive: holder',
      ]);
    });

    it('do not concern a request that does not wait', () => {
      benWaitsForAnna();
      expect(acquire(anna, x('b', { waitMs: 0 }))).to.deep.equal({ status: 'unavailable' });
    });

    it('end a place that could never be granted without the request of its greatest limit', () => {
      acquireEach([anna, permit('p')], [dora, permit('p')], [ben, x('b')], [anna, x('b')]);
      acquire(ben, permit('p', { limit: 2, id: 1, context: 'two' }));
      acquire(ben, permit('p', { limit: 1, context: 'one' }));
      expectNews();
      cancel(ben, 1);
      expectNews('two: cancelled', 'one: deadlock');
      expect(waiters('p')).to.deep.equal([]);
    });

    it('end such a place also when the cycle runs through waiters behind it', () => {
      acquireEach([cara, permit('p')], [dora, permit('p')], [anna, x('m')], [ben, permit('p', { limit: 2, id: 1 })]);
      acquireEach([ben, permit('p', { limit: 1 })], [anna, permit('p', { limit: 2 })], [cara, x('m')]);
      const [, ended] = table.cancel(ben, 1, 0).events;
      expect(ended?.kind === 'answered' && viewCycle(ended.result)).to.deep.equal([
        'ben/x waits for p permit: holder',
        'cara/x waits for m exclusive: holder',
        'anna/x waits for p permit: waiter',
      ]);
    });

    it('let a permit without limit in a request for several locks wait its turn while its owner waits elsewhere', () => {
      const READ = { name: 'a', mode: 'shared' } as const;
      acquireEach([dora, 'a'], [anna, permit('p')], [dora, { tag: 'y', mode: 'permit', name: 'p', limit: 1 }]);
      acquire(ben, x('h'));
      acquireAll(ben, [READ, { name: 'p', mode: 'permit' }], X);
      acquireEach([cara, x('c')], [cara, { ...X, ...READ }], [anna, x('h')]);
      // Ben would pass Dora only if he waited for nothing else, and Cara is behind him.
      expect(acquire(ben, x('c'))).to.include({ status: 'deadlock' });
    });

    it('forbid a permit without limit if its owner waits for an owner that it would block', () => {
      acquireEach([dora, permit('p')], [ben, x('b')], [ben, permit('p', { limit: 1 })], [anna, x('b')]);
      expect(viewCycle(acquire(anna, permit('p')))).to.deep.equal(ANNA_AND_BEN_AT_A_PERMIT);
      expect(viewCycle(acquireAll(anna, [{ name: 'p', mode: 'permit' }, 'free'], X))).to.have.lengthOf(2);
      expect(holders('p')).to.deep.equal(['dora/x']);
      expect(table.counts).to.include({ locks: 1, holders: 2 });
    });

    it('forbid a place to pass the places ahead of it, and leave it where it is', () => {
      acquireEach([dora, permit('p')], [ben, x('b')], [ben, permit('p', { limit: 1 })], [anna, x('b')]);
      acquire(anna, permit('p', { limit: 1 }));
      expect(viewCycle(acquire(anna, permit('p')))).to.deep.equal(ANNA_AND_BEN_AT_A_PERMIT);
      expect(waiters('p')).to.deep.equal(['ben/x', 'anna/x']);
    });

    it('run through a request for several locks that may no longer pass because its owner waits elsewhere', () => {
      acquireEach([dora, permit('p')], [ben, x('b')], [ben, permit('p', { limit: 1 })], [cara, 'c']);
      acquireAll(anna, [{ name: 'p', mode: 'permit' }, 'c'], X);
      acquire(dora, x('c'));
      expect(viewCycle(acquire(anna, x('b')))).to.deep.equal([
        'anna/x waits for b exclusive: holder',
        'ben/x waits for p permit: holder',
        'dora/x waits for c exclusive: waiter',
      ]);
      expect(waiters('b')).to.deep.equal([]);
    });

    it('never include an owner after its session has ended, even before its locks are released', () => {
      benWaitsForAnna();
      acquireEach([cara, x('c')], [cara, x('b')]);
      endSession(ben, 0);
      expect(acquire(anna, x('c'))).to.deep.equal({ status: 'queued' });
    });

    it('are not looked for when a wait of a session that has ended runs out of time', () => {
      const permit = { name: 'p', mode: 'permit' } as const;
      acquireEach([anna, permit], [ben, permit], [anna, { ...permit, tag: 'x', limit: 2, waitMs: 5 }]);
      acquire(anna, { ...permit, tag: 'x', limit: 1 });
      endSession(anna, 0);
      acquireEach([ben, x('a')], [ben, { ...permit, tag: 'x', limit: 2 }]);
      takeNews();
      wait(5);
      expectNews('anna: timeout');
    });

    it('are looked for only if an owner with another claim waits for the owner', () => {
      startTable({ maxWaitersPerLock: 20_000, maxLocksPerSession: 20_000 });
      acquireEach([anna, x('a')], [ben, x('busy')]);
      for (let count = 0; count < 10_000; count += 1) acquire(cara, { tag: `${count}`, name: 'busy' });
      expect(acquire(anna, x('busy'))).to.deep.equal({ status: 'queued' });
      expect(isWaitedFor(ownerOf(anna, 'x'))).to.equal(false);
      acquireEach([dora, x('a')], [dora, 'd']);
      expect(isWaitedFor(ownerOf(anna, 'x'))).to.equal(false);
      acquire(dora, x('d2'));
      expect(isWaitedFor(ownerOf(anna, 'x'))).to.equal(true);
      release(dora, { tag: 'x', name: 'd2' });
      expect(isWaitedFor(ownerOf(anna, 'x'))).to.equal(false);
    });

    it('are found at the end of a long queue, but later', () => {
      startTable({ maxWaitersPerLock: 20_000, maxLocksPerSession: 20_000 });
      acquireEach([anna, x('a')], [ben, x('busy')], [ben, x('a')]);
      for (let count = 0; count < 10_000; count += 1) acquire(cara, { tag: `${count}`, name: 'busy' });
      expect(acquire(anna, x('busy'))).to.deep.equal({ status: 'queued' });
      catchUp();
      expectNews('anna: deadlock');
    });
  });
});
