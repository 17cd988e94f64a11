/** dlock's `Lock`: a named lock in a datastore, tried once a second. Names and seconds are the same as in dlock. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Datastore } from './datastore.ts';

const DEFAULT_ID = 'unnamed';
const DEFAULT_KEY_PREFIX = 'dlock';
const MS_A_SECOND = 1_000;
const RETRY_MS = 1_000;

/** The options of a lock. Keeps other options for the application. */
export interface DatastoreLockOptions {
  /** The start of the lock's key in the datastore, before a colon and the id; `dlock` by default. */
  readonly ds_key_prefix?: string;
  readonly [name: string]: unknown;
}

/** `locked` did not run its function, since another holds the lock. */
export class LockNotAcquiredError extends Error {
  override readonly name: string = 'LockNotAcquiredError';
  readonly code = 'notAcquired' as const;

  constructor() {
    super('Could not acquire lock');
  }
}

/** A lock by its id. Two locks with the same id and prefix are one lock, wherever the datastore is shared. */
export class Lock {
  readonly #datastore: Datastore;
  readonly #id: string;
  readonly #options: Map<string, unknown>;

  /** @throws {TypeError} when the datastore lacks one of its two methods, or the id or prefix is not a string. */
  constructor(datastore: Datastore, id: string = DEFAULT_ID, options: DatastoreLockOptions = {}) {
    if (typeof datastore?.acquireLock !== 'function' || typeof datastore.releaseLock !== 'function') {
      throw new TypeError(`datastore is ${String(datastore)}; expected an object with acquireLock and releaseLock`);
    }
    if (typeof id !== 'string') throw new TypeError(`id is ${String(id)}; expected a string`);
    this.#datastore = datastore;
    this.#id = id;
    this.#options = new Map([['ds_key_prefix', DEFAULT_KEY_PREFIX]]);
    for (const [name, value] of Object.entries(options)) this.setOpt(name, value);
  }

  /**
   * Takes the lock. With `seconds` it tries again once a second, and a last time at the end. Resolves to whether it
   * took the lock: false also when this very lock already holds it. Rejects when the datastore rejects.
   *
   * @throws {RangeError} by rejection, when `seconds` is not a number from 0.
   */
  async acquire(seconds = 0): Promise<boolean> {
    if (!(Number.isFinite(seconds) && seconds >= 0)) {
      throw new RangeError(`seconds is ${String(seconds)}; expected a number from 0`);
    }
    const key = this.#key;
    const startMs = performance.now();
    for (let tried = 1; ; tried += 1) {
      if (await this.#datastore.acquireLock(key)) return true;
      const waitMs = untilNextTry(seconds, tried, performance.now() - startMs);
      if (waitMs === undefined) return false;
      await sleep(waitMs);
    }
  }

  /**
   * Releases the lock, whichever user of this datastore instance took it. Resolves to whether it was still held; false
   * if it was not, or if another instance now holds it, which keeps it.
   */
  async release(): Promise<boolean> {
    return await this.#datastore.releaseLock(this.#key);
  }

  /**
   * Runs a function while it holds the lock, and then releases the lock even if the function throws. Resolves and
   * rejects as the function does. Rejects with a `LockNotAcquiredError`, without calling the function, when the lock is
   * not free within `seconds`.
   */
  async locked<Value>(run: () => Value | Promise<Value>, seconds = 0): Promise<Value> {
    if (!(await this.acquire(seconds))) throw new LockNotAcquiredError();
    let value: Value;
    try {
      value = await run();
    } catch (error) {
      // The caller must get the function's own error, even if the release fails too.
      await this.release().catch(() => {});
      throw error;
    }
    await this.release();
    return value;
  }

  /** The datastore of the lock. */
  getDatastore(): Datastore {
    return this.#datastore;
  }

  /** The id, without the prefix. */
  getId(): string {
    return this.#id;
  }

  /** The value of an option, null if it is not set. */
  getOpt(name: string): unknown {
    return this.#options.get(name) ?? null;
  }

  /**
   * Sets an option from now on. Another prefix makes this another lock, so release it first.
   *
   * @throws {TypeError} when `ds_key_prefix` is not a string.
   */
  setOpt(name: string, value: unknown): void {
    if (name === 'ds_key_prefix' && typeof value !== 'string') {
      throw new TypeError(`ds_key_prefix is ${String(value)}; expected a string`);
    }
    this.#options.set(name, value);
  }

  get #key(): string {
    return `${String(this.#options.get('ds_key_prefix'))}:${this.#id}`;
  }
}

/**
 * How many milliseconds to wait before the next try; undefined if there is none. Tries come once a second, and a last
 * time after `seconds`. Counts the tries too, since a timer that ends early would leave a moment for one more.
 */
export function untilNextTry(seconds: number, tried: number, elapsedMs: number): number | undefined {
  const leftMs = seconds * MS_A_SECOND - elapsedMs;
  if (tried > Math.ceil(seconds) || leftMs <= 0) return undefined;
  return Math.min(leftMs, RETRY_MS);
}
