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
  startTable,
  table,
  tableScene,
  wait,
  waiters,
} from './table-scene.ts';

const EXCLUSIVE = { mode: 'exclusive' } as const;
const SHARED = { mode: 'shared' } as const;
const PERMIT = { mode: 'permit' } as const;
const TRY = { waitMs: 0 } as const;

function permitOf(limit: number): { readonly mode: 'permit'; readonly limit: number } {
  return { mode: 'permit', limit };
}

describe('lock table', () => {
  tableScene();

  describe('acquiring', () => {
    it('grants a free lock at once', () => {
      expect(acquire(anna)).to.deep.equal({ status: 'ok', token: 1, count: 1 });
      expectNews();
    });

    it('queues a request for a held lock', () => {
      acquire(anna);
      expect(acquire(ben)).to.deep.equal({ status: 'queued' });
      expect(waiters()).to.deep.equal(['ben']);
    });

    it('lets waiters in one by one, in order of arrival', () => {
      for (const session of [anna, ben, cara]) acquire(session);
      release(anna);
      expectNews('ben: ok');
      release(ben);
      expectNews('cara: ok');
    });

    it('tells a try-lock that a held lock is unavailable', () => {
      acquire(anna);
      expect(acquire(ben, TRY)).to.deep.equal({ status: 'unavailable' });
      expect(waiters()).to.deep.equal([]);
    });

    it('lets no try-lock pass a waiter', () => {
      acquireEach([anna, SHARED], [ben, EXCLUSIVE]);
      expect(acquire(cara, { ...SHARED, ...TRY })).to.deep.equal({ status: 'unavailable' });
    });

    it('keeps different names apart', () => {
      acquire(anna);
      expect(acquire(ben, 'mail')).to.include({ status: 'ok', count: 1 });
    });

    it('refuses to queue a second request with an id that waits already', () => {
      acquireEach([anna], [anna, 'mail'], [ben, { id: 7 }]);
      expect(acquire(ben, { name: 'mail', id: 7 })).to.deep.equal({
        status: 'invalid',
        message: 'id 7 is in flight',
      });
      expect(acquire(ben, { name: 'mail', id: '7' })).to.deep.equal({ status: 'queued' });
    });
  });

  describe('tokens', () => {
    it('gives every grant the next token of the source', () => {
      startTable({}, [50, 60, 61]);
      expect(acquire(anna)).to.include({ token: 50 });
      expect(acquire(ben, 'mail')).to.include({ token: 60 });
      acquire(cara);
      release(anna);
      expect(inspect('jobs').holders[0]).to.include({ name: 'cara', token: 61 });
    });

    it('takes no token for a request that is refused or queued', () => {
      startTable({}, [50, 60]);
      acquireEach([anna], [ben, TRY], [cara]);
      expect(acquire(dora, 'mail')).to.include({ token: 60 });
    });
  });

  describe('readers and writers', () => {
    it('lets readers hold together', () => {
      acquire(anna, SHARED);
      expect(acquire(ben, SHARED)).to.deep.equal({ status: 'ok', token: 2, count: 2 });
      expect(holders()).to.deep.equal(['anna', 'ben']);
    });

    it('keeps a writer out until the last reader has left', () => {
      acquireEach([anna, SHARED], [ben, SHARED], [cara, EXCLUSIVE]);
      release(anna);
      expectNews();
      release(ben);
      expectNews('cara: ok');
    });

    it('makes a reader wait behind a waiting writer', () => {
      acquireEach([anna, SHARED], [ben, EXCLUSIVE]);
      expect(acquire(cara, SHARED)).to.deep.equal({ status: 'queued' });
    });

    it('lets adjacent waiting readers in together, up to the next writer', () => {
      acquireEach([anna, EXCLUSIVE], [ben, SHARED], [cara, SHARED], [dora, EXCLUSIVE]);
      acquire(anna, { ...SHARED, tag: 'late', context: 'late' });
      release(anna);
      expectNews('ben: ok', 'cara: ok');
      expect(waiters()).to.deep.equal(['dora', 'anna/late']);
    });

    it('lets readers in together when the waiting writer gives up', () => {
      acquireEach([anna, SHARED], [ben, { ...EXCLUSIVE, id: 1 }], [cara, SHARED], [dora, SHARED]);
      cancel(ben, 1);
      expectNews('ben: cancelled', 'cara: ok', 'dora: ok');
    });

    it('lets readers in together when the waiting writer has waited long enough', () => {
      acquireEach([anna, SHARED], [ben, { ...EXCLUSIVE, waitMs: 10 }], [cara, SHARED]);
      wait(10);
      expectNews('ben: timeout', 'cara: ok');
    });
  });

  describe('owners', () => {
    it('answers an owner that asks for its lock again with the same token', () => {
      acquire(anna);
      expect(acquire(anna)).to.deep.equal({ status: 'ok', token: 1, count: 1, alreadyHeld: true });
      expect(release(anna)).to.deep.equal({ status: 'ok', count: 0 });
      expect(release(anna)).to.deep.equal({ status: 'notHeld' });
    });

    it('lets an owner ask again although others wait', () => {
      acquireEach([anna], [ben]);
      expect(acquire(anna, TRY)).to.include({ status: 'ok', alreadyHeld: true });
    });

    it('counts an exclusive hold as a shared one too', () => {
      acquire(anna, EXCLUSIVE);
      expect(acquire(anna, SHARED)).to.include({ status: 'ok', token: 1, alreadyHeld: true });
      expect(inspect().holders[0]).to.include({ mode: 'exclusive' });
    });

    it('refuses an owner that holds shared and asks for exclusive', () => {
      acquire(anna, SHARED);
      expect(acquire(anna, EXCLUSIVE)).to.include({ status: 'invalid' });
      expect(inspect().holders[0]).to.include({ mode: 'shared' });
    });

    it('refuses an owner that awaits shared and asks for exclusive', () => {
      acquireEach([anna], [ben, SHARED]);
      expect(acquire(ben, EXCLUSIVE)).to.include({ status: 'invalid' });
    });

    it('lets the tags of one session exclude each other', () => {
      acquire(anna, { tag: 'x' });
      expect(acquire(anna, { tag: 'y' })).to.deep.equal({ status: 'queued' });
      expect(acquire(anna)).to.deep.equal({ status: 'queued' });
      expect(waiters()).to.deep.equal(['anna/y', 'anna']);
    });
  });

  describe('requests of one owner that wait', () => {
    it('share the first place in the queue', () => {
      acquireEach([anna], [ben, { context: 'first' }], [cara], [ben, { context: 'second' }]);
      expect(waiters()).to.deep.equal(['ben', 'cara']);
      expect(table.counts.waiting).to.equal(3);
    });

    it('are all answered at the grant, the first one with the grant', () => {
      acquireEach([anna], [ben, { context: 'first' }], [ben, { context: 'second' }]);
      release(anna);
      expectNews('first: ok', 'second: ok alreadyHeld');
      expect(release(ben)).to.deep.equal({ status: 'ok', count: 0 });
    });

    it('keep the place until the last of them has ended', () => {
      acquireEach([anna], [ben, { context: 'first', waitMs: 10 }], [cara], [ben, { context: 'second', waitMs: 20 }]);
      wait(10);
      expectNews('first: timeout');
      expect(waiters()).to.deep.equal(['ben', 'cara']);
      wait(10);
      expectNews('second: timeout');
      expect(waiters()).to.deep.equal(['cara']);
    });

    it('wait as a writer while any of them is one', () => {
      acquireEach([anna, SHARED], [ben, { ...EXCLUSIVE, context: 'write', id: 1 }]);
      acquire(ben, { ...SHARED, context: 'read' });
      expect(inspect().waiters[0]).to.include({ mode: 'exclusive' });
      cancel(ben, 1);
      expectNews('write: cancelled', 'read: ok');
      expect(inspect().holders.map(({ mode }) => mode)).to.deep.equal(['shared', 'shared']);
    });

    it('are granted exclusively although one of them asked for less', () => {
      acquireEach([anna], [ben, { ...EXCLUSIVE, context: 'write' }], [ben, { ...SHARED, context: 'read' }]);
      release(anna);
      expect(inspect().holders).to.have.lengthOf(1);
      expect(inspect().holders[0]).to.include({ name: 'ben', mode: 'exclusive' });
    });

    it('do not turn a try-lock into a waiting request', () => {
      acquireEach([anna], [ben]);
      expect(acquire(ben, TRY)).to.deep.equal({ status: 'unavailable' });
    });
  });

  describe('permits', () => {
    it('are independent of the reader/writer lock of the same name', () => {
      acquire(anna, EXCLUSIVE);
      expect(acquire(ben, PERMIT)).to.include({ status: 'ok', count: 1 });
      expect(acquire(anna, PERMIT)).to.include({ status: 'ok', count: 2 });
    });

    it('are granted while fewer than the limit hold', () => {
      acquire(anna, permitOf(2));
      expect(acquire(ben, permitOf(2))).to.include({ status: 'ok', count: 2 });
      expect(acquire(cara, permitOf(2))).to.deep.equal({ status: 'queued' });
      expect(acquire(dora, { ...permitOf(2), ...TRY })).to.deep.equal({ status: 'unavailable' });
    });

    it('without a limit never wait, and pass all waiters', () => {
      acquireEach([anna, permitOf(1)], [ben, permitOf(1)]);
      expect(acquire(cara, PERMIT)).to.include({ status: 'ok', count: 2 });
      expect(waiters()).to.deep.equal(['ben']);
    });

    it('wait behind a smaller limit, even if their own would admit them', () => {
      acquireEach([anna, permitOf(1)], [ben, permitOf(1)]);
      expect(acquire(cara, permitOf(5))).to.deep.equal({ status: 'queued' });
    });

    it('go on being granted while the head of the queue fits', () => {
      acquireEach([anna, permitOf(1)], [ben, permitOf(1)], [cara, permitOf(2)], [dora, permitOf(2)]);
      release(anna, { name: 'jobs', mode: 'permit' });
      expectNews('ben: ok', 'cara: ok');
      expect(waiters()).to.deep.equal(['dora']);
    });

    it('count an owner once, even if it asks several times', () => {
      acquireEach([anna, permitOf(2)], [anna, permitOf(2)]);
      expect(acquire(ben, permitOf(2))).to.include({ status: 'ok', count: 2 });
    });

    it('are granted by the greatest limit among the requests that share a place', () => {
      acquireEach([anna, PERMIT], [dora, PERMIT], [ben, { ...permitOf(1), context: 'narrow' }]);
      acquire(ben, { ...permitOf(2), context: 'wide', id: 1 });
      expect(inspect().waiters[0]).to.include({ limit: 2 });
      cancel(ben, 1);
      expect(inspect().waiters[0]).to.include({ limit: 1 });
      acquire(ben, { ...permitOf(2), context: 'again' });
      release(anna, { name: 'jobs', mode: 'permit' });
      expectNews('wide: cancelled', 'narrow: ok', 'again: ok alreadyHeld');
    });

    it('are all granted when their owner asks at the head with a limit that fits', () => {
      acquireEach([anna, permitOf(1)], [ben, { ...permitOf(1), context: 'waiting' }]);
      const result = acquire(ben, permitOf(2));
      expect(result).to.deep.equal({ status: 'ok', token: 2, count: 2, alreadyHeld: true });
      expectNews('waiting: ok');
    });

    it('are all granted when their owner asks without a limit from anywhere in the queue', () => {
      acquireEach([anna, permitOf(1)], [ben, permitOf(1)], [cara, { ...permitOf(1), context: 'waiting' }]);
      expect(acquire(cara, { ...permitOf(3) })).to.deep.equal({ status: 'queued' });
      expect(acquire(cara, PERMIT)).to.include({ status: 'ok', alreadyHeld: true });
      expectNews('waiting: ok', 'cara: ok alreadyHeld');
      expect(waiters()).to.deep.equal(['ben']);
    });
  });
});
