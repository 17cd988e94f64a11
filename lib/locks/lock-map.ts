/** All locks of one kind by their names. */

import type { Lock } from './types.ts';

const SHARDS = 4_096;
/** Of longer names the end counts, where most differ. */
const MAX_HASHED_CHARACTERS = 64;

/**
 * A `Map` in parts. One large `Map` stops everything for tens of milliseconds when it grows, and looking up a name that was
 * added and deleted often passes all its deleted entries until the `Map` is full. Parts of a few hundred have little of
 * both. Locks may come and go while all are gone through.
 */
export class LockMap {
  readonly #shards: (Map<string, Lock> | undefined)[] = new Array(SHARDS).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(name: string): Lock | undefined {
    return this.#shards[partOf(name) % SHARDS]?.get(name);
  }

  /** Takes in a lock whose name is not there yet. */
  add(lock: Lock): void {
    const part = partOf(lock.name) % SHARDS;
    const shard = this.#shards[part] ?? new Map<string, Lock>();
    shard.set(lock.name, lock);
    this.#shards[part] = shard;
    this.#size += 1;
  }

  delete({ name }: Lock): void {
    if (this.#shards[partOf(name) % SHARDS]?.delete(name)) this.#size -= 1;
  }

  *[Symbol.iterator](): Generator<Lock, void, undefined> {
    // A copy of each part: a name that comes and goes is at the end of the `Map` again and again.
    for (const shard of this.#shards) if (shard !== undefined) yield* [...shard.values()];
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
