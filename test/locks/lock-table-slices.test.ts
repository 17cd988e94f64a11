import { expect } from 'chai';
import { ChosenMap } from '../../lib/locks/chosen-map.ts';
import type { Rest, Session } from '../../lib/locks/types.ts';
import {
  acquire,
  acquireAll,
  acquireEach,
  anna,
  ben,
  cara,
  catchUp,
  dora,
  drain,
  endSession,
  expectNews,
  forceRelease,
  goOn,
  holders,
  inspect,
  letInAll,
  release,
  startTable,
  table,
  takeNews,
  wait,
  waiters,
} from './table-scene.ts';

const SHARED = { mode: 'shared' } as const;
const PLENTY = { maxLocksPerSession: 10_000, maxWaitersPerLock: 10_000, maxLocks: 10_000 };
/** As many as a lock table answers within one operation. */
const AT_ONCE = 200;
/** Of a look at all that wait: to find a lock, to look at its waiter, and to let that in. */
const STEPS_EACH = 3;

/** Requests by owners with the tags 0, 1, 2... */
function acquireByMany(count: number, session: Session, request: object = SHARED): void {
  for (let owner = 0; owner < count; owner += 1) acquire(session, { ...request, tag: `${owner}` });
}

/** How many slices a piece of work takes that may take so many steps in each. */
function slicesOf(work: Rest, max: number): number {
  let slices = 0;
  for (; !work.isOver; slices += 1) goOn(work, max);
  return slices;
}

/** A table that answers this many requests within one operation. */
function startWith(answersAtOnce: number): void {
  startTable(PLENTY, [], { answersAtOnce });
}

describe('long work in a lock table', () => {
  beforeEach(() => startTable(PLENTY));

  describe('while the table is busy', () => {
    beforeEach(() => startTable(PLENTY, [], { isBusy: () => true }));

    it('lets in a few at once, and the others in slices', () => {
      acquire(anna);
      acquireByMany(10, ben);
      release(anna);
      expect(holders()).to.have.lengthOf(4);
      catchUp();
      expect(holders()).to.have.lengthOf(10);
    });

    it('tells a few of those that lose a lock at once', () => {
      acquireByMany(10, ben);
      forceRelease();
      expect(takeNews()).to.have.lengthOf(4);
    });

    it('releases all of a session later, unless that is little', () => {
      acquireByMany(5, ben);
      acquireByMany(4, anna);
      for (const session of [ben, anna]) table.releaseAll(session, undefined, 0);
      expect(holders()).to.deep.equal(['ben/0', 'ben/1', 'ben/2', 'ben/3', 'ben/4']);
    });

    it('asks whether it is only when somebody waits', () => {
      let count = 0;
      const isBusy = (): boolean => {
        count += 1;
        return false;
      };
      startTable(PLENTY, [], { isBusy });
      acquire(anna);
      release(anna);
      expect(count).to.equal(0);
      acquireEach([anna], [ben]);
      release(anna);
      expect(count).to.equal(1);
    });
  });

  describe('when very many have waited until locks are granted again', () => {
    let isGranting: boolean;

    beforeEach(() => {
      isGranting = false;
      startTable(PLENTY, [], { mayGrant: () => isGranting });
      for (let lock = 0; lock < 2 * AT_ONCE; lock += 1) acquire(ben, { name: `${lock}` });
      acquire(anna, { mode: 'permit', limit: 1 });
      acquire(ben, { mode: 'permit', limit: 1 });
      acquire(cara, { mode: 'permit', context: 'the last' });
      isGranting = true;
    });

    it('lets some of them in at once and the others in slices, wherever they wait', () => {
      letInAll();
      expect(table.counts.holders).to.equal(Math.ceil(AT_ONCE / STEPS_EACH));
      catchUp();
      expect(table.counts.holders).to.equal(2 * AT_ONCE + 2);
      expect(takeNews().at(-1)).to.equal('the last: ok');
      expect(waiters()).to.deep.equal(['ben']);
    });

    it('begins again when locks were not granted for a while', () => {
      letInAll();
      isGranting = false;
      catchUp();
      expect(table.counts.holders).to.equal(Math.ceil(AT_ONCE / STEPS_EACH));
      isGranting = true;
      letInAll();
      table.catchUp(1, 0);
      letInAll();
      catchUp();
      expect(table.counts.holders).to.equal(2 * AT_ONCE + 2);
    });

    it('does not let in those that have left meanwhile', () => {
      letInAll();
      drain();
      catchUp();
      expect(table.counts).to.include({ holders: Math.ceil(AT_ONCE / STEPS_EACH), waiting: 0 });
    });
  });

  describe('when a release makes room for very many', () => {
    beforeEach(() => {
      acquire(anna);
      acquireByMany(3 * AT_ONCE, ben);
      acquire(cara, { ...SHARED, context: 'the last' });
    });

    it('lets some of them in at once and the others in slices', () => {
      release(anna);
      expect(holders()).to.have.lengthOf(AT_ONCE);
      expect(table.isBehind).to.equal(true);
      table.catchUp(50, 0);
      expect(holders()).to.have.lengthOf(AT_ONCE + 50);
      catchUp();
      expect(holders()).to.have.lengthOf(3 * AT_ONCE + 1);
      expect(takeNews().at(-1)).to.equal('the last: ok');
    });

    it('lets nobody pass the waiters that are let in later', () => {
      release(anna);
      expect(acquire(dora, { ...SHARED, waitMs: 0 })).to.deep.equal({ status: 'unavailable' });
      expect(acquire(dora, { ...SHARED, context: 'dora' })).to.deep.equal({ status: 'queued' });
      catchUp();
      expect(takeNews().slice(-2)).to.deep.equal(['the last: ok', 'dora: ok']);
    });

    it('does not let in a waiter that has left meanwhile', () => {
      release(anna);
      takeNews();
      release(cara);
      catchUp();
      expect(takeNews()).to.include('the last: cancelled').and.not.include('the last: ok');
    });

    it('answers them when it drains', () => {
      release(anna);
      drain();
      expect(table.isBehind).to.equal(false);
      expect(takeNews().at(-1)).to.equal('the last: draining');
    });
  });

  it('grants a request for more locks than an operation may in a slice of its own', () => {
    const locks = Array.from({ length: AT_ONCE + 1 }, (_, index) => (index === 0 ? 'jobs' : `${index}`));
    startTable({ ...PLENTY, maxLocksPerRequest: 1_000 });
    acquire(anna);
    acquireAll(ben, locks, { context: 'all' });
    acquire(cara, 'jobs');
    release(anna);
    expectNews();
    catchUp(1);
    expect(holders('1')).to.deep.equal(['ben']);
    expect(waiters()).to.deep.equal(['cara']);
  });

  it('lets waiters of one lock in while letting in those of another takes long', () => {
    acquire(anna);
    acquireByMany(3 * AT_ONCE, ben);
    release(anna);
    acquireEach([anna, 'mail'], [cara, 'mail']);
    takeNews();
    release(anna, 'mail');
    expectNews('cara: ok');
  });

  it('cancels very many requests that name a hold in slices, and grants none of them', () => {
    startWith(2);
    acquireEach([anna, 'own'], [ben, 'a'], [ben, 'b'], [ben, 'c']);
    for (const name of ['a', 'b', 'c']) acquireAll(anna, ['own', name], { context: name });
    release(anna, 'own');
    expectNews('a: cancelled', 'b: cancelled');
    release(ben, 'c');
    expect(holders('c')).to.deep.equal([]);
    expectNews();
    catchUp();
    expectNews('c: cancelled');
    expect(acquire(dora, { name: 'c', waitMs: 0 })).to.include({ status: 'ok' });
  });

  describe('when somebody gives up all', () => {
    it('cancels the waits and releases the holds in slices', () => {
      startWith(3);
      for (const name of ['a', 'b']) acquireEach([ben, name], [anna, name]);
      for (const name of ['c', 'd']) acquire(anna, name);
      acquire(ben, 'd');
      const { result: work } = table.releaseAll(anna, undefined, 0);
      expect([work.isOver, waiters('a'), waiters('b'), holders('c'), holders('d')]).to.deep.equal([
        ...[false, [], [], [], ['anna']],
      ]);
      expect(slicesOf(work, 1)).to.equal(1);
      expect(work.releasedCount).to.equal(2);
      expect(holders('d')).to.deep.equal(['ben']);
    });

    it('ends the release of all after the client has come back, and keeps the locks that it takes then', () => {
      startWith(1);
      for (const name of ['a', 'b']) acquireEach([ben, name], [anna, name]);
      acquire(anna, 'c');
      const { result: work } = table.releaseAll(anna, undefined, 0);
      anna.client = { clientName: 'anna again', address: 'anna:2' };
      table.resume(anna, { tokens: new ChosenMap<number, true>(), requests: new ChosenMap<string, undefined>() }, 0);
      acquire(anna, 'd');
      goOn(work);
      expect([work.isOver, holders('c'), holders('d')]).to.deep.equal([true, [], ['anna again']]);
    });

    it('lets in some of the waiters behind the cancelled waits of a client that comes back, and the others in slices', () => {
      startWith(3);
      const names = ['a', 'b', 'c'];
      for (const name of names) {
        acquire(anna, { ...SHARED, name });
        acquire(ben, { name, id: name });
        acquire(cara, { ...SHARED, name });
        acquire(dora, { ...SHARED, name });
      }
      takeNews();
      table.resume(ben, { tokens: new ChosenMap<number, true>(), requests: new ChosenMap<string, undefined>() }, 0);
      const countHolders = (): number => names.flatMap((name) => holders(name)).length;
      expect([countHolders(), table.isBehind]).to.deep.equal([6, true]);
      catchUp();
      expect([countHolders(), table.isBehind]).to.deep.equal([9, false]);
    });

    it('goes on with the limit of the requests that its client still wants when it comes back', () => {
      const permit = { mode: 'permit' } as const;
      acquireEach([anna, permit], [cara, permit]);
      acquire(ben, { ...permit, limit: 2, id: 'given up' });
      acquire(ben, { ...permit, limit: 1, id: 'wanted' });
      table.resume(ben, { tokens: new ChosenMap<number, true>(), requests: new ChosenMap([['wanted', undefined]]) }, 0);
      release(cara, { ...permit, name: 'jobs' });
      expect([holders(), waiters()]).to.deep.equal([['anna'], ['ben']]);
      release(anna, { ...permit, name: 'jobs' });
      expect(holders()).to.deep.equal(['ben']);
    });

    it('counts each waiter that is let in as a step, too', () => {
      acquireEach([anna, 'a'], [anna, 'b']);
      for (let owner = 0; owner < 10; owner += 1) acquire(ben, { ...SHARED, name: 'a', tag: `${owner}` });
      const end = endSession(anna, 5);
      expect([holders('a').length, holders('b').length]).to.deep.equal([10, 1]);
      goOn(end, 1);
      expect(holders('b')).to.deep.equal([]);
    });

    it('does less in a slice where the names are long', () => {
      for (const letter of ['a', 'b', 'c']) acquire(anna, letter.repeat(50_000));
      expect(slicesOf(endSession(anna, 0), 8)).to.be.at.least(3);
    });
  });

  describe('when very many lose a lock', () => {
    beforeEach(() => {
      startWith(2);
      acquireByMany(5, anna);
      acquire(ben, { ...SHARED, id: 7 });
      acquire(cara, { waitMs: 100 });
      takeNews();
    });

    it('frees it in one step, and tells some holders later', () => {
      const { result: work } = table.forceRelease('jobs', 'readerWriter', 0);
      expect(holders()).to.deep.equal(['cara']);
      expect(table.counts).to.include({ locks: 1, holders: 1 });
      expect([work?.count, work?.isOver]).to.deep.equal([6, false]);
      expect(slicesOf(work as Rest, 1)).to.equal(4);
      expect(takeNews().at(-1)).to.equal('ben lost jobs: forced');
    });

    it('grants it to the thief in the same step', () => {
      const { result, events } = table.acquire(
        dora,
        { name: 'jobs', mode: 'exclusive', tag: '', waitMs: 0, steal: 'any' },
        0,
      );
      expect(holders()).to.deep.equal(['dora']);
      expect(waiters()).to.deep.equal(['cara']);
      expect(events).to.have.lengthOf(2);
      if (result.status !== 'stolen') throw new Error(`it is ${result.status}`);
      expect(result).to.deep.include({ count: 6, granted: { status: 'ok', token: 7, count: 1 } });
      expect(slicesOf(result.rest, 2)).to.equal(2);
    });

    it('lets its old holders neither release it nor count on it', () => {
      acquire(dora, 'other');
      acquireAll(ben, [{ name: 'jobs', mode: 'shared' }, 'other'], { context: 'both' });
      const { result: work } = table.forceRelease('jobs', 'readerWriter', 0);
      expect(release(ben)).to.deep.equal({ status: 'notHeld' });
      expect(release(ben, { token: 6 })).to.deep.equal({ status: 'notHeld' });
      release(dora, 'other');
      expect(holders('other')).to.deep.equal([]);
      takeNews();
      goOn(work as Rest);
      catchUp();
      expect(takeNews()).to.include.members(['ben lost jobs: forced', 'both: cancelled']);
    });

    it('also tells holders whose sessions end meanwhile', () => {
      const { result: work } = table.forceRelease('jobs', 'readerWriter', 0);
      endSession(ben);
      expect(takeNews()).to.not.include('ben lost jobs: sessionEnded');
      goOn(work as Rest);
      expect(takeNews()).to.include('ben lost jobs: forced');
    });

    it('lets the waiters time out as before', () => {
      acquire(dora, { name: 'jobs', steal: 'any', tag: 'x' });
      takeNews();
      wait(100);
      expectNews('cara: timeout');
      expect(inspect()).to.include({ holderCount: 1, waiterCount: 0 });
    });
  });

  it('tells as many holders at once as an operation may', () => {
    acquireByMany(AT_ONCE + 1, anna);
    expect(forceRelease()).to.equal(AT_ONCE + 1);
    expect(takeNews()).to.have.lengthOf(AT_ONCE);
  });
});
