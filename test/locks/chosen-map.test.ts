import { expect } from 'chai';
import fc from 'fast-check';
import { ChosenMap, keyOf } from '../../lib/locks/chosen-map.ts';

const id = fc.oneof(
  fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }),
  fc.integer({ min: -2, max: 2 }),
  fc.constantFrom(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 2 ** 26, -(2 ** 26), 2 ** 32),
  fc.string({ maxLength: 2 }),
);

describe('a map of ids that clients choose', () => {
  it('has the same entries as a map, in the same order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(id, fc.nat())), id, (entries, other) => {
        const [known, map] = [new Map(entries), new ChosenMap(entries)];
        expect([...map]).to.deep.equal([...known]);
        expect(map.ids).to.deep.equal([...known.keys()]);
        for (const each of [...known.keys(), other]) {
          expect([map.has(each), map.get(each)]).to.deep.equal([known.has(each), known.get(each)]);
        }
      }),
    );
  });

  it('has keys that are whole numbers, and other ones than the ids', () => {
    const ids = Array.from({ length: 1_000 }, (_, index) => index * 2 ** 32);
    const keys = ids.map(keyOf);
    for (const key of keys) expect(key).to.satisfy(Number.isSafeInteger);
    expect(keys.filter((key, index) => key === ids[index])).to.have.lengthOf.below(2);
  });
});
