import { expect } from 'chai';
import type { LockKind } from '../../lib/locks/types.ts';
import { TableScene } from './table-scene.ts';

const SHARED = { mode: 'shared' } as const;
const PERMIT = { mode: 'permit' } as const;

function names(scene: TableScene, kind?: LockKind): readonly string[] {
  return [...iterate(scene.table.names(kind))].toSorted();
}

function* iterate<T>(iterator: Iterator<T>): Generator<T> {
  for (let entry = iterator.next(); entry.done !== true; entry = iterator.next()) yield entry.value;
}

describe('lock table', () => {
  describe('inspecting', () => {
    it('shows nobody under a name that nobody holds', () => {
      const view = { lockName: 'jobs', holderCount: 0, waiterCount: 0, holders: [], waiters: [] };
      expect(new TableScene().inspect('jobs')).to.deep.equal(view);
    });

    it('shows who holds since when and who waits since when', () => {
      const scene = new TableScene();
      scene.wait(5);
      scene.acquire(scene.anna, { tag: 'x' });
      scene.wait(5);
      scene.acquire(scene.ben, SHARED);
      scene.wait(3);
      expect(scene.inspect('jobs')).to.deep.equal({
        lockName: 'jobs',
        holderCount: 1,
        waiterCount: 1,
        holders: [{ owner: 'x', name: 'anna', address: 'anna:1', mode: 'exclusive', token: 1, heldMs: 8 }],
        waiters: [{ owner: '', name: 'ben', address: 'ben:1', mode: 'shared', position: 1, waitedMs: 3 }],
      });
    });

    it('counts the time of a holder from its grant', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben);
      scene.wait(5);
      scene.release(scene.anna);
      scene.wait(2);
      expect(scene.inspect().holders[0]).to.include({ name: 'ben', heldMs: 2 });
    });

    it('shows the reader/writer lock first and the permit behind it', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { ...PERMIT, limit: 1 });
      scene.acquire(scene.ben, { ...PERMIT, limit: 3 });
      scene.acquire(scene.cara, { ...PERMIT, limit: 1 });
      scene.acquire(scene.dora);
      scene.acquire(scene.anna);
      expect(scene.holders()).to.deep.equal(['dora', 'anna', 'ben']);
      expect(scene.waiters()).to.deep.equal(['anna', 'cara']);
      expect(scene.inspect().waiters.map(({ limit }) => limit)).to.deep.equal([undefined, 1]);
    });

    it('shows no more than it was asked for and counts them all', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, SHARED);
      scene.acquire(scene.ben, SHARED);
      scene.acquire(scene.cara);
      scene.acquire(scene.dora);
      const view = scene.inspect('jobs', 1);
      expect(view).to.include({ holderCount: 2, waiterCount: 2 });
      expect(view.holders.map(({ name }) => name)).to.deep.equal(['anna']);
      expect(view.waiters.map(({ name }) => name)).to.deep.equal(['cara']);
    });
  });

  describe('listing', () => {
    it('gives the names of either kind, and of both', () => {
      const scene = new TableScene();
      for (const name of ['mails', 'job']) scene.acquire(scene.anna, { name });
      for (const name of ['job', 'z']) scene.acquire(scene.anna, { name, ...PERMIT });
      expect(names(scene)).to.deep.equal(['job', 'job', 'mails', 'z']);
      expect(names(scene, 'readerWriter')).to.deep.equal(['job', 'mails']);
      expect(names(scene, 'permit')).to.deep.equal(['job', 'z']);
    });

    it('gives the holds of one kind, and of one lock', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, SHARED);
      scene.acquire(scene.ben, SHARED);
      scene.acquire(scene.cara);
      scene.acquire(scene.anna, { name: 'mail' });
      scene.acquire(scene.dora, PERMIT);
      const tokens = (kind: LockKind, name?: string) =>
        [...iterate(scene.table.holds(kind, name))].map(({ token }) => token);
      expect(tokens('readerWriter')).to.have.members([1, 2, 3]);
      expect(tokens('readerWriter', 'jobs')).to.deep.equal([1, 2]);
      expect(tokens('permit', 'jobs')).to.deep.equal([4]);
      expect(tokens('permit', 'mail')).to.deep.equal([]);
    });

    it('does not give a name that is neither held nor waited for any more', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben);
      scene.release(scene.ben);
      scene.release(scene.anna);
      expect(names(scene)).to.deep.equal([]);
    });
  });

  describe('counting', () => {
    it('counts held names in each name space, holders, waiting requests and sessions', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna, { name: 'jobs', ...SHARED });
      scene.acquire(scene.ben, { name: 'jobs', ...SHARED });
      scene.acquire(scene.cara, { name: 'jobs' });
      scene.acquire(scene.cara, { name: 'jobs' });
      scene.acquire(scene.anna, { name: 'mail', ...PERMIT });
      scene.endSession(scene.dora);
      expect(scene.table.counts).to.deep.equal({ locks: 1, permits: 1, holders: 3, waiting: 2, sessions: 3 });
    });
  });
});
