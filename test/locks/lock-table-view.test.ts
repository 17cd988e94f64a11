import { expect } from 'chai';
import type { NamesRequest } from '../../lib/locks/types.ts';
import { TableScene } from './table-scene.ts';

const SHARED = { mode: 'shared' } as const;
const PERMIT = { mode: 'permit' } as const;

function list(
  scene: TableScene,
  { max = 100, ...request }: Partial<NamesRequest> & { readonly max?: number },
): { names: readonly string[]; hasMore: boolean } {
  const listing = scene.table.listNames({ prefix: '', ...request });
  while (!listing.step(1, max));
  const names = listing.peek(max);
  listing.skip(names.length);
  return { names, hasMore: !listing.isOver };
}

describe('lock table', () => {
  describe('inspecting', () => {
    it('shows nobody under a name that nobody holds', () => {
      const view = { name: 'jobs', holderCount: 0, waiterCount: 0, holders: [], waiters: [] };
      expect(new TableScene().inspect('jobs')).to.deep.equal(view);
    });

    it('shows who holds since when and who waits since when', () => {
      const scene = new TableScene();
      scene.wait(5);
      scene.acquire(scene.anna, { tag: 'x' });
      scene.wait(5);
      scene.acquire(scene.ben, SHARED);
      expect(scene.inspect('jobs')).to.deep.equal({
        name: 'jobs',
        holderCount: 1,
        waiterCount: 1,
        holders: [{ session: scene.anna, tag: 'x', mode: 'exclusive', token: 1, sinceMs: 5, isStealable: false }],
        waiters: [
          {
            session: scene.ben,
            tag: '',
            mode: 'shared',
            limit: undefined,
            sinceMs: 10,
            position: 1,
            isPartOfAll: false,
          },
        ],
      });
    });

    it('counts the time of a holder from its grant', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben);
      scene.wait(5);
      scene.release(scene.anna);
      expect(scene.inspect().holders[0]).to.include({ session: scene.ben, sinceMs: 5 });
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
      expect(view.holders.map(({ session }) => session)).to.deep.equal([scene.anna]);
      expect(view.waiters.map(({ session }) => session)).to.deep.equal([scene.cara]);
    });
  });

  describe('listing', () => {
    it('gives names in the order that the table was given, each once', () => {
      const scene = new TableScene();
      for (const name of ['mails', 'job', 'mail', 'jobs']) scene.acquire(scene.anna, { name });
      scene.acquire(scene.anna, { name: 'jobs', ...PERMIT });
      scene.acquire(scene.anna, { name: 'z', ...PERMIT });
      expect(list(scene, {})).to.deep.equal({ names: ['z', 'job', 'jobs', 'mail', 'mails'], hasMore: false });
    });

    it('gives a page behind a name, and says whether another follows', () => {
      const scene = new TableScene();
      for (const name of ['a', 'b', 'c', 'd', 'aa']) scene.acquire(scene.anna, { name });
      expect(list(scene, { max: 2 })).to.deep.equal({ names: ['a', 'b'], hasMore: true });
      expect(list(scene, { max: 2, after: 'b' })).to.deep.equal({ names: ['c', 'd'], hasMore: true });
      expect(list(scene, { max: 2, after: 'd' })).to.deep.equal({ names: ['aa'], hasMore: false });
      expect(list(scene, { max: 2, after: 'aa' })).to.deep.equal({ names: [], hasMore: false });
    });

    it('gives only names with a prefix', () => {
      const scene = new TableScene();
      for (const name of ['job', 'jobs', 'mail']) scene.acquire(scene.anna, { name });
      expect(list(scene, { prefix: 'job' })).to.deep.equal({ names: ['job', 'jobs'], hasMore: false });
    });

    it('does not give a name that is neither held nor waited for any more', () => {
      const scene = new TableScene();
      scene.acquire(scene.anna);
      scene.acquire(scene.ben);
      scene.release(scene.ben);
      scene.release(scene.anna);
      expect(list(scene, {}).names).to.deep.equal([]);
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
