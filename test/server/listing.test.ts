import { expect } from 'chai';
import fc from 'fast-check';
import { Listing } from '../../lib/server/listing.ts';
import { ListingsAhead } from '../../lib/server/listings-ahead.ts';

const STEP = 3;

function shorterFirst(a: string, b: string): number {
  return a.length - b.length || Number(a > b) - Number(a < b);
}

function listingOf(names: Iterable<string>, after?: string): Listing<string> {
  return new Listing<string>({ compare: shorterFirst, items: () => names[Symbol.iterator](), after });
}

function nextPage(listing: Listing<string>, max: number, stepSize = STEP): string[] {
  while (!listing.step(stepSize, max));
  const page = listing.peek(max);
  listing.skip(page.length);
  return page;
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${index}`);
}

const name = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 4 });

describe('a listing', () => {
  it('looks at no more items in a step than its limit', () => {
    const seen: string[] = [];
    function* names(): Generator<string> {
      for (const each of ['c', 'b', 'a']) {
        seen.push(each);
        yield each;
      }
    }
    const listing = new Listing<string>({ compare: shorterFirst, items: names });
    expect(listing.step(2, 10)).to.equal(false);
    expect(seen).to.deep.equal(['c', 'b']);
    expect(listing.step(2, 10)).to.equal(true);
    expect(listing.peek(10)).to.deep.equal(['a', 'b', 'c']);
  });

  it('ends the iteration of a pass that is given up', () => {
    let isOver = false;
    function* names(): Generator<string> {
      try {
        yield* numbers(10);
      } finally {
        isOver = true;
      }
    }
    const listing = new Listing<string>({ compare: shorterFirst, items: names });
    listing.step(2, 10);
    listing.endPass();
    expect(isOver).to.equal(true);
  });

  it('keeps no more bytes of items than its limit, and lists all the same', () => {
    const names = numbers(100).reverse();
    const listing = new Listing<string>({
      compare: shorterFirst,
      items: () => names[Symbol.iterator](),
      bytesOf: () => 1_000_000,
    });
    const pages: string[][] = [];
    while (!listing.isOver) pages.push(nextPage(listing, 50));
    expect(pages.map(({ length }) => length)).to.deep.equal(Array(25).fill(4));
    expect(pages.flat()).to.deep.equal(numbers(100));
  });

  it('finds as many items ahead as before once it has forgotten some', () => {
    let passes = 0;
    const names = numbers(10);
    const listing = new Listing<string>({
      compare: shorterFirst,
      items: () => {
        passes += 1;
        return names[Symbol.iterator]();
      },
      bytesOf: () => 1_000_000,
    });
    const listed = [...nextPage(listing, 1), ...nextPage(listing, 1)];
    listing.forgetAhead();
    while (!listing.isOver) listed.push(...nextPage(listing, 1));
    expect(listed).to.deep.equal(names);
    expect(passes).to.equal(4);
  });

  it('lists an item that alone is longer than that', () => {
    const listing = new Listing<string>({
      compare: shorterFirst,
      items: () => ['b', 'a'][Symbol.iterator](),
      bytesOf: () => 10_000_000,
    });
    expect([nextPage(listing, 10), nextPage(listing, 10), listing.isOver]).to.deep.equal([['a'], ['b'], true]);
  });

  it('counts the items that it skips, too', () => {
    const listing = new Listing<string>({
      compare: shorterFirst,
      items: () => ['c', 'b', 'a'][Symbol.iterator](),
      isListed: (each) => each === 'a',
    });
    expect(listing.step(2, 10)).to.equal(false);
    expect(nextPage(listing, 10)).to.deep.equal(['a']);
    expect(listing.isOver).to.equal(true);
  });

  it('sees the items that stay while others come and go', () => {
    const locks = new Map([...'edcba'].map((each) => [each, true]));
    const listing = new Listing<string>({ compare: shorterFirst, items: () => locks.keys() });
    listing.step(2, 10);
    locks.delete('e');
    locks.delete('b');
    locks.set('f', true);
    const page = nextPage(listing, 10);
    expect(page).to.include.members(['a', 'c', 'd']);
    expect(page).not.to.include('b');
  });

  it('goes on after the items that were taken, not after all that were shown', () => {
    const listing = listingOf(numbers(9));
    while (!listing.step(STEP, 4));
    expect(listing.peek(4)).to.deep.equal(['0', '1', '2', '3']);
    listing.skip(1);
    expect(listing.position).to.equal('0');
    expect(nextPage(listing, 4)).to.deep.equal(['1', '2', '3']);
    expect(nextPage(listing, 4)).to.deep.equal(['4', '5', '6', '7']);
  });

  it('returns the sorted items for all sizes of steps and pages', () => {
    fc.assert(
      fc.property(
        fc.array(name, { maxLength: 40 }),
        fc.option(name, { nil: undefined }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 7 }),
        (names, after, max, stepSize) => {
          const listing = listingOf(names, after);
          const listed: string[] = [];
          while (!listing.isOver) listed.push(...nextPage(listing, max, stepSize));
          const expected = [...new Set(names)]
            .sort(shorterFirst)
            .filter((each) => after === undefined || shorterFirst(each, after) > 0);
          expect(listed).to.deep.equal(expected);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('keeps what it has found ahead only if it is among the latest listings', () => {
    const ahead = new ListingsAhead(2);
    const passes = [0, 0, 0];
    const listings = passes.map((_, index) => {
      const items = (): Iterator<string> => {
        passes[index] = (passes[index] ?? 0) + 1;
        return numbers(9)[Symbol.iterator]();
      };
      return new Listing<string>({ compare: shorterFirst, items });
    });
    const pages = (): string[][] =>
      listings.map((listing) => {
        ahead.take(listing);
        const page = nextPage(listing, 2);
        ahead.keep(listing);
        return page;
      });
    expect(pages()).to.deep.equal(Array(3).fill(['0', '1']));
    expect(passes).to.deep.equal([1, 1, 1]);
    expect(pages()).to.deep.equal(Array(3).fill(['2', '3']));
    expect(passes).to.deep.equal([2, 2, 2]);
    const [first, ...latest] = listings as [Listing<string>, Listing<string>, Listing<string>];
    for (const listing of [first, ...latest]) expect(nextPage(listing, 5)).to.deep.equal(['4', '5', '6', '7', '8']);
    expect(passes).to.deep.equal([3, 2, 2]);
    expect(listings.map(({ isOver }) => isOver)).to.deep.equal([true, true, true]);
  });

  for (const [order, names] of [
    ['rising', numbers(150_000)],
    ['falling', numbers(150_000).reverse()],
  ] as const) {
    it(`goes over 150,000 items in ${order} order four times, however small the pages`, () => {
      let passes = 0;
      const listing = new Listing<string>({
        compare: shorterFirst,
        items: () => {
          passes += 1;
          return names[Symbol.iterator]();
        },
      });
      const listed: string[] = [];
      while (!listing.isOver) listed.push(...nextPage(listing, 100, 1_000));
      expect(listed).to.deep.equal(numbers(150_000));
      expect(passes).to.equal(4);
    });
  }
});
