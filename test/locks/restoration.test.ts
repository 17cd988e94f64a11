import { expect } from 'chai';
import type { EarlierHold } from '../../lib/locks/types.ts';
import { anna, ben, cara, holders, table, tableScene } from './table-scene.ts';

function hold(token: number, mode: EarlierHold['mode'] = 'shared', tag = ''): EarlierHold {
  return { name: 'jobs', mode, tag, token };
}

describe('holds of an earlier run', () => {
  tableScene();

  it('are given back beside others that share the lock, without a look at each of these', () => {
    let lookCount = 0;
    for (let token = 1; token <= 9; token += 1) {
      expect(table.restore(anna, hold(token, 'shared', `${token}`), 0).result).to.equal(true);
    }
    const held = table.holds('readerWriter');
    for (let entry = held.next(); entry.done !== true; entry = held.next()) {
      const look = (): string => {
        lookCount += 1;
        return 'shared';
      };
      Object.defineProperty(entry.value, 'mode', { get: look });
    }
    expect(table.restore(ben, hold(10), 0).result).to.equal(true);
    expect(lookCount).to.equal(1);
    expect(holders()).to.have.lengthOf(10);
  });

  it('are given back in place of earlier ones that exclude them', () => {
    for (const [session, token] of [
      [anna, 1],
      [ben, 3],
    ] as const)
      table.restore(session, hold(token), 0);
    expect(table.restore(cara, hold(2, 'exclusive'), 0).result).to.equal(false);
    expect(table.restore(cara, hold(4, 'exclusive'), 0).result).to.equal(true);
    expect(holders()).to.deep.equal(['cara']);
    expect(table.restore(anna, hold(1), 0).result).to.equal(false);
    expect(table.restore(anna, hold(5), 0).result).to.equal(true);
    expect(holders()).to.deep.equal(['anna']);
  });
});
