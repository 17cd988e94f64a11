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
      expect(scene.takeNews()).to.deep.equal(['anna: cancelled', 'anna lost jobs: sessionEnded', 'ben: ok']);
    });

    it('cancels its waits before it releases its holds in the order of their grants', () => {
      const scene = new TableScene();
      scene.acquire(scene.ben);
      for (const name of ['post', 'mail', 'news']) scene.acquire(scene.anna, { name });
      scene.acquire(scene.anna, { tag: 'x' });
      scene.endSession(scene.anna);
      expect(scene.takeNews()).to.deep.equal([
        'anna: cancelled',
        'anna lost post: sessionEnded',
        'anna lost mail: sessionEnded',
        'anna lost news: sessionEnded',
      ]);
    });

    it('releases one hold after the other: who is let in first sees the others still held', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { ...PERMIT, tag: 'x' });
      scene.acquire(scene.anna, { ...PERMIT, tag: 'y' });
      scene.acquire(scene.ben, { ...PERMIT, limit: 2 });
      const events = scene.table.continueEnd(scene.table.endSession(scene.anna, 0).result, 1, 0);
      const grant = events.find((event) => event.kind === 'answered');
      expect(grant).to.deep.include({ session: scene.ben, result: { status: 'ok', token: 3, count: 2 } });
    });

    it('takes no further request of that session', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.endSession(scene.anna, 0);
      expect(() => scene.acquire(scene.anna)).to.throw('has ended');
      expect(() => scene.release(scene.anna)).to.throw('has ended');
      expect(() => scene.releaseAll(scene.anna)).to.throw('has ended');
      expect(() => scene.cancel(scene.anna, 1)).to.throw('has ended');
      expect(() => scene.endSession(scene.anna)).to.throw('has ended');
    });
  });

  describe('when a session ends in slices', () => {
    it('frees no more in a slice than it is told to', () => {
      const scene = new TableScene();
      for (const name of ['jobs', 'mail', 'news']) scene.acquire(scene.anna, { name });
      const end = scene.endSession(scene.anna, 1);
      expect(scene.table.counts.holders).to.equal(2);
      expect(end.holds).to.have.lengthOf(2);
      scene.continueEnd(end, 2);
      expect(scene.table.counts).to.deep.equal({ locks: 0, permits: 0, holders: 0, waiting: 0, sessions: 3 });
      expect(end.holds).to.deep.equal([]);
    });

    it('has a lock held until its turn comes', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'mail' });
      const end = scene.endSession(scene.anna, 0);
      expect(scene.acquire(scene.ben, { name: 'mail', waitMs: 0 })).to.deep.equal({ status: 'unavailable' });
      expect(scene.holders('mail')).to.deep.equal(['anna']);
      scene.acquire(scene.ben, { name: 'mail' });
      scene.continueEnd(end, 1);
      expect(scene.takeNews()).to.deep.equal(['anna lost mail: sessionEnded', 'ben: ok']);
    });

    it('passes over what has ended meanwhile', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { leaseMs: 10 });
      scene.acquire(scene.anna, { name: 'mail' });
      const end = scene.endSession(scene.anna, 0);
      scene.wait(10);
      scene.forceRelease('mail');
      scene.continueEnd(end, 2);
      expect(scene.takeNews()).to.deep.equal(['anna lost jobs: lease', 'anna lost mail: forced']);
      expect(end.holds).to.deep.equal([]);
    });
  });

  describe('when it drains', () => {
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
