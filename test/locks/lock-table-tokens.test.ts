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
  endSession,
  expectNews,
  forceRelease,
  holders,
  letInAll,
  release,
  startTable,
  takeNews,
  wait,
  waiters,
} from './table-scene.ts';

describe('the lock table without tokens', () => {
  /** How many tokens there are. */
  let left: number;
  const mayGrant = (count: number): boolean => left >= count;
  const QUEUED = { status: 'queued' };
  const UNAVAILABLE = { status: 'unavailable' };

  beforeEach(() => {
    left = 0;
    startTable({}, [], { mayGrant });
  });

  /** Gives the table tokens for a while. */
  function withTokens(act: () => void): void {
    left = Number.POSITIVE_INFINITY;
    act();
    left = 0;
  }

  function letInWith(tokens: number): void {
    left = tokens;
    letInAll();
  }

  it('queues requests for free locks and grants them in their order when there are tokens again', () => {
    expect(acquire(anna)).to.deep.equal(QUEUED);
    expect(acquire(ben)).to.deep.equal(QUEUED);
    expect(acquire(cara, 'other')).to.deep.equal(QUEUED);
    expect([holders(), waiters()]).to.deep.equal([[], ['anna', 'ben']]);
    letInAll();
    expectNews();
    letInWith(9);
    expect(takeNews().toSorted()).to.deep.equal(['anna: ok', 'cara: ok']);
    expect([holders(), waiters(), holders('other')]).to.deep.equal([['anna'], ['ben'], ['cara']]);
  });

  it('does not let anybody in after a release, an end of a session or a forced release', () => {
    withTokens(() => acquireEach([anna, 'a'], [anna, 'b'], [anna, 'c'], [ben, 'a'], [ben, 'b'], [ben, 'c']));
    release(anna, 'a');
    forceRelease('b');
    endSession(anna);
    expect(takeNews()).to.deep.equal(['anna lost b: forced', 'anna lost c: sessionEnded']);
    letInWith(9);
    expectNews('ben: ok', 'ben: ok', 'ben: ok');
  });

  it('answers a try-lock and a steal with unavailable, and takes nothing from the holder', () => {
    expect(acquire(anna, { waitMs: 0 })).to.deep.equal(UNAVAILABLE);
    expect(acquireAll(anna, ['a', 'b'], { waitMs: 0 })).to.deep.equal(UNAVAILABLE);
    withTokens(() => acquire(anna, { isStealable: true }));
    expect(acquire(ben, { steal: 'any' })).to.deep.equal(UNAVAILABLE);
    expect(acquire(ben, { name: 'free', steal: 'any' })).to.deep.equal(UNAVAILABLE);
    expect(holders()).to.deep.equal(['anna']);
    expectNews();
  });

  it('answers a holder that asks again, and lets it release', () => {
    withTokens(() => acquireEach([anna], [ben, 'a'], [ben, 'b']));
    expect(acquire(anna)).to.deep.equal({ status: 'ok', token: 1, count: 1, alreadyHeld: true });
    expect(acquireAll(ben, ['a', 'b'])).to.include({ status: 'ok' });
    expect(release(anna)).to.deep.equal({ status: 'ok', count: 0 });
  });

  it('lets in as many as there are tokens for', () => {
    const takeIfThere = (count: number): boolean => {
      if (left < count) return false;
      left -= count;
      return true;
    };
    startTable({}, [], { mayGrant: takeIfThere });
    acquireEach([anna, { mode: 'shared' }], [ben, { mode: 'shared' }], [cara, { mode: 'shared' }]);
    letInWith(2);
    expect([holders(), waiters()]).to.deep.equal([['anna', 'ben'], ['cara']]);
    letInWith(1);
    expect(holders()).to.deep.equal(['anna', 'ben', 'cara']);
  });

  it('grants a request for several locks whole or not at all', () => {
    left = 1;
    expect(acquireAll(anna, ['a', 'b'])).to.deep.equal(QUEUED);
    expect(acquire(ben, 'b')).to.deep.equal(QUEUED);
    letInAll();
    expectNews();
    letInWith(2);
    expectNews('anna: ok');
    expect([holders('a'), holders('b'), waiters('b')]).to.deep.equal([['anna'], ['anna'], ['ben']]);
  });

  it('lets permits without a limit pass permits without room, once there are tokens', () => {
    withTokens(() => acquire(anna, { mode: 'permit', limit: 1 }));
    acquireEach([ben, { mode: 'permit', limit: 1 }], [cara, { mode: 'permit' }]);
    acquireAll(dora, [{ name: 'jobs', mode: 'permit' }]);
    expectNews();
    letInWith(9);
    expectNews('cara: ok', 'dora: ok');
    expect([holders(), waiters()]).to.deep.equal([['anna', 'cara', 'dora'], ['ben']]);
  });

  it('lets waits be cancelled, run out of time and be given up', () => {
    acquire(anna, { id: 1 });
    acquire(ben, { waitMs: 10 });
    acquire(cara);
    expect(cancel(anna, 1)).to.equal('cancelled');
    wait(10);
    expect(release(cara)).to.deep.equal({ status: 'ok', count: 0, withdrawn: true });
    letInWith(9);
    expectNews('anna: cancelled', 'ben: timeout', 'cara: cancelled');
    expect([holders(), waiters()]).to.deep.equal([[], []]);
  });

  it('does not take an owner for stuck that only waits for a token', () => {
    withTokens(() => acquireEach([anna, { name: 'a', tag: 't' }], [ben, { name: 'b', tag: 't' }]));
    release(ben, { name: 'b', tag: 't' });
    acquire(anna, { name: 'b', tag: 't' });
    acquire(ben, { name: 'c', tag: 't' });
    expect(acquire(ben, { name: 'a', tag: 't' })).to.deep.equal(QUEUED);
    letInWith(9);
    expect(takeNews().toSorted()).to.deep.equal(['anna: ok', 'ben: ok']);
  });

  it('shares the place of an owner that asks again while it waits for a token', () => {
    acquire(anna);
    expect(acquire(anna, { id: 2 })).to.deep.equal(QUEUED);
    letInWith(9);
    expectNews('anna: ok', 'anna: ok alreadyHeld');
  });
});
