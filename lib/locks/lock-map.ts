/** All locks of one kind by their names. */

import type { Lock } from './types.ts';

const SHARDS = 256;
/** Of longer names the end counts, where most differ. */
const MAX_HASHED_CHARACTERS = 64;
/** A deleted name keeps its place unless it is longer than this, or this many and most of its part are deleted. */
const MAX_KEPT_CHARACTERS = 64;
const MAX_KEPT_NAMES = 8;

/** A part of the map. A deleted name stays in it, with `undefined`. */
interface Shard {
  locks: Map<string, Lock | undefined>;
  /** How many of the names have a lock. */
  lockCount: number;
}

/**
 * A `Map` in parts, because one `Map` of a million entries stops the process for tens of milliseconds when it grows. A deleted
 * name keeps its place, because a `Map` that adds and deletes one name again and again finds it more and more slowly. Locks
 * may be added and deleted during an iteration.
 */
export class LockMap {
  readonly #shards: readonly Shard[] = Array.from({ length: SHARDS }, () => ({ locks: new Map(), lockCount: 0 }));
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(name: string): Lock | undefined {
    return this.#shardOf(name).locks.get(name);
  }

  /** Takes in a lock whose name is not there yet. */
  add(lock: Lock): void {
    const shard = this.#shardOf(lock.name);
    shard.locks.set(lock.name, lock);
    shard.lockCount += 1;
    this.#size += 1;
  }

  /** Takes out a lock, if it is there. */
  delete(lock: Lock): void {
    const { name } = lock;
    const shard = this.#shardOf(name);
    if (shard.locks.get(name) !== lock) return;
    shard.lockCount -= 1;
    this.#size -= 1;
    if (name.length > MAX_KEPT_CHARACTERS) shard.locks.delete(name);
    else shard.locks.set(name, undefined);
    const keptCount = shard.locks.size - shard.lockCount;
    if (keptCount > MAX_KEPT_NAMES && keptCount > shard.lockCount) {
      shard.locks = new Map([...shard.locks].filter(([, lock]) => lock !== undefined));
    }
  }

  *[Symbol.iterator](): Generator<Lock, void, undefined> {
    for (const { locks } of this.#shards) {
      // A copy: a name that comes and goes meanwhile may be at the end again and again.
      for (const lock of [...locks.values()]) if (lock !== undefined) yield lock;
    }
  }

  #shardOf(name: string): Shard {
    return this.#shards[partOf(name) % SHARDS] as Shard;
  }
}

/**
 * A number from 0 that names spread over. Who chooses names that all have the same one gets a `Map` that is not in parts,
 * and gains nothing else.
 */
export function partOf(name: string): number {
  let hash = 0;
  for (let index = Math.max(0, name.length - MAX_HASHED_CHARACTERS); index < name.length; index += 1) {
    hash = (Math.imul(hash, 31) + name.charCodeAt(index)) | 0;
  }
  return (hash ^ (hash >>> 15)) >>> 0;
}
