import { expect } from 'chai';
import type { EarlierHold } from '../../lib/locks/types.ts';
import { anna, ben, endSession, expectNews, goOn, holders, restore, table, tableScene } from './table-scene.ts';

const HELD: EarlierHold = { name: 'jobs', mode: 'exclusive', tag: '', token: 7 };

describe('lock table, for holds of an earlier run', () => {
  tableScene();

  it('gives a hold back', () => {
    expect(restore(anna, HELD)).to.equal(true);
    expect(holders()).to.deep.equal(['anna']);
    expect(table.isHeldWith('jobs', 7)).to.equal(true);
    expectNews();
  });

  it('keeps the greater token of two that exclude each other', () => {
    restore(anna, HELD);
    expect(restore(ben, { ...HELD, token: 6 })).to.equal(false);
    expect(restore(ben, { ...HELD, token: 7 })).to.equal(false);
    expect(restore(ben, { ...HELD, token: 8 })).to.equal(true);
    expectNews('anna lost jobs: forced');
    expect(holders()).to.deep.equal(['ben']);
  });

  for (const mode of ['exclusive', 'shared', 'permit'] as const) {
    it(`gives a hold back again, though the session that had it is still ending: ${mode}`, () => {
      const hold = { ...HELD, mode };
      restore(anna, hold);
      const end = endSession(anna, 0);
      expect(restore(ben, hold)).to.equal(true);
      goOn(end);
      expect(holders()).to.deep.equal(['ben']);
    });
  }

  it('tells nobody that such a hold is lost', () => {
    restore(anna, HELD);
    const end = endSession(anna, 0);
    restore(ben, HELD);
    goOn(end);
    expectNews();
  });

  it('keeps the greater token of a session that is ending, since its client may claim it again', () => {
    restore(anna, HELD);
    endSession(anna, 0);
    expect(restore(ben, { ...HELD, token: 6 })).to.equal(false);
  });
});
