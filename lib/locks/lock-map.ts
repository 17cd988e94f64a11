/** All locks of one kind by their names. */

import { makeLock } from './lock.ts';
import type { Lock, LockKind } from './types.ts';

const SHARDS = 256;
/** Of longer names the end counts, where most differ. */
const MAX_HASHED_CHARACTERS = 64;
const MULTIPLIER = 0x5bd1e995;
/** Another one in each process, so that nobody can choose names that all fall into one part. */
const SEED = Math.floor(Math.random() * 2 ** 32);
/**
 * A deleted lock stays for its next use unless its name is longer than this. When more than `MAX_KEPT_LOCKS` locks and more
 * than half of a part are deleted, the part drops them.
 */
const MAX_KEPT_CHARACTERS = 64;
const MAX_KEPT_LOCKS = 8;

/** A part of the map. */
interface Shard {
  locks: Map<string, Lock>;
  /** Without those that were deleted. */
  lockCount: number;
}

/**
 * A `Map` in parts, because one `Map` of a million entries stops the process for tens of milliseconds when it grows. A deleted
 * lock is kept for its next use, because a `Map` that adds and deletes one name again and again finds it more and more slowly.
 * Locks may be added and deleted during an iteration.
 */
export class LockMap {
  readonly #kind: LockKind;
  readonly #shards: readonly Shard[] = Array.from({ length: SHARDS }, () => ({ locks: new Map(), lockCount: 0 }));
  size = 0;

  constructor(kind: LockKind) {
    this.#kind = kind;
  }

  get(name: string): Lock | undefined {
    const lock = (this.#shards[shardIndex(name)] as Shard).locks.get(name);
    return lock?.isInMap === true ? lock : undefined;
  }

  /** The lock with that name, added if it is not there. */
  getOrAdd(name: string): Lock {
    const shard = this.#shards[shardIndex(name)] as Shard;
    let lock = shard.locks.get(name);
    if (lock === undefined) {
      lock = makeLock(name, this.#kind);
      shard.locks.set(name, lock);
    }
    if (lock.isInMap) return lock;
    lock.isInMap = true;
    shard.lockCount += 1;
    this.size += 1;
    return lock;
  }

  /** Puts a new lock in the place of one, which is in the map no more. */
  replace(lock: Lock): Lock {
    const successor = makeLock(lock.name, this.#kind);
    successor.isInMap = true;
    lock.isInMap = false;
    (this.#shards[shardIndex(lock.name)] as Shard).locks.set(lock.name, successor);
    return successor;
  }

  /** Deletes a lock that nobody holds or waits for, if it is still there. */
  delete(lock: Lock): void {
    if (!lock.isInMap) return;
    lock.isInMap = false;
    const shard = this.#shards[shardIndex(lock.name)] as Shard;
    shard.lockCount -= 1;
    this.size -= 1;
    if (lock.name.length > MAX_KEPT_CHARACTERS) shard.locks.delete(lock.name);
    const keptCount = shard.locks.size - shard.lockCount;
    if (keptCount > MAX_KEPT_LOCKS && keptCount > shard.lockCount) {
      shard.locks = new Map([...shard.locks].filter(([, { isInMap }]) => isInMap));
    }
  }

  *[Symbol.iterator](): Generator<Lock, void, undefined> {
    for (const { locks, lockCount } of this.#shards) {
      if (lockCount === 0) continue;
      // A copy, because locks that come and go meanwhile may be at the end again and again.
      for (const lock of [...locks.values()]) if (lock.isInMap) yield lock;
    }
  }
}

/** Spreads names over the parts. */
export function shardIndex(name: string): number {
  let hash = SEED;
  for (let index = Math.max(0, name.length - MAX_HASHED_CHARACTERS); index < name.length; index += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(index), MULTIPLIER);
    // With multiplications alone, some names fall into one part whatever the seed.
    hash ^= hash >>> 15;
  }
  return (hash >>> 0) % SHARDS;
}
