import { expect } from 'chai';
import fc from 'fast-check';
import { ListScan, type PageRequest } from '../../lib/locks/list-scan.ts';

function shorterFirst(a: string, b: string): number {
  return a.length - b.length || Number(a > b) - Number(a < b);
}

function scanOf(names: Iterable<string>, request: Partial<PageRequest>): ListScan {
  return new ListScan({ prefix: '', max: 10, ...request }, shorterFirst, names[Symbol.iterator]());
}

const name = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 4 });

describe('list scan', () => {
  it('looks at no more names in a step than it is told to', () => {
    const scan = scanOf(['c', 'b', 'a'], {});
    expect(scan.step(2)).to.equal(false);
    expect(scan.names).to.deep.equal(['b', 'c']);
    expect(scan.step(2)).to.equal(true);
    expect(scan.names).to.deep.equal(['a', 'b', 'c']);
  });

  it('takes a prefix literally, by the letters of the name', () => {
    const scan = scanOf(['job', 'jobs', 'Jobs', 'a job'], { prefix: 'job' });
    scan.step(10);
    expect(scan.names).to.deep.equal(['job', 'jobs']);
  });

  it('sees the names that stay while others come and go', () => {
    const locks = new Map([...'edcba'].map((name) => [name, true]));
    const scan = scanOf(locks.keys(), {});
    scan.step(2);
    locks.delete('e');
    locks.delete('b');
    locks.set('f', true);
    scan.step(10);
    expect(scan.names).to.include.members(['a', 'c', 'd']);
    expect(scan.names).not.to.include('b');
  });

  it('is a filtered and sorted array, whatever the steps', () => {
    fc.assert(
      fc.property(
        fc.array(name, { maxLength: 40 }),
        fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 2 }),
        fc.option(name, { nil: undefined }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 7 }),
        (names, prefix, after, max, stepSize) => {
          const scan = scanOf(names, { prefix, after, max });
          while (!scan.step(stepSize));
          const expected = [...new Set(names)]
            .sort(shorterFirst)
            .filter((name) => name.startsWith(prefix) && (after === undefined || shorterFirst(name, after) > 0));
          expect(scan.names).to.deep.equal(expected.slice(0, max));
          expect(scan.hasMore).to.equal(expected.length > max);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('gives every name exactly once, page after page', () => {
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 31 }), fc.integer({ min: 1, max: 5 }), (names, max) => {
        const seen: string[] = [];
        for (let hasMore = true; hasMore; ) {
          const scan = scanOf(names, { max, after: seen.at(-1) });
          while (!scan.step(3));
          seen.push(...scan.names);
          hasMore = scan.hasMore;
        }
        expect(seen).to.deep.equal([...names].sort(shorterFirst));
      }),
    );
  });
});
