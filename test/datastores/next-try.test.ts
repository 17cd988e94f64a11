import { expect } from 'chai';
import { untilNextTry } from '../../lib/datastores/next-try.ts';

/** The moments of all tries, in milliseconds from the first, with timers that end so much too late, or too early. */
function tries(seconds: number, lateMs: number): number[] {
  const moments = [0];
  while (moments.length < 100) {
    const nowMs = moments.at(-1) as number;
    const waitMs = untilNextTry(seconds, moments.length, nowMs);
    if (waitMs === undefined) return moments;
    moments.push(nowMs + waitMs + lateMs);
  }
  return moments;
}

describe('the tries for a lock in a datastore', () => {
  it('come once a second, and when the seconds are over', () => {
    expect(tries(0, 0)).to.deep.equal([0]);
    expect(tries(0.5, 0)).to.deep.equal([0, 500]);
    expect(tries(1, 0)).to.deep.equal([0, 1_000]);
    expect(tries(2.5, 0)).to.deep.equal([0, 1_000, 2_000, 2_500]);
  });

  it('are no more when timers end early', () => {
    for (const seconds of [0.5, 1, 1.2, 2, 10]) {
      expect(tries(seconds, -0.5), `${seconds} s`).to.have.lengthOf(1 + Math.ceil(seconds));
    }
  });

  it('end with the first after the seconds when timers end late', () => {
    expect(tries(2, 300)).to.deep.equal([0, 1_300, 2_300]);
    expect(tries(3, 1_500)).to.deep.equal([0, 2_500, 4_500]);
  });
});
