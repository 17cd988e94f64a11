import { expect } from 'chai';
import {
  acquire,
  acquireAll,
  acquireEach,
  anna,
  ben,
  cara,
  dora,
  expectNews,
  forceRelease,
  holders,
  inspect,
  release,
  startTable,
  tableScene,
  takeNews,
  wait,
  waiters,
} from './table-scene.ts';

const SHARED = { mode: 'shared' } as const;
const STEAL = { steal: 'any' } as const;

describe('lock table', () => {
  tableScene();

  describe('stealing', () => {
    it('takes the lock from all its holders, ahead of the waiters', () => {
      acquireEach([anna, SHARED], [ben, SHARED], [cara]);
      expect(acquire(dora, STEAL)).to.deep.equal({ status: 'ok', token: 3, count: 1 });
      expectNews('anna lost jobs: stolen', 'ben lost jobs: stolen');
      expect(waiters()).to.deep.equal(['cara']);
    });

    it('is denied unless every holder is stealable, if it may steal only from stealable holders', () => {
      acquireEach([anna, { ...SHARED, isStealable: true }], [ben, SHARED]);
      expect(inspect().holders.map(({ stealable }) => stealable)).to.deep.equal([true, undefined]);
      expect(acquire(cara, { steal: 'stealable' })).to.deep.equal({ status: 'denied' });
      release(ben);
      expect(acquire(cara, { steal: 'stealable' })).to.include({ status: 'ok' });
    });

    it('takes a free lock ahead of a waiter that needs another lock too', () => {
      acquire(anna, 'mail');
      acquireAll(ben, ['jobs', 'mail']);
      expect(acquire(cara, STEAL)).to.include({ status: 'ok' });
      release(anna, 'mail');
      expectNews();
      release(cara);
      expectNews('ben: ok');
    });

    it('grants the place of its owner, with all its requests', () => {
      acquireEach([anna], [ben], [cara]);
      expect(acquire(cara, STEAL)).to.deep.equal({ status: 'ok', token: 2, count: 1, alreadyHeld: true });
      expectNews('anna lost jobs: stolen', 'cara: ok');
      expect(waiters()).to.deep.equal(['ben']);
    });

    it('changes nothing if its owner holds the lock', () => {
      acquire(anna);
      expect(acquire(anna, STEAL)).to.deep.equal({ status: 'ok', token: 1, count: 1, alreadyHeld: true });
    });

    it('is invalid unless it is exclusive and its owner waits for no other lock', () => {
      acquire(anna);
      expect(acquire(ben, { ...STEAL, ...SHARED })).to.include({ status: 'invalid' });
      expect(acquire(ben, { ...STEAL, mode: 'permit' })).to.include({ status: 'invalid' });
      acquire(ben);
      expect(acquire(ben, { ...STEAL, name: 'mail' })).to.include({ status: 'invalid' });
      acquire(cara, { ...SHARED, name: 'news' });
      expect(acquire(cara, { ...STEAL, name: 'news' })).to.include({ status: 'invalid' });
      acquireAll(dora, ['jobs', 'news']);
      expect(acquire(dora, STEAL)).to.include({ status: 'invalid' });
    });

    it('gets a lease and is refused at a limit as any other request', () => {
      startTable({ maxLocksPerSession: 1 });
      acquireEach([anna], [ben, 'mail']);
      expect(acquire(ben, STEAL)).to.include({ status: 'limit' });
      expect(holders()).to.deep.equal(['anna']);
      acquire(cara, { ...STEAL, leaseMs: 5 });
      takeNews();
      wait(5);
      expectNews('cara lost jobs: lease');
    });
  });

  describe('releasing by force', () => {
    it('takes the lock from all its holders and admits the waiters', () => {
      acquireEach([anna, SHARED], [ben, SHARED], [cara]);
      expect(forceRelease()).to.equal(2);
      expectNews('anna lost jobs: forced', 'ben lost jobs: forced', 'cara: ok');
    });

    it('frees the reader/writer lock or the permit of a name', () => {
      acquireEach([anna], [ben, { mode: 'permit' }]);
      expect(forceRelease('jobs', 'permit')).to.equal(1);
      expect(holders()).to.deep.equal(['anna']);
    });

    it('finds nothing if nobody holds the lock', () => {
      expect(forceRelease('jobs')).to.equal(0);
    });
  });
});
