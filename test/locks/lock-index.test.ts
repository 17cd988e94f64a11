import { expect } from 'chai';
import fc from 'fast-check';
import { Claim } from '../../lib/locks/claim.ts';
import { Lock } from '../../lib/locks/lock.ts';
import { LockIndex } from '../../lib/locks/lock-index.ts';
import { LockSession, type Owner } from '../../lib/locks/lock-session.ts';
import { hashText } from '../../lib/wire/text-hash.ts';

type Index = LockIndex<undefined, undefined>;

const MANY = 5_000;

function newOwner(): Owner<undefined, undefined> {
  return new LockSession<undefined, undefined>(undefined).owner('');
}

function heldAlone(name: string, owner: Owner<undefined, undefined>): Claim<undefined, undefined> {
  const claim = new Claim<undefined, undefined>(name, owner, 'exclusive', 0);
  claim.state = 'held';
  owner.attach(claim);
  return claim;
}

function filled(names: readonly string[]): Index {
  const index: Index = new LockIndex(hashText);
  for (const name of names) index.add(new Lock(name, 'readerWriter'));
  return index;
}

function namesFrom(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, offset) => `name-${first + offset}`);
}

function add(index: Index, known: Set<string>, name: string): void {
  if (!known.has(name)) index.add(new Lock(name, 'readerWriter'));
  known.add(name);
}

function remove(index: Index, known: Set<string>, name: string): void {
  index.delete(name);
  known.delete(name);
}

describe('lock index', () => {
  it('has the names that a set has to which the same was done', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('add', 'delete'), fc.nat(8), fc.integer({ min: 1, max: 2_500 })), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(steps, (sequence) => {
        const index: Index = new LockIndex(hashText);
        const known = new Set<string>();
        for (const [step, from, count] of sequence) {
          for (const name of namesFrom(from * 700, count)) (step === 'add' ? add : remove)(index, known, name);
          expect(index.size).to.equal(known.size);
        }
        expect([...index.names()].sort()).to.deep.equal([...known].sort());
        for (const name of namesFrom(0, 9_000)) expect(index.find(name) !== undefined).to.equal(known.has(name));
      }),
      { numRuns: 30 },
    );
  });

  it('shows each name that stays to whoever goes through them while others come and go', () => {
    const staying = namesFrom(0, MANY);
    const index = filled(staying);
    const seen = new Set<string>();
    let count = 0;
    for (const name of index.names()) {
      seen.add(name);
      index.add(new Lock(`more-${count}`, 'readerWriter'));
      if (count % 3 === 0) index.delete(`more-${count / 3}`);
      count += 1;
      if (count === 3 * MANY) break;
    }
    for (const name of staying) expect(seen.has(name), name).to.equal(true);
  });

  it('works on after it was full and has become empty', () => {
    const index = filled(namesFrom(0, MANY));
    for (const name of namesFrom(0, MANY)) index.delete(name);
    expect([...index.names()]).to.deep.equal([]);
    index.add(new Lock('again', 'readerWriter'));
    expect(index.find('again')?.name).to.equal('again');
  });

  it('makes the lock of a claim that is alone when it is looked for, once', () => {
    const owner = newOwner();
    const index: Index = new LockIndex(hashText);
    const claim = heldAlone('jobs', owner);
    index.add(claim);
    expect(index.findAlone('jobs')).to.equal(claim);
    expect(index.findClaim('jobs', owner)).to.equal(claim);
    expect(index.findClaim('jobs', newOwner())).to.equal(undefined);
    expect([...index.entries()]).to.deep.equal([claim]);
    expect(claim.isAlone).to.equal(true);

    const lock = index.find('jobs');
    expect(lock?.holders.first).to.equal(claim);
    expect(index.find('jobs')).to.equal(lock);
    expect(index.findAlone('jobs')).to.equal(undefined);
    expect(index.findClaim('jobs', owner)).to.equal(claim);
    expect([...index.entries()]).to.deep.equal([lock]);
    expect(index.size).to.equal(1);
  });

  it('tells the token that it was given, however great', () => {
    const claim = heldAlone('jobs', newOwner());
    fc.assert(
      fc.property(fc.maxSafeNat(), (token) => {
        claim.token = token;
        expect(claim.token).to.equal(token);
      }),
    );
  });

  it('tells since when it is held in whole milliseconds, after months too', () => {
    const claim = heldAlone('jobs', newOwner());
    for (const [sinceMs, toldMs] of [
      [0.9, 0],
      [2 ** 31 - 0.5, 2 ** 31 - 1],
      [2 ** 31 + 0.5, 2 ** 31],
      [2 ** 40 + 0.5, 2 ** 40],
    ] as const) {
      claim.sinceMs = sinceMs;
      expect(claim.sinceMs).to.equal(toldMs);
    }
  });

  it('has no lock to make when it is not held', () => {
    const claim = new Claim<undefined, undefined>('jobs', newOwner(), 'exclusive', 0);
    expect(() => claim.lock).to.throw('a claim that is new has no lock');
  });
});
