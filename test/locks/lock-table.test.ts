import { expect } from 'chai';
import { TableScene } from './table-scene.ts';

const EXCLUSIVE = { mode: 'exclusive' } as const;
const SHARED = { mode: 'shared' } as const;
const PERMIT = { mode: 'permit' } as const;
const TRY = { waitMs: 0 } as const;

function permitOf(limit: number): { readonly mode: 'permit'; readonly limit: number } {
  return { mode: 'permit', limit };
}

describe('lock table', () => {
  describe('acquiring', () => {
    it('grants a free lock at once', () => {
      const scene = new TableScene();
      expect(scene.acquire(scene.anna)).to.deep.equal({ status: 'ok', token: 1, count: 1 });
      expect(scene.takeNews()).to.deep.equal([]);
    });

    it('queues whoever asks for a held lock', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      expect(scene.acquire(scene.ben)).to.deep.equal({ status: 'queued' });
      expect(scene.waiters()).to.deep.equal(['ben']);
    });

    it('lets waiters in one by one, in order of arrival', () => {
      const scene = new TableScene();
      for (const session of [scene.anna, scene.ben, scene.cara]) scene.acquire(session);
      scene.release(scene.anna);
      expect(scene.takeNews()).to.deep.equal(['ben: ok']);
      scene.release(scene.ben);
      expect(scene.takeNews()).to.deep.equal(['cara: ok']);
    });

    it('tells a try-lock that a held lock is unavailable', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      expect(scene.acquire(scene.ben, TRY)).to.deep.equal({ status: 'unavailable' });
      expect(scene.waiters()).to.deep.equal([]);
    });

    it('lets no try-lock pass a waiter', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, SHARED);
      scene.acquire(scene.ben, EXCLUSIVE);
      expect(scene.acquire(scene.cara, { ...SHARED, ...TRY })).to.deep.equal({ status: 'unavailable' });
    });

    it('keeps different names apart', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'jobs' });
      expect(scene.acquire(scene.ben, { name: 'mail' })).to.include({ status: 'ok', count: 1 });
    });

    it('refuses to queue a second request with an id that waits already', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'jobs' });
      scene.acquire(scene.anna, { name: 'mail' });
      scene.acquire(scene.ben, { name: 'jobs', id: 7 });
      expect(scene.acquire(scene.ben, { name: 'mail', id: 7 })).to.deep.equal({
        status: 'invalid',
        message: 'id 7 is in flight',
      });
      expect(scene.acquire(scene.ben, { name: 'mail', id: '7' })).to.deep.equal({ status: 'queued' });
    });

    it('does not serve a session that has ended', () => {
      const scene = new TableScene();
      scene.endSession(scene.anna);
      expect(() => scene.acquire(scene.anna)).to.throw('has ended');
    });
  });

  describe('tokens', () => {
    it('gives every grant the next token of the source', () => {
      const scene = new TableScene({}, [50, 60, 61]);
      expect(scene.acquire(scene.anna, { name: 'jobs' })).to.include({ token: 50 });
      expect(scene.acquire(scene.ben, { name: 'mail' })).to.include({ token: 60 });
      scene.acquire(scene.cara, { name: 'jobs' });
      scene.release(scene.anna);
      expect(scene.inspect('jobs').holders[0]).to.include({ name: 'cara', token: 61 });
    });

    it('takes no token for a request that is refused or queued', () => {
      const scene = new TableScene({}, [50, 60]);
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, TRY);
      scene.acquire(scene.cara);
      expect(scene.acquire(scene.dora, { name: 'mail' })).to.include({ token: 60 });
    });
  });

  describe('readers and writers', () => {
    it('lets readers hold together', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, SHARED);
      expect(scene.acquire(scene.ben, SHARED)).to.deep.equal({ status: 'ok', token: 2, count: 2 });
      expect(scene.holders()).to.deep.equal(['anna', 'ben']);
    });

    it('keeps a writer out until the last reader has left', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, SHARED);
      scene.acquire(scene.ben, SHARED);
      scene.acquire(scene.cara, EXCLUSIVE);
      scene.release(scene.anna);
      expect(scene.takeNews()).to.deep.equal([]);
      scene.release(scene.ben);
      expect(scene.takeNews()).to.deep.equal(['cara: ok']);
    });

    it('makes a reader wait behind a waiting writer', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, SHARED);
      scene.acquire(scene.ben, EXCLUSIVE);
      expect(scene.acquire(scene.cara, SHARED)).to.deep.equal({ status: 'queued' });
    });

    it('lets adjacent waiting readers in together, up to the next writer', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, EXCLUSIVE);
      scene.acquire(scene.ben, SHARED);
      scene.acquire(scene.cara, SHARED);
      scene.acquire(scene.dora, EXCLUSIVE);
      scene.acquire(scene.anna, { ...SHARED, tag: 'late', context: 'late' });
      scene.release(scene.anna);
      expect(scene.takeNews()).to.deep.equal(['ben: ok', 'cara: ok']);
      expect(scene.waiters()).to.deep.equal(['dora', 'anna/late']);
    });

    it('lets readers in together when the waiting writer gives up', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, SHARED);
      scene.acquire(scene.ben, { ...EXCLUSIVE, id: 1 });
      scene.acquire(scene.cara, SHARED);
      scene.acquire(scene.dora, SHARED);
      scene.cancel(scene.ben, 1);
      expect(scene.takeNews()).to.deep.equal(['ben: cancelled', 'cara: ok', 'dora: ok']);
    });

    it('lets readers in together when the waiting writer has waited long enough', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, SHARED);
      scene.acquire(scene.ben, { ...EXCLUSIVE, waitMs: 10 });
      scene.acquire(scene.cara, SHARED);
      scene.wait(10);
      expect(scene.takeNews()).to.deep.equal(['ben: timeout', 'cara: ok']);
    });
  });

  describe('owners', () => {
    it('answers an owner that asks again for what it holds with the same token', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      expect(scene.acquire(scene.anna)).to.deep.equal({ status: 'ok', token: 1, count: 1, alreadyHeld: true });
      expect(scene.release(scene.anna)).to.deep.equal({ status: 'ok', count: 0 });
      expect(scene.release(scene.anna)).to.deep.equal({ status: 'notHeld' });
    });

    it('lets an owner ask again although others wait', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben);
      expect(scene.acquire(scene.anna, TRY)).to.include({ status: 'ok', alreadyHeld: true });
    });

    it('takes an exclusive hold for a shared one too', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, EXCLUSIVE);
      expect(scene.acquire(scene.anna, SHARED)).to.include({ status: 'ok', token: 1, alreadyHeld: true });
      expect(scene.inspect().holders[0]).to.include({ mode: 'exclusive' });
    });

    it('refuses an owner that holds shared and asks for exclusive', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, SHARED);
      expect(scene.acquire(scene.anna, EXCLUSIVE)).to.include({ status: 'invalid' });
      expect(scene.inspect().holders[0]).to.include({ mode: 'shared' });
    });

    it('refuses an owner that awaits shared and asks for exclusive', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, SHARED);
      expect(scene.acquire(scene.ben, EXCLUSIVE)).to.include({ status: 'invalid' });
    });

    it('lets the tags of one session exclude each other', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { tag: 'x' });
      expect(scene.acquire(scene.anna, { tag: 'y' })).to.deep.equal({ status: 'queued' });
      expect(scene.acquire(scene.anna)).to.deep.equal({ status: 'queued' });
      expect(scene.waiters()).to.deep.equal(['anna/y', 'anna']);
    });
  });

  describe('requests of one owner that wait', () => {
    it('share the first place in the queue', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, { context: 'first' });
      scene.acquire(scene.cara);
      scene.acquire(scene.ben, { context: 'second' });
      expect(scene.waiters()).to.deep.equal(['ben', 'cara']);
      expect(scene.table.counts.waiting).to.equal(3);
    });

    it('are all answered at the grant, which goes to the first', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, { context: 'first' });
      scene.acquire(scene.ben, { context: 'second' });
      scene.release(scene.anna);
      expect(scene.takeNews()).to.deep.equal(['first: ok', 'second: ok alreadyHeld']);
      expect(scene.release(scene.ben)).to.deep.equal({ status: 'ok', count: 0 });
    });

    it('keep the place until the last of them has ended', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, { context: 'first', waitMs: 10 });
      scene.acquire(scene.cara);
      scene.acquire(scene.ben, { context: 'second', waitMs: 20 });
      scene.wait(10);
      expect(scene.takeNews()).to.deep.equal(['first: timeout']);
      expect(scene.waiters()).to.deep.equal(['ben', 'cara']);
      scene.wait(10);
      expect(scene.takeNews()).to.deep.equal(['second: timeout']);
      expect(scene.waiters()).to.deep.equal(['cara']);
    });

    it('wait as a writer while any of them is one', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, SHARED);
      scene.acquire(scene.ben, { ...EXCLUSIVE, context: 'write', id: 1 });
      scene.acquire(scene.ben, { ...SHARED, context: 'read' });
      expect(scene.inspect().waiters[0]).to.include({ mode: 'exclusive' });
      scene.cancel(scene.ben, 1);
      expect(scene.takeNews()).to.deep.equal(['write: cancelled', 'read: ok']);
      expect(scene.inspect().holders.map(({ mode }) => mode)).to.deep.equal(['shared', 'shared']);
    });

    it('are granted exclusively although one of them asked for less', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, { ...EXCLUSIVE, context: 'write' });
      scene.acquire(scene.ben, { ...SHARED, context: 'read' });
      scene.release(scene.anna);
      expect(scene.inspect().holders).to.have.lengthOf(1);
      expect(scene.inspect().holders[0]).to.include({ name: 'ben', mode: 'exclusive' });
    });

    it('do not turn a try-lock into a waiting request', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben);
      expect(scene.acquire(scene.ben, TRY)).to.deep.equal({ status: 'unavailable' });
    });
  });

  describe('permits', () => {
    it('do not meet the reader/writer lock of the same name', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, EXCLUSIVE);
      expect(scene.acquire(scene.ben, PERMIT)).to.include({ status: 'ok', count: 1 });
      expect(scene.acquire(scene.anna, PERMIT)).to.include({ status: 'ok', count: 2 });
    });

    it('are granted while fewer than the limit hold', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, permitOf(2));
      expect(scene.acquire(scene.ben, permitOf(2))).to.include({ status: 'ok', count: 2 });
      expect(scene.acquire(scene.cara, permitOf(2))).to.deep.equal({ status: 'queued' });
      expect(scene.acquire(scene.dora, { ...permitOf(2), ...TRY })).to.deep.equal({ status: 'unavailable' });
    });

    it('without a limit never wait and pass all who do', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, permitOf(1));
      scene.acquire(scene.ben, permitOf(1));
      expect(scene.acquire(scene.cara, PERMIT)).to.include({ status: 'ok', count: 2 });
      expect(scene.waiters()).to.deep.equal(['ben']);
    });

    it('wait behind a smaller limit, even where their own would admit them', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, permitOf(1));
      scene.acquire(scene.ben, permitOf(1));
      expect(scene.acquire(scene.cara, permitOf(5))).to.deep.equal({ status: 'queued' });
    });

    it('go on being granted while the head of the queue fits', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, permitOf(1));
      scene.acquire(scene.ben, permitOf(1));
      scene.acquire(scene.cara, permitOf(2));
      scene.acquire(scene.dora, permitOf(2));
      scene.release(scene.anna, { name: 'jobs', mode: 'permit' });
      expect(scene.takeNews()).to.deep.equal(['ben: ok', 'cara: ok']);
      expect(scene.waiters()).to.deep.equal(['dora']);
    });

    it('count an owner once however often it asks', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, permitOf(2));
      scene.acquire(scene.anna, permitOf(2));
      expect(scene.acquire(scene.ben, permitOf(2))).to.include({ status: 'ok', count: 2 });
    });

    it('are granted by the greatest limit among the requests that share a place', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, PERMIT);
      scene.acquire(scene.dora, PERMIT);
      scene.acquire(scene.ben, { ...permitOf(1), context: 'narrow' });
      scene.acquire(scene.ben, { ...permitOf(2), context: 'wide', id: 1 });
      expect(scene.inspect().waiters[0]).to.include({ limit: 2 });
      scene.cancel(scene.ben, 1);
      expect(scene.inspect().waiters[0]).to.include({ limit: 1 });
      scene.acquire(scene.ben, { ...permitOf(2), context: 'again' });
      scene.release(scene.anna, { name: 'jobs', mode: 'permit' });
      expect(scene.takeNews()).to.deep.equal(['wide: cancelled', 'narrow: ok', 'again: ok alreadyHeld']);
    });

    it('are all granted when their owner asks at the head with a limit that fits', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, permitOf(1));
      scene.acquire(scene.ben, { ...permitOf(1), context: 'waiting' });
      const result = scene.acquire(scene.ben, permitOf(2));
      expect(result).to.deep.equal({ status: 'ok', token: 2, count: 2, alreadyHeld: true });
      expect(scene.takeNews()).to.deep.equal(['waiting: ok']);
    });

    it('are all granted when their owner asks without a limit from anywhere in the queue', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, permitOf(1));
      scene.acquire(scene.ben, permitOf(1));
      scene.acquire(scene.cara, { ...permitOf(1), context: 'waiting' });
      expect(scene.acquire(scene.cara, { ...permitOf(3) })).to.deep.equal({ status: 'queued' });
      expect(scene.acquire(scene.cara, PERMIT)).to.include({ status: 'ok', alreadyHeld: true });
      expect(scene.takeNews()).to.deep.equal(['waiting: ok', 'cara: ok alreadyHeld']);
      expect(scene.waiters()).to.deep.equal(['ben']);
    });
  });
});
