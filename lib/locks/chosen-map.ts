/** A `Map` for ids and tokens that clients choose. */

import type { RequestId } from '../protocol.ts';

const HALF = 2 ** 26;
/** Other ones in each process. */
const SECRETS = [Math.floor(Math.random() * HALF), Math.floor(Math.random() * HALF)] as const;

/**
 * A key for a `Map`: another number for each number. The engine hashes numbers without a seed, so a client could choose
 * thousands that all have one hash, and each look would take as long as all of them.
 */
export function keyOf(id: RequestId): RequestId {
  if (typeof id === 'string') return id;
  const high = Math.floor(id / HALF);
  return (high ^ SECRETS[0]) * HALF + ((id - high * HALF) ^ SECRETS[1]);
}

/** Keeps the order in which ids were set. */
export class ChosenMap<Id extends RequestId, Value> implements Iterable<readonly [Id, Value]> {
  readonly #entries = new Map<RequestId, readonly [Id, Value]>();

  constructor(entries: Iterable<readonly [Id, Value]> = []) {
    for (const [id, value] of entries) this.set(id, value);
  }

  has(id: Id): boolean {
    return this.#entries.has(keyOf(id));
  }

  get(id: Id): Value | undefined {
    return this.#entries.get(keyOf(id))?.[1];
  }

  set(id: Id, value: Value): void {
    this.#entries.set(keyOf(id), [id, value]);
  }

  get ids(): readonly Id[] {
    return [...this.#entries.values()].map(([id]) => id);
  }

  [Symbol.iterator](): Iterator<readonly [Id, Value]> {
    return this.#entries.values();
  }
}
