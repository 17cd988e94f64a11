import { expect } from 'chai';
import { LockTable } from '../../lib/locks/lock-table.ts';
import type { Claim, LockKind } from '../../lib/locks/types.ts';
import { PendingResult } from '../../lib/message/pending-result.ts';
import { systemClock } from '../../lib/server/clock.ts';
import { LockListings } from '../../lib/server/lock-listings.ts';
import type { HoldersPage, Pages } from '../../lib/server/lock-manager.ts';
import { DEFAULT_LOCK_SERVER_LIMITS } from '../../lib/server/lock-server-limits.ts';

const HOLDERS = 300;
const LISTINGS = 10;

/** Counts how often all holders are gone over. */
class WatchedTable extends LockTable {
  passCount = 0;
  underWay = 0;
  mostUnderWay = 0;

  override *holds(kind: LockKind, name?: string): Generator<Claim, void, undefined> {
    this.passCount += 1;
    this.underWay += 1;
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
    try {
      yield* super.holds(kind, name);
    } finally {
      this.underWay -= 1;
    }
  }
}

function tableOfOneLock(holderCount: number): WatchedTable {
  let token = 0;
  const nextToken = (): number => {
    token += 1;
    return token;
  };
  const table = new WatchedTable({ limits: DEFAULT_LOCK_SERVER_LIMITS, nextToken });
  const session = table.openSession({ clientName: '', address: '' });
  for (let tag = 0; tag < holderCount; tag += 1) {
    table.acquire(session, { name: 'hot', mode: 'shared', tag: `${tag}`, waitMs: 0 }, 0);
  }
  return table;
}

/** Asks for pages until the listing is over, or so many. */
async function tokensOf(listing: Pages<HoldersPage>, pageCount: number): Promise<number[]> {
  const tokens: number[] = [];
  for (let count = 0; count < pageCount; count += 1) {
    const page = await new Promise<HoldersPage>((resolve) => listing.nextPage(50).whenSettled(resolve));
    tokens.push(...page.holders.map((holder) => holder.token));
    if (page.isLast) break;
  }
  return tokens;
}

describe('listings of locks', () => {
  let table: WatchedTable;
  let listings: Pages<HoldersPage>[];

  beforeEach(() => {
    table = tableOfOneLock(HOLDERS);
    const all = new LockListings(table, systemClock, DEFAULT_LOCK_SERVER_LIMITS);
    listings = Array.from({ length: LISTINGS }, () => all.listHolders('readerWriter', 'hot'));
  });

  it('go over all locks four at a time', async () => {
    const told = await Promise.all(listings.map((listing) => tokensOf(listing, 100)));
    const expected = Array.from({ length: HOLDERS }, (_, index) => index + 1);
    expect(told).to.deep.equal(Array(LISTINGS).fill(expected));
    expect(table).to.include({ underWay: 0, mostUnderWay: 4 });
  });

  it('keep what they have found ahead for the four that went on last', async () => {
    for (const listing of listings) await tokensOf(listing, 2);
    expect(table.passCount).to.equal(2 * LISTINGS);
    for (const listing of listings.reverse()) await tokensOf(listing, 1);
    expect(table.passCount).to.equal(2 * LISTINGS + LISTINGS - 4);
  });

  it('look for a token among many holders in slices', async () => {
    const all = new LockListings(table, systemClock, DEFAULT_LOCK_SERVER_LIMITS);
    const isHeldWith = async (token: number): Promise<boolean> => {
      const answer = all.isHeldWith('hot', token);
      if (!(answer instanceof PendingResult)) throw new Error('the answer came at once');
      return new Promise((resolve) => answer.whenSettled(({ isHeld }) => resolve(isHeld)));
    };
    const tokens = [1, HOLDERS / 2, HOLDERS, HOLDERS + 1];
    expect(await Promise.all(tokens.map(isHeldWith))).to.deep.equal([true, true, true, false]);
    expect(table.underWay).to.equal(0);
    table.forceRelease('hot', 'readerWriter', 0);
    expect(all.isHeldWith('hot', 1)).to.deep.equal({ isHeld: false });
  });

  it('look for a token among few holders at once', () => {
    const few = new LockListings(tableOfOneLock(200), systemClock, DEFAULT_LOCK_SERVER_LIMITS);
    expect([1, 200, 201].map((token) => few.isHeldWith('hot', token))).to.deep.equal([
      { isHeld: true },
      { isHeld: true },
      { isHeld: false },
    ]);
  });
});
