import { expect } from 'chai';
import type { LockKind } from '../../lib/locks/types.ts';
import {
  acquire,
  acquireEach,
  anna,
  ben,
  cara,
  dora,
  endSession,
  holders,
  inspect,
  release,
  table,
  tableScene,
  wait,
  waiters,
} from './table-scene.ts';

const SHARED = { mode: 'shared' } as const;
const PERMIT = { mode: 'permit' } as const;

function names(kind?: LockKind): readonly string[] {
  return [...iterate(table.names(kind))].toSorted();
}

function* iterate<T>(iterator: Iterator<T>): Generator<T> {
  for (let entry = iterator.next(); entry.done !== true; entry = iterator.next()) yield entry.value;
}

describe('lock table', () => {
  tableScene();

  describe('inspecting', () => {
    it('shows no holder and no waiter under a free name', () => {
      const view = { lockName: 'jobs', holderCount: 0, waiterCount: 0, holders: [], waiters: [] };
      expect(inspect('jobs')).to.deep.equal(view);
    });

    it('shows the holders and the waiters, and since when', () => {
      wait(5);
      acquire(anna, { tag: 'x' });
      wait(5);
      acquire(ben, SHARED);
      wait(3);
      expect(inspect('jobs')).to.deep.equal({
        lockName: 'jobs',
        holderCount: 1,
        waiterCount: 1,
        holders: [{ owner: 'x', name: 'anna', address: 'anna:1', mode: 'exclusive', token: 1, heldMs: 8 }],
        waiters: [{ owner: '', name: 'ben', address: 'ben:1', mode: 'shared', position: 1, waitedMs: 3 }],
      });
    });

    it('counts the time of a holder from its grant', () => {
      acquireEach([anna], [ben]);
      wait(5);
      release(anna);
      wait(2);
      expect(inspect().holders[0]).to.include({ name: 'ben', heldMs: 2 });
    });

    it('shows the reader/writer lock first and the permit behind it', () => {
      acquireEach([anna, { ...PERMIT, limit: 1 }], [ben, { ...PERMIT, limit: 3 }], [cara, { ...PERMIT, limit: 1 }]);
      acquireEach([dora], [anna]);
      expect(holders()).to.deep.equal(['dora', 'anna', 'ben']);
      expect(waiters()).to.deep.equal(['anna', 'cara']);
      expect(inspect().waiters.map(({ limit }) => limit)).to.deep.equal([undefined, 1]);
    });

    it('shows no more than it was asked for and counts them all', () => {
      acquireEach([anna, SHARED], [ben, SHARED], [cara], [dora]);
      const view = inspect('jobs', 1);
      expect(view).to.include({ holderCount: 2, waiterCount: 2 });
      expect(view.holders.map(({ name }) => name)).to.deep.equal(['anna']);
      expect(view.waiters.map(({ name }) => name)).to.deep.equal(['cara']);
    });
  });

  describe('listing', () => {
    it('lists the names of one kind, or of both', () => {
      for (const name of ['mails', 'job']) acquire(anna, { name });
      for (const name of ['job', 'z']) acquire(anna, { name, ...PERMIT });
      expect(names()).to.deep.equal(['job', 'job', 'mails', 'z']);
      expect(names('readerWriter')).to.deep.equal(['job', 'mails']);
      expect(names('permit')).to.deep.equal(['job', 'z']);
    });

    it('lists the holds of one kind, or of one lock', () => {
      acquireEach([anna, SHARED], [ben, SHARED], [cara], [anna, 'mail'], [dora, PERMIT]);
      const tokens = (kind: LockKind, name?: string) => [...iterate(table.holds(kind, name))].map(({ token }) => token);
      expect(tokens('readerWriter')).to.have.members([1, 2, 3]);
      expect(tokens('readerWriter', 'jobs')).to.deep.equal([1, 2]);
      expect(tokens('permit', 'jobs')).to.deep.equal([4]);
      expect(tokens('permit', 'mail')).to.deep.equal([]);
    });

    it('lists the holds that stay while others begin and end', () => {
      acquireEach([anna, SHARED], [ben, SHARED], [cara, SHARED], [dora, SHARED]);
      const holds = table.holds('readerWriter');
      expect(holds.next().value).to.include({ token: 1 });
      for (const session of [anna, ben, cara]) release(session);
      acquire(ben, SHARED);
      expect([...iterate(holds)].map(({ token }) => token)).to.deep.equal([4, 5]);
    });

    it('does not list a name that is no longer held or waited for', () => {
      acquireEach([anna], [ben]);
      release(ben);
      release(anna);
      expect(names()).to.deep.equal([]);
    });
  });

  describe('counting', () => {
    it('counts held names in each name space, holders, waiting requests and sessions', () => {
      acquireEach([anna, SHARED], [ben, SHARED], [cara], [cara], [anna, { name: 'mail', ...PERMIT }]);
      endSession(dora);
      expect(table.counts).to.include({ locks: 1, permits: 1, holders: 3, waiting: 2, sessions: 3 });
    });
  });
});
