/**
 * All locks of one kind by their names. Nearly all are held by one owner whom nobody waits for: of these it keeps the
 * claim alone, and makes the lock when it is looked for.
 */

import { Claim } from './claim.ts';
import type { Lock } from './lock.ts';
import type { Owner } from './lock-session.ts';

/** How many buckets are made at a time, as a power of two. */
const SEGMENT_BITS = 10;
const SEGMENT = 1 << SEGMENT_BITS;

/** A lock, or what stands for one: a held claim that is alone. */
export type LockEntry<Subject, Context> = Lock<Subject, Context> | Claim<Subject, Context>;

type Bucket<Subject, Context> = LockEntry<Subject, Context> | undefined;

/**
 * A hash table that grows by one bucket at a time (linear hashing), where a `Map` of a million entries stops everything
 * for 20 ms. Nor does it slow down as a `Map` does when one name comes and goes beside very many: that keeps what was
 * deleted until it is full. Entries may come and go while they are gone through.
 */
export class LockIndex<Subject, Context> {
  readonly #hashName: (name: string) => number;
  /** The buckets are chains that the entries themselves link. */
  #segments: Bucket<Subject, Context>[][] = [makeSegment()];
  #bucketCount = SEGMENT;
  /** The greatest power of two that is not more than the number of buckets. */
  #level = SEGMENT;
  #size = 0;

  constructor(hashName: (name: string) => number) {
    this.#hashName = hashName;
  }

  get size(): number {
    return this.#size;
  }

  /** What has that name. */
  get(name: string): LockEntry<Subject, Context> | undefined {
    let entry = this.#at(this.#bucketOf(name));
    while (entry !== undefined && entry.name !== name) entry = entry.nextInIndex;
    return entry;
  }

  /** The lock of that name; a claim that was alone is so no more. */
  find(name: string): Lock<Subject, Context> | undefined {
    return this.lockOf(this.get(name));
  }

  /** The lock that is there or stood for; a claim that was alone is so no more. */
  lockOf(entry: LockEntry<Subject, Context> | undefined): Lock<Subject, Context> | undefined {
    if (!(entry instanceof Claim)) return entry;
    const { name, lock } = entry;
    this.delete(name);
    this.add(lock);
    return lock;
  }

  /** The claim of that name, if it is alone. */
  findAlone(name: string): Claim<Subject, Context> | undefined {
    const entry = this.get(name);
    const isFound = entry instanceof Claim && entry.isAlone;
    return isFound ? entry : undefined;
  }

  /** What an owner has in the lock of that name. */
  findClaim(name: string, owner: Owner<Subject, Context>): Claim<Subject, Context> | undefined {
    const entry = this.get(name);
    if (!(entry instanceof Claim)) return entry?.find(owner);
    return entry.owner === owner ? entry : undefined;
  }

  /** Takes in a lock, or a claim that is alone, of a name that is not there yet. */
  add(entry: LockEntry<Subject, Context>): void {
    this.#put(this.#bucketOf(entry.name), entry);
    this.#size += 1;
    if (this.#size > this.#bucketCount) this.#split();
  }

  /** Takes out what has that name, if there is anything. */
  delete(name: string): void {
    const index = this.#bucketOf(name);
    let before: Bucket<Subject, Context>;
    let entry = this.#at(index);
    while (entry !== undefined && entry.name !== name) {
      before = entry;
      entry = entry.nextInIndex;
    }
    if (entry === undefined) return;
    if (before === undefined) this.#set(index, entry.nextInIndex);
    else before.nextInIndex = entry.nextInIndex;
    entry.nextInIndex = undefined;
    this.#size -= 1;
    // Buckets are not given back one by one: who goes through them would miss entries that were moved backwards.
    if (this.#size === 0 && this.#bucketCount > SEGMENT) this.#shrink();
  }

  *names(): Generator<string, void, undefined> {
    for (const entry of this.#all()) yield entry.name;
  }

  /** Locks, and claims that are alone; some twice, if others come meanwhile. */
  *entries(): Generator<LockEntry<Subject, Context>, void, undefined> {
    for (const entry of this.#all()) yield entry instanceof Claim && !entry.isAlone ? entry.lock : entry;
  }

  *#all(): Generator<LockEntry<Subject, Context>, void, undefined> {
    for (let index = 0; index < this.#bucketCount; index += 1) {
      const chain: LockEntry<Subject, Context>[] = [];
      for (let entry = this.#at(index); entry !== undefined; entry = entry.nextInIndex) chain.push(entry);
      yield* chain;
    }
  }

  /** Buckets that have been split since the level was reached are told apart by one bit more. */
  #bucketOf(name: string): number {
    const hash = this.#hashName(name);
    const index = hash & (2 * this.#level - 1);
    return index < this.#bucketCount ? index : index & (this.#level - 1);
  }

  /** Adds a bucket, and moves there what belongs there from the one bucket where it can be. */
  #split(): void {
    if (this.#bucketCount % SEGMENT === 0) this.#segments.push(makeSegment());
    const from = this.#bucketCount - this.#level;
    this.#bucketCount += 1;
    if (this.#bucketCount === 2 * this.#level) this.#level = this.#bucketCount;
    let entry = this.#at(from);
    this.#set(from, undefined);
    while (entry !== undefined) {
      const next = entry.nextInIndex;
      this.#put(this.#bucketOf(entry.name), entry);
      entry = next;
    }
  }

  #shrink(): void {
    this.#segments = [makeSegment()];
    this.#bucketCount = SEGMENT;
    this.#level = SEGMENT;
  }

  #put(index: number, entry: LockEntry<Subject, Context>): void {
    entry.nextInIndex = this.#at(index);
    this.#set(index, entry);
  }

  #at(index: number): Bucket<Subject, Context> {
    return (this.#segments[index >>> SEGMENT_BITS] as Bucket<Subject, Context>[])[index & (SEGMENT - 1)];
  }

  #set(index: number, entry: Bucket<Subject, Context>): void {
    (this.#segments[index >>> SEGMENT_BITS] as Bucket<Subject, Context>[])[index & (SEGMENT - 1)] = entry;
  }
}

function makeSegment<Subject, Context>(): Bucket<Subject, Context>[] {
  return new Array<Bucket<Subject, Context>>(SEGMENT).fill(undefined);
}
