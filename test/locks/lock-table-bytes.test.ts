import { expect } from 'chai';
import { LockTable } from '../../lib/locks/lock-table.ts';
import type { LockRequest, Session } from '../../lib/locks/types.ts';
import { bytesKeptBy } from '../support/garbage.ts';
import {
  acquire,
  acquireAll,
  anna,
  ben,
  cancel,
  cara,
  dora,
  endSession,
  forceRelease,
  holders,
  release,
  releaseAll,
  startTable,
  table,
  takeNews,
  wait,
} from './table-scene.ts';

const MANY = 20_000;
const LONG = 10_000;
const SHARED = { mode: 'shared' } as const;
const PERMIT = { tag: 'x', mode: 'permit' } as const;
const TABLE_IS_FULL = { status: 'limit', limit: 'maxTableBytes', value: LONG };
const SESSION_IS_FULL = { status: 'limit', limit: 'maxBytesPerSession', value: LONG };

/** A text of its own in memory, as one that was read from a socket. */
function textOf(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}

function longName(letter: string): string {
  return letter.repeat(LONG);
}

describe('the memory that a lock table counts', () => {
  describe('when it is used up', () => {
    it('lets no session have a new lock or wait for one', () => {
      startTable({ maxTableBytes: LONG });
      expect(acquire(anna, { name: longName('a') })).to.include({ status: 'ok' });
      expect(acquire(ben, { name: 'b' })).to.deep.equal(TABLE_IS_FULL);
      expect(acquire(ben, { name: longName('a') })).to.deep.equal(TABLE_IS_FULL);
      expect(acquire(ben, { name: 'b', mode: 'permit', limit: 1 })).to.deep.equal(TABLE_IS_FULL);
      expect(acquire(ben, { name: 'b', steal: 'any' })).to.deep.equal(TABLE_IS_FULL);
      expect(acquireAll(ben, ['b', 'c'])).to.deep.equal(TABLE_IS_FULL);
      expect(acquireAll(ben, ['b', longName('a')])).to.deep.equal(TABLE_IS_FULL);
      expect(table.counts).to.include({ holders: 1, waiting: 0 });
    });

    it('lets the session that used it up have no new lock, and another have one', () => {
      startTable({ maxBytesPerSession: LONG });
      acquire(anna, { name: longName('a') });
      expect(acquire(anna, { name: 'b' })).to.deep.equal(SESSION_IS_FULL);
      expect(acquireAll(anna, ['b', 'c'])).to.deep.equal(SESSION_IS_FULL);
      expect(acquire(ben, { name: 'b' })).to.include({ status: 'ok' });
    });

    it('takes no further request of an owner that waits', () => {
      startTable({ maxBytesPerSession: 2 * LONG });
      acquire(anna, { name: longName('a') });
      expect(acquire(ben, { name: longName('a') })).to.deep.equal({ status: 'queued' });
      const refusal = { ...SESSION_IS_FULL, value: 2 * LONG };
      expect(acquire(ben, { name: longName('a') })).to.deep.equal(refusal);
      expect(table.counts).to.include({ waiting: 1 });
    });

    it('answers an owner that asks again for its lock, and renews leases', () => {
      startTable({ maxTableBytes: LONG });
      acquire(anna, { name: longName('a'), leaseMs: 5 });
      const again = { status: 'ok', alreadyHeld: true };
      wait(4);
      expect(acquire(anna, { name: longName('a'), leaseMs: 5 })).to.include(again);
      wait(4);
      expect(acquireAll(anna, [longName('a')], { leaseMs: 5 })).to.include({ status: 'ok' });
      wait(4);
      expect(holders(longName('a'))).to.deep.equal(['anna']);
    });

    it('releases and cancels, and then there is room again', () => {
      startTable({ maxTableBytes: 2 * LONG });
      acquire(anna, { name: longName('a') });
      acquire(ben, { name: longName('a'), id: 1 });
      expect(acquire(cara, { name: 'c' })).to.include({ limit: 'maxTableBytes' });
      expect(cancel(ben, 1)).to.equal('cancelled');
      expect(acquire(cara, { name: longName('c') })).to.include({ status: 'ok' });
      expect(acquire(cara, { name: 'd' })).to.include({ limit: 'maxTableBytes' });
      expect(release(anna, { name: longName('a') })).to.include({ status: 'ok' });
      expect(acquire(cara, { name: 'd' })).to.include({ status: 'ok' });
    });

    it('grants to waiters', () => {
      startTable({ maxTableBytes: LONG });
      acquire(anna);
      acquire(ben);
      acquire(anna, { name: longName('a') });
      release(anna);
      expect(takeNews()).to.deep.equal(['ben: ok']);
    });
  });

  it('counts two bytes for each character of a name that is short or has one beyond Latin-1', () => {
    const bytesOf = (name: string): number => {
      startTable();
      acquire(anna, { name });
      return table.counts.tableBytes;
    };
    const short = 'n'.repeat(64);
    expect(bytesOf(short) - bytesOf('')).to.equal(128);
    expect(bytesOf(`${short}n`) - bytesOf('')).to.equal(65);
    expect(bytesOf(`${short}\u00ff`) - bytesOf('')).to.equal(65);
    expect(bytesOf(`${short}\u0100`) - bytesOf('')).to.equal(130);
    expect(bytesOf(`\ud800${short}`) - bytesOf('')).to.equal(130);
  });

  it('is 0 again when everything is gone, whichever way it went', () => {
    startTable();
    acquire(anna, { name: 'a', tag: 'x', id: 'one', leaseMs: 5 });
    acquire(ben, { name: 'a', tag: 'yy', id: 'two', waitMs: 3 });
    acquire(ben, { name: 'a', tag: 'yy', id: 'three' });
    acquireAll(cara, ['a', 'b'], { id: 'four', tag: 'z' });
    acquire(dora, { name: 'b', mode: 'permit', isStealable: true });
    acquire(cara, { name: 'c', ...SHARED, isStealable: true });
    acquire(dora, { name: 'c', steal: 'stealable' });
    wait(4);
    wait(4);
    release(ben, { name: 'a', tag: 'yy' });
    releaseAll(cara);
    forceRelease('c');
    endSession(dora);
    expect(table.counts).to.include({ holders: 0, waiting: 0, tableBytes: 0 });
    expect([anna, ben, cara, dora].map(({ bytes }) => bytes)).to.deep.equal([0, 0, 0, 0]);
  });

  it('does not change by a request that would have closed a deadlock', () => {
    startTable();
    acquire(dora, { ...PERMIT, name: 'p' });
    acquire(ben, { tag: 'x', name: 'b' });
    acquire(ben, { ...PERMIT, name: 'p', limit: 1 });
    acquire(anna, { tag: 'x', name: 'b' });
    const before = table.counts.tableBytes;
    expect(acquire(anna, { ...PERMIT, name: 'p' })).to.include({ status: 'deadlock' });
    const locks = [{ name: 'p', mode: 'permit' }, 'free'] as const;
    expect(acquireAll(anna, locks, { tag: 'x' })).to.include({ status: 'deadlock' });
    expect(acquire(ben, { tag: 'x', name: 'b' })).to.include({ alreadyHeld: true });
    expect(table.counts.tableBytes).to.equal(before);
  });

  describe('beside the memory that is taken', () => {
    const request: LockRequest = { name: '', mode: 'exclusive', tag: '', waitMs: Number.POSITIVE_INFINITY };

    /** How many bytes are counted for each byte that many locks or requests take. */
    function ratio(use: (table: LockTable, sessions: readonly [Session, Session]) => void): number {
      const limit = Number.POSITIVE_INFINITY;
      const limits = {
        maxLocks: limit,
        maxLocksPerSession: limit,
        maxWaitersPerLock: limit,
        maxLocksPerRequest: limit,
      };
      let token = Date.now() * 1000;
      const table = new LockTable({
        limits: { ...limits, maxTableBytes: limit, maxBytesPerSession: limit },
        nextToken: () => {
          token += 1;
          return token;
        },
      });
      const open = (): Session => table.openSession({ clientName: '', address: '' });
      const sessions = [open(), open()] as const;
      // What earlier tests left takes more than one collection to go.
      bytesKeptBy(() => {});
      const taken = bytesKeptBy(() => use(table, sessions));
      return table.counts.tableBytes / taken;
    }

    function many(each: (index: number, name: string) => void): void {
      for (let index = 0; index < MANY; index += 1) each(index, textOf(`lock ${index}`));
    }

    it('is the same or more, and about twice as much at most, for holds', () => {
      const counted = ratio((table, [session]) =>
        many((index, name) => table.acquire(session, { ...request, name, id: index }, 0)),
      );
      expect(counted).to.be.within(1, 2.2);
    });

    it('is the same or more for holds that take all they can', () => {
      const counted = ratio((table, [holder, waiter]) => {
        many((index, name) => table.acquire(holder, { ...request, name, id: textOf(`id ${index}`), leaseMs: 5.5 }, 0));
        many((index, name) => table.acquire(waiter, { ...request, name, id: index, tag: textOf(`tag ${index}`) }, 0));
        many((index) => table.cancel(waiter, index, 0));
        table.release(holder, { token: 1 }, 0);
        // With a crowd at one lock, the holder gets an index of all its claims.
        for (let owner = 0; owner < 10; owner += 1) {
          table.acquire(waiter, { ...request, mode: 'shared', name: 'crowded', tag: `${owner}` }, 0);
        }
        table.release(holder, { name: 'crowded' }, 0);
      });
      expect(counted).to.be.within(1, 1.5);
    });

    it('is the same or more for holds with long names, of one byte or two for a character', () => {
      for (const letter of ['n', '語']) {
        const counted = ratio((table, [session]) => {
          for (let index = 0; index < 2_000; index += 1) {
            table.acquire(session, { ...request, name: textOf(`${letter.repeat(LONG)}${index}`) }, 0);
          }
        });
        expect(counted).to.be.within(1, 1.1);
      }
    });

    it('is the same or more for requests that wait, for one lock or for several', () => {
      const waiting = ratio((table, [holder, waiter]) => {
        many((_, name) => table.acquire(holder, { ...request, name }, 0));
        many((index, name) => table.acquire(waiter, { ...request, name, id: index, tag: textOf(`tag ${index}`) }, 0));
      });
      expect(waiting).to.be.within(1, 2);
      const together = ratio((table, [holder, waiter]) => {
        many((_, name) => table.acquire(holder, { ...request, name }, 0));
        many((index, name) => {
          const locks = [
            { name, mode: 'exclusive' },
            { name: textOf(`permit ${index}`), mode: 'permit' },
          ] as const;
          table.acquireAll(waiter, { ...request, locks, id: index, tag: textOf(`tag ${index}`) }, 0);
        });
      });
      expect(together).to.be.within(1, 2);
    });
  });

  it('bounds the names in the answer to a time-out', () => {
    const holdersTold = (length: number): number => {
      startTable();
      const name = 'n'.repeat(length);
      for (let holder = 0; holder < 12; holder += 1) {
        acquire(anna, { name, mode: 'permit', limit: 12, tag: String(holder) });
      }
      acquire(ben, { name, mode: 'permit', limit: 12, waitMs: 5 });
      const [event] = table.expire(1, 5);
      const result = event?.kind === 'answered' ? event.result : undefined;
      return result?.status === 'timeout' ? (result.holders ?? []).length : 0;
    };
    expect([1, 1_638, 1_639, 4_096, 9_000, 60_000].map(holdersTold)).to.deep.equal([10, 10, 9, 4, 1, 1]);
  });
});
