import { expect } from 'chai';
import fc from 'fast-check';
import { Backlog } from '../../lib/locks/backlog.ts';
import { bytesKeptBy } from '../support/garbage.ts';

describe('a backlog', () => {
  it('gives things out in the order in which they came', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean()), (steps) => {
        const [known, backlog]: [number[], Backlog<number>] = [[], new Backlog()];
        for (const [number, isPush] of steps.entries()) {
          if (isPush) {
            known.push(number);
            backlog.push(number);
          } else {
            expect(backlog.take()).to.equal(known.shift());
          }
          expect(backlog.isEmpty).to.equal(known.length === 0);
        }
      }),
    );
  });

  it('keeps nothing of what it has given out, even if it is never empty', () => {
    const backlog = new Backlog<readonly number[]>();
    const keptBytes = bytesKeptBy(() => {
      backlog.push([0]);
      for (let count = 0; count < 100_000; count += 1) {
        backlog.push([count]);
        backlog.take();
      }
    });
    expect(backlog.isEmpty).to.equal(false);
    expect(keptBytes).to.be.lessThan(1_000_000);
  });
});
