import { expect } from 'chai';
import fc from 'fast-check';
import { ChosenMap, keyOf } from '../../lib/locks/chosen-map.ts';
import { LockTable } from '../../lib/locks/lock-table.ts';
import type { HoldIndex, Session } from '../../lib/locks/types.ts';
import type { RequestId } from '../../lib/protocol.ts';
import { DEFAULT_LOCK_SERVER_LIMITS } from '../../lib/server/lock-server-limits.ts';

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

describe('what a session keeps by ids and tokens that clients choose', () => {
  it('is found by other keys', () => {
    const table = new LockTable({ limits: DEFAULT_LOCK_SERVER_LIMITS, nextToken: () => 1 });
    const [session, other] = [1, 2].map(() => table.openSession({ address: '', clientName: '' })) as [Session, Session];
    const ids = Array.from({ length: 100 }, (_, index) => index + 1);
    for (const id of ids) {
      const hold = { name: `held ${id}`, mode: 'exclusive', tag: '' } as const;
      table.restore(session, { ...hold, token: id, leaseMs: undefined, isStealable: false }, 0);
      table.acquire(session, { ...hold, name: `granted ${id}`, waitMs: 0, id }, 0);
      table.acquire(other, { ...hold, name: `held ${id}`, waitMs: Number.POSITIVE_INFINITY, id }, 0);
    }
    table.cancel(session, 0, 0);
    const { byToken, countByRequest } = session.holdIndex as HoldIndex;
    const { waits } = other;
    for (const map of [byToken, countByRequest, waits as Map<RequestId, unknown>]) {
      expect(map.size).to.be.within(100, 200);
      expect([...map.keys()].filter((key) => ids.includes(Number(key)))).to.deep.equal([]);
    }
  });
});
