import { expect } from 'chai';
import fc from 'fast-check';
import { LockMap, shardIndex } from '../../lib/locks/lock-map.ts';
import { bytesKeptBy } from '../support/garbage.ts';

const MANY = 5_000;

function namesFrom(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, offset) => `name-${first + offset}`);
}

function add(map: LockMap, known: Set<string>, name: string): void {
  map.getOrAdd(name);
  known.add(name);
}

function remove(map: LockMap, known: Set<string>, name: string): void {
  const lock = map.get(name);
  if (lock !== undefined) map.delete(lock);
  known.delete(name);
}

describe('lock map', () => {
  it('has the same names as a set after the same steps', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom(add, remove), fc.nat(8), fc.integer({ min: 1, max: 2_500 })), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(steps, (sequence) => {
        const map = new LockMap('readerWriter');
        const known = new Set<string>();
        for (const [step, from, count] of sequence) {
          for (const name of namesFrom(from * 700, count)) step(map, known, name);
          expect(map.size).to.equal(known.size);
        }
        expect(new Set([...map].map(({ name }) => name))).to.deep.equal(known);
        const isWrong = (name: string): boolean => (map.get(name) !== undefined) !== known.has(name);
        expect(namesFrom(0, 9_000).filter(isWrong)).to.deep.equal([]);
      }),
      { numRuns: 30 },
    );
  });

  it('is iterated to its end, with each lock that stays, while others come and go', () => {
    const staying = namesFrom(0, MANY);
    const map = new LockMap('readerWriter');
    const known = new Set<string>();
    for (const name of staying) add(map, known, name);
    const seen = new Set<string>();
    let count = 0;
    for (const { name } of map) {
      seen.add(name);
      add(map, known, `more-${count}`);
      if (count % 3 === 0) remove(map, known, `more-${count / 3}`);
      remove(map, known, 'busy');
      add(map, known, 'busy');
      count += 1;
    }
    expect(staying.filter((name) => !seen.has(name))).to.deep.equal([]);
  });

  it('deletes a lock once, and adds it again', () => {
    const map = new LockMap('permit');
    const lock = map.getOrAdd('jobs');
    map.delete(lock);
    map.delete(lock);
    expect(map.size).to.equal(0);
    expect(map.get('jobs')).to.equal(undefined);
    expect(map.getOrAdd('jobs')).to.include({ name: 'jobs', kind: 'permit' });
    expect(map.size).to.equal(1);
  });

  it('forgets deleted names', () => {
    const map = new LockMap('readerWriter');
    const keptBytes = bytesKeptBy(() => {
      for (const name of namesFrom(0, 40 * MANY)) {
        map.delete(map.getOrAdd(name));
      }
    });
    expect(map.size).to.equal(0);
    expect([...map]).to.deep.equal([]);
    expect(keptBytes).to.be.lessThan(2_000_000);
  });

  it('forgets deleted names that are long at once', () => {
    const map = new LockMap('readerWriter');
    const keptBytes = bytesKeptBy(() => {
      for (const name of namesFrom(0, 256)) map.delete(map.getOrAdd(`${'-'.repeat(20_000)}${name}`));
    });
    expect(keptBytes).to.be.lessThan(1_000_000);
  });

  it('spreads names in another way in each process', async () => {
    const url = new URL('../../lib/locks/lock-map.js?another', import.meta.url);
    const another: { shardIndex(name: string): number } = await import(url.href);
    expect(another.shardIndex).to.not.equal(shardIndex);
    const names = namesFrom(0, 100);
    expect(names.map(another.shardIndex)).to.not.deep.equal(names.map(shardIndex));
  });

  it('spreads names that differ only in a few characters, anywhere', () => {
    for (const nameOf of [
      (index: number) => `job-${index}`,
      (index: number) => `user:${index}:printer`,
      (index: number) => `${index}${'-'.repeat(50)}`,
      (index: number) => String.fromCodePoint(0x4e00 + index),
      (index: number) => index.toString(2).replaceAll('0', 'Aa').replaceAll('1', 'BB'),
    ]) {
      const counts = new Map<number, number>();
      for (let index = 0; index < MANY; index += 1) {
        const part = shardIndex(nameOf(index));
        counts.set(part, (counts.get(part) ?? 0) + 1);
      }
      expect(Math.max(...counts.values()), nameOf(1)).to.be.lessThan(4 * (MANY / 256));
    }
  });
});
