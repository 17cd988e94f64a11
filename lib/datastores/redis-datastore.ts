/** A datastore on Redis. Each lock is a key with a time to live and a token that only its owner knows. */

import { requireKnownOptions } from '../message/known-options.ts';
import type { Datastore } from './datastore.ts';
import { OwnTokens } from './own-tokens.ts';
import { checkTimeToLive, DEFAULT_TTL_SECONDS, type TimeToLiveOptions } from './time-to-live.ts';

const RANGE = { minSeconds: 0.001, maxSeconds: 1e9, isWhole: false };
const MS_A_SECOND = 1_000;

/** Compares and deletes in one step, since after the time to live another may hold the key. */
const RELEASE_SCRIPT = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end`;

/** The part of a client of the package `redis`, version 5 or 6, that is used here: one client, a pool or a cluster. */
export interface RedisClient {
  set(key: string, value: string, options: RedisSetOptions): Promise<unknown>;
  eval(script: string, options: RedisEvalOptions): Promise<unknown>;
}

/** Sets the key unless it exists, with a time to live in milliseconds. */
export interface RedisSetOptions {
  readonly condition: 'NX';
  readonly expiration: { readonly type: 'PX'; readonly value: number };
}

/** The keys and arguments of a script. */
export interface RedisEvalOptions {
  readonly keys: string[];
  readonly arguments: string[];
}

/** Rejects as the client does. Whoever made the client connects and closes it. */
export class RedisDatastore implements Datastore {
  readonly #client: RedisClient;
  readonly #ttlMs: number;
  readonly #tokens: OwnTokens;

  /**
   * @throws {RangeError} when `ttlSeconds` is not a number from 0.001 to 1e9. @throws {TypeError} for an unknown
   * option.
   */
  constructor(client: RedisClient, options: TimeToLiveOptions = {}) {
    const { ttlSeconds = DEFAULT_TTL_SECONDS } = requireKnownOptions(options, ['ttlSeconds']);
    this.#client = client;
    this.#ttlMs = Math.ceil(checkTimeToLive(ttlSeconds, RANGE) * MS_A_SECOND);
    this.#tokens = new OwnTokens(ttlSeconds);
  }

  async acquireLock(lockId: string): Promise<boolean> {
    const token = crypto.randomUUID();
    const expiration = { type: 'PX', value: this.#ttlMs } as const;
    const reply = await this.#client.set(lockId, token, { condition: 'NX', expiration });
    if (reply === null) return false;
    this.#tokens.keep(lockId, token);
    return true;
  }

  async releaseLock(lockId: string): Promise<boolean> {
    const token = this.#tokens.get(lockId);
    if (token === undefined) return false;
    const deletedCount = await this.#client.eval(RELEASE_SCRIPT, { keys: [lockId], arguments: [token] });
    this.#tokens.drop(lockId, token);
    return Number(deletedCount) === 1;
  }
}
