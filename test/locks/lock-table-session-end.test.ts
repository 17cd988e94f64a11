import { expect } from 'chai';
import { TableScene } from './table-scene.ts';

const SHARED = { mode: 'shared' } as const;
const PERMIT = { mode: 'permit' } as const;

describe('lock table', () => {
  describe('when a session ends', () => {
    it('releases the lock that it holds', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben);
      scene.endSession(scene.anna);
      expect(scene.takeNews()).to.deep.equal(['anna lost jobs: sessionEnded', 'ben: ok']);
      expect(scene.table.counts.sessions).to.equal(3);
    });

    it('cancels its waits and looks at the queue again', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, SHARED);
      scene.acquire(scene.ben);
      scene.acquire(scene.cara, SHARED);
      scene.endSession(scene.ben);
      expect(scene.takeNews()).to.deep.equal(['ben: cancelled', 'cara: ok']);
    });

    it('grants none of its owners what another of them held', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { tag: 'x' });
      scene.acquire(scene.anna, { tag: 'y' });
      scene.acquire(scene.ben);
      scene.endSession(scene.anna);
      expect(scene.takeNews()).to.have.members(['anna: cancelled', 'anna lost jobs: sessionEnded', 'ben: ok']);
    });

    it('counts none of its holds beside those who are let in', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { ...PERMIT, tag: 'x' });
      scene.acquire(scene.anna, { ...PERMIT, tag: 'y' });
      scene.acquire(scene.ben, { ...PERMIT, limit: 2 });
      const events = scene.table.endSession(scene.anna, Number.POSITIVE_INFINITY, 0);
      const grant = events.find((event) => event.kind === 'answered');
      expect(grant).to.deep.include({ session: scene.ben, result: { status: 'ok', token: 3, count: 1 } });
    });

    it('does nothing when it had ended before', () => {
      const scene = new TableScene();
      scene.endSession(scene.anna);
      scene.endSession(scene.anna);
      expect(scene.table.counts.sessions).to.equal(3);
    });
  });

  describe('when a session ends in slices', () => {
    function sceneWithThreeHolds(): TableScene {
      const scene = new TableScene();
      for (const name of ['jobs', 'mail', 'news']) scene.acquire(scene.anna, { name });
      return scene;
    }

    it('works off the rest as it is swept', () => {
      const scene = sceneWithThreeHolds();
      scene.endSession(scene.anna, 1);
      expect(scene.table.counts.holders).to.equal(2);
      expect(scene.table.needsSweep).to.equal(true);
      scene.sweep(1);
      expect(scene.table.counts.holders).to.equal(1);
      scene.sweep(1);
      expect(scene.table.counts).to.deep.equal({ locks: 0, permits: 0, holders: 0, waiting: 0, sessions: 3 });
      expect(scene.table.needsSweep).to.equal(false);
      expect(scene.takeNews()).to.have.lengthOf(3);
    });

    it('grants what is left of it to whoever asks', () => {
      const scene = sceneWithThreeHolds();
      scene.endSession(scene.anna, 0);
      expect(scene.acquire(scene.ben, { name: 'mail', waitMs: 0 })).to.include({ status: 'ok', count: 1 });
      expect(scene.takeNews()).to.deep.equal(['anna lost mail: sessionEnded']);
    });

    it('does not show it any more', () => {
      const scene = sceneWithThreeHolds();
      scene.endSession(scene.anna, 0);
      expect(scene.inspect('news')).to.include({ holderCount: 0, waiterCount: 0 });
    });

    it('lets those in who waited behind it as soon as anybody touches the lock', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben);
      scene.endSession(scene.anna, 0);
      expect(scene.takeNews()).to.deep.equal([]);
      expect(scene.acquire(scene.cara, { waitMs: 0 })).to.deep.equal({ status: 'unavailable' });
      expect(scene.takeNews()).to.deep.equal(['anna lost jobs: sessionEnded', 'ben: ok']);
    });

    it('grants a lock rather than let its wait time out or be cancelled', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'jobs' });
      scene.acquire(scene.anna, { name: 'mail' });
      scene.acquire(scene.ben, { name: 'jobs', waitMs: 10 });
      scene.acquire(scene.ben, { name: 'mail', id: 7, context: 'mail' });
      scene.endSession(scene.anna, 0);
      expect(scene.cancel(scene.ben, 7)).to.equal('granted');
      scene.wait(10);
      expect(scene.takeNews().filter((news) => !news.startsWith('anna'))).to.deep.equal(['mail: ok', 'ben: ok']);
    });

    it('passes over places in the queue that are left of it', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben);
      scene.acquire(scene.cara);
      scene.endSession(scene.ben, 0);
      scene.release(scene.anna);
      expect(scene.takeNews()).to.deep.equal(['ben: cancelled', 'cara: ok']);
    });

    it('says of a hold whose lease runs out meanwhile that the session ended', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { leaseMs: 10 });
      scene.endSession(scene.anna, 0);
      scene.wait(10);
      expect(scene.takeNews()).to.deep.equal(['anna lost jobs: sessionEnded']);
    });
  });

  describe('when a session ends in slices while a permit without limit is waited for with another lock', () => {
    const ONE_PERMIT = { ...PERMIT, limit: 1 };

    /** Dora waits for the permit `jobs` without limit, and for `mail`, behind Cara, who waits for one of one permit. */
    function waitBehindCara(scene: TableScene): void {
      scene.acquire(scene.cara, ONE_PERMIT);
      scene.acquireAll(scene.dora, [{ name: 'jobs', ...PERMIT }, 'mail']);
    }

    function grantsAmong(news: readonly string[]): readonly string[] {
      return news.filter((text) => text.endsWith(': ok'));
    }

    it('lets in whoever is first before the permit is granted behind him', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'mail' });
      scene.acquire(scene.anna, PERMIT);
      waitBehindCara(scene);
      scene.endSession(scene.anna, 0);
      expect(grantsAmong(scene.takeNews())).to.deep.equal(['cara: ok', 'dora: ok']);
      expect(scene.acquire(scene.ben, PERMIT)).to.include({ status: 'ok', count: 3 });
    });

    it('lets in whoever is first, although the other lock comes free before anybody touches his', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, PERMIT);
      scene.acquire(scene.ben, { name: 'mail' });
      waitBehindCara(scene);
      scene.endSession(scene.anna, 0);
      scene.release(scene.ben, { name: 'mail' });
      expect(grantsAmong(scene.takeNews())).to.deep.equal(['cara: ok', 'dora: ok']);
    });

    it('lets in whoever is first and waits for a further lock that the session held', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'news' });
      scene.acquire(scene.ben, { name: 'mail' });
      scene.acquireAll(scene.cara, [{ name: 'jobs', ...ONE_PERMIT }, 'news']);
      scene.acquireAll(scene.dora, [{ name: 'jobs', ...PERMIT }, 'mail']);
      scene.endSession(scene.anna, 0);
      scene.release(scene.ben, { name: 'mail' });
      expect(grantsAmong(scene.takeNews())).to.deep.equal(['cara: ok', 'dora: ok']);
    });

    it('lets the permit pass when the other lock came free first', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'mail' });
      scene.acquire(scene.ben, PERMIT);
      waitBehindCara(scene);
      scene.endSession(scene.anna, 0);
      scene.endSession(scene.ben, 0);
      expect(scene.inspect().holders.map(({ session }) => session)).to.deep.equal([scene.dora]);
      expect(scene.inspect().waiters.map(({ session }) => session)).to.deep.equal([scene.cara]);
    });

    it('lets the permit pass while something else is left to the sweep', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'old' });
      scene.endSession(scene.anna, 0);
      scene.sweep(1);
      scene.acquire(scene.ben, PERMIT);
      scene.acquire(scene.ben, { name: 'mail' });
      waitBehindCara(scene);
      const eve = scene.table.openSession('eve');
      scene.acquire(eve, { name: 'news' });
      scene.endSession(eve, 0);
      scene.release(scene.ben, { name: 'mail' });
      expect(grantsAmong(scene.takeNews())).to.deep.equal(['dora: ok']);
    });

    it('leaves to the sweep what nobody waits for', () => {
      const scene = new TableScene();
      for (const name of ['mail', 'news', 'post']) scene.acquire(scene.anna, { name });
      scene.acquire(scene.ben, PERMIT);
      waitBehindCara(scene);
      scene.endSession(scene.anna, 0);
      expect(grantsAmong(scene.takeNews())).to.deep.equal(['dora: ok']);
      expect(scene.table.needsSweep).to.equal(true);
      scene.sweep(2);
      expect(scene.takeNews()).to.have.members(['anna lost news: sessionEnded', 'anna lost post: sessionEnded']);
      expect(scene.table.needsSweep).to.equal(false);
    });
  });

  describe('when a session ends with more locks than are freed at once', () => {
    it('makes room for new locks', () => {
      const scene = new TableScene({ maxLocks: 1 });
      scene.acquire(scene.anna, { name: 'old' });
      scene.endSession(scene.anna, 0);
      expect(scene.acquire(scene.ben, { name: 'new' })).to.include({ status: 'ok', count: 1 });
      expect(scene.takeNews()).to.deep.equal(['anna lost old: sessionEnded']);
    });

    it('frees no more of them than it was told', () => {
      const scene = new TableScene();
      for (const name of ['x', 'y', 'z']) scene.acquire(scene.anna, { name });
      scene.endSession(scene.anna, 2);
      expect(scene.takeNews()).to.have.length(2);
      expect(scene.table.needsSweep).to.equal(true);
      expect(scene.table.counts).to.include({ holders: 1 });
    });

    it('is asked for nothing more by that session', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.endSession(scene.anna, 0);
      expect(() => scene.acquire(scene.anna)).to.throw('has ended');
      expect(() => scene.release(scene.anna)).to.throw('has ended');
      expect(() => scene.releaseAll(scene.anna)).to.throw('has ended');
      expect(() => scene.cancel(scene.anna, 1)).to.throw('has ended');
    });
  });

  describe('when it drains', () => {
    it('still grants what only sessions that have ended are in the way of', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben);
      scene.endSession(scene.anna, 0);
      scene.drain();
      expect(scene.takeNews()).to.deep.equal(['anna lost jobs: sessionEnded', 'ben: ok']);
    });

    it('answers waiting requests and new ones with draining', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben, { context: 'first' });
      scene.acquire(scene.ben, { context: 'second' });
      scene.acquire(scene.cara);
      scene.drain();
      expect(scene.takeNews()).to.deep.equal(['first: draining', 'second: draining', 'cara: draining']);
      expect(scene.acquire(scene.dora, { name: 'mail' })).to.deep.equal({ status: 'draining' });
      expect(scene.acquire(scene.dora, { name: 'mail', waitMs: 0 })).to.deep.equal({ status: 'draining' });
    });

    it('answers in the order of names, whatever the order in which they were asked for', () => {
      const scene = new TableScene();
      const inOrder = Array.from({ length: 26 }, (_, index) => String.fromCharCode(97 + index));
      for (const name of [...inOrder].reverse()) {
        scene.acquire(scene.anna, { name, ...PERMIT });
        scene.acquire(scene.anna, { name });
        scene.acquire(scene.ben, { name, ...PERMIT, limit: 1, context: `${name} permit` });
        scene.acquire(scene.ben, { name, context: `${name} first` });
        scene.acquire(scene.cara, { name, context: `${name} second` });
      }
      scene.drain();
      const expected = inOrder.flatMap((name) =>
        ['first', 'second', 'permit'].map((end) => `${name} ${end}: draining`),
      );
      expect(scene.takeNews()).to.deep.equal(expected);
    });

    it('grants in the order of names what only sessions that have ended are in the way of', () => {
      const scene = new TableScene();
      const inOrder = Array.from({ length: 26 }, (_, index) => String.fromCharCode(97 + index));
      for (const name of [...inOrder].reverse()) {
        scene.acquire(scene.anna, { name });
        scene.acquire(scene.ben, { name, context: name });
      }
      scene.endSession(scene.anna, 0);
      scene.drain();
      const granted = scene.takeNews().filter((news) => news.endsWith(': ok'));
      expect(granted).to.deep.equal(inOrder.map((name) => `${name}: ok`));
    });

    it('goes on answering owners that ask for what they hold', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.drain();
      expect(scene.acquire(scene.anna, { leaseMs: 10 })).to.include({ status: 'ok', token: 1, alreadyHeld: true });
      scene.wait(10);
      expect(scene.takeNews()).to.deep.equal(['anna lost jobs: lease']);
    });

    it('goes on releasing and lets nobody in', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben);
      scene.drain();
      expect(scene.release(scene.anna)).to.deep.equal({ status: 'ok', count: 0 });
      expect(scene.table.counts).to.include({ locks: 0, holders: 0, waiting: 0 });
      expect(scene.acquire(scene.ben)).to.deep.equal({ status: 'draining' });
    });
  });

  describe('limits', () => {
    it('bound the locks that are held or waited for, in both name spaces', () => {
      const scene = new TableScene({ maxLocks: 2 });
      scene.acquire(scene.anna, { name: 'jobs' });
      scene.acquire(scene.anna, { name: 'jobs', ...PERMIT });
      const refusal = { status: 'limit', limit: 'maxLocks', value: 2 };
      expect(scene.acquire(scene.ben, { name: 'mail' })).to.deep.equal(refusal);
      expect(scene.acquire(scene.ben, { name: 'jobs' })).to.deep.equal({ status: 'queued' });
      scene.release(scene.anna, { name: 'jobs', ...PERMIT });
      expect(scene.acquire(scene.ben, { name: 'mail' })).to.include({ status: 'ok' });
    });

    it('bound the locks that one session holds or waits for, over all its owners', () => {
      const scene = new TableScene({ maxLocksPerSession: 2 });
      scene.acquire(scene.ben, { name: 'mail' });
      scene.acquire(scene.anna, { name: 'jobs', tag: 'x' });
      scene.acquire(scene.anna, { name: 'mail', tag: 'y' });
      const refusal = { status: 'limit', limit: 'maxLocksPerSession', value: 2 };
      expect(scene.acquire(scene.anna, { name: 'news' })).to.deep.equal(refusal);
      expect(scene.acquire(scene.anna, { name: 'jobs', tag: 'x' })).to.include({ alreadyHeld: true });
      expect(scene.acquire(scene.anna, { name: 'mail', tag: 'y' })).to.deep.equal({ status: 'queued' });
    });

    it('bound the requests that wait for one lock, also where they share a place', () => {
      const scene = new TableScene({ maxWaitersPerLock: 2 });
      scene.acquire(scene.anna);
      scene.acquire(scene.ben);
      scene.acquire(scene.ben);
      const refusal = { status: 'limit', limit: 'maxWaitersPerLock', value: 2 };
      expect(scene.acquire(scene.ben)).to.deep.equal(refusal);
      expect(scene.acquire(scene.cara)).to.deep.equal(refusal);
      expect(scene.acquire(scene.cara, { waitMs: 0 })).to.deep.equal({ status: 'unavailable' });
      scene.release(scene.ben);
      expect(scene.acquire(scene.cara)).to.deep.equal({ status: 'queued' });
    });
  });
});
