/** A datastore on Memcached. Each lock is an item with a time to live and a token that only its owner knows. */

import { ledToCaller } from '../message/caller-stack.ts';
import { requireKnownOptions } from '../message/known-options.ts';
import type { Datastore } from './datastore.ts';
import { addRequest, deleteRequest, getRequest, MEMCACHED_STATUS } from './memcached-requests.ts';
import { OwnTokens } from './own-tokens.ts';
import { checkTimeToLive, DEFAULT_TTL_SECONDS, type TimeToLiveOptions } from './time-to-live.ts';

const MAX_KEY_BYTES = 250;
/** Memcached reads 30 days or more as a date, and we ask for one second more than the time to live. */
const RANGE = { minSeconds: 1, maxSeconds: 30 * 24 * 60 * 60 - 1, isWhole: true };
/** Memcached's clock ticks once a second, so an item for n seconds may be gone after n - 1. */
const CLOCK_TICK_SECONDS = 1;
const DEFAULT_ANSWER_TIMEOUT_MS = 10_000;
const MAX_TIMER_MS = 2 ** 31 - 1;
const EXPECTED_STATUSES: ReadonlySet<number> = new Set(Object.values(MEMCACHED_STATUS));

/** The part of a `memjs` client that is used here. */
export interface MemcachedClient {
  /** The number of the last request. */
  readonly seq: number;
  readonly options: { readonly failover?: boolean | undefined };
  incrSeq(): void;
  perform(
    key: string,
    request: Buffer,
    seq: number,
    callback: (error: Error | null, response: MemcachedResponse) => void,
  ): void;
}

/** An answer of the server. */
export interface MemcachedResponse {
  readonly header: {
    readonly status: number;
    /** The version of the item. */
    readonly cas: Uint8Array;
  };
  readonly val: Buffer;
}

/** The options of a datastore on Memcached. `ttlSeconds` is a whole number from 1 to 2,591,999. */
export interface MemcachedDatastoreOptions extends TimeToLiveOptions {
  /**
   * A request fails after this many milliseconds without an answer; 10,000 by default. memjs has its own timeout, but
   * forgets requests when the server closes their connection.
   */
  readonly answerTimeoutMs?: number;
}

/** Rejects when the server cannot be reached, does not answer, or answers with an error. */
export class MemcachedDatastore implements Datastore {
  readonly #client: MemcachedClient;
  readonly #ttlSeconds: number;
  readonly #answerTimeoutMs: number;
  readonly #tokens: OwnTokens;

  /**
   * @throws {RangeError} when an option is out of range.
   * @throws {TypeError} for a client with `failover`, and for an unknown option.
   */
  constructor(client: MemcachedClient, options: MemcachedDatastoreOptions = {}) {
    const known = requireKnownOptions(options, ['ttlSeconds', 'answerTimeoutMs']);
    const { ttlSeconds = DEFAULT_TTL_SECONDS, answerTimeoutMs = DEFAULT_ANSWER_TIMEOUT_MS } = known;
    // With failover, two clients that disagree on which server answers could each get the lock from another server.
    if (client.options.failover === true) throw new TypeError('failover is true; expected a memjs client without it');
    if (!(Number.isFinite(answerTimeoutMs) && answerTimeoutMs > 0 && answerTimeoutMs <= MAX_TIMER_MS)) {
      throw new RangeError(
        `answerTimeoutMs is ${String(answerTimeoutMs)}; expected a number above 0, at most ${MAX_TIMER_MS}`,
      );
    }
    this.#client = client;
    this.#ttlSeconds = checkTimeToLive(ttlSeconds, RANGE);
    this.#answerTimeoutMs = answerTimeoutMs;
    this.#tokens = new OwnTokens(ttlSeconds);
  }

  /** @throws {RangeError} by rejection, when Memcached does not accept the id as a key. */
  async acquireLock(lockId: string): Promise<boolean> {
    checkKey(lockId);
    try {
      return await this.#acquire(lockId);
    } catch (error) {
      throw ledToCaller(error);
    }
  }

  /** Also resolves to false when the first request freed the lock but its answer was lost, and memjs asked again. */
  async releaseLock(lockId: string): Promise<boolean> {
    const token = this.#tokens.get(lockId);
    if (token === undefined) return false;
    try {
      const isReleased = await this.#delete(lockId, token);
      this.#tokens.drop(lockId, token);
      return isReleased;
    } catch (error) {
      throw ledToCaller(error);
    }
  }

  async #acquire(lockId: string): Promise<boolean> {
    const token = crypto.randomUUID();
    const expirySeconds = this.#ttlSeconds + CLOCK_TICK_SECONDS;
    const { header } = await this.#ask('add', lockId, (sequence) => addRequest(lockId, sequence, token, expirySeconds));
    // memjs repeats a request when its answer was lost, so the existing item may be ours.
    const isTaken = header.status === MEMCACHED_STATUS.ok || (await this.#versionOf(lockId, token)) !== null;
    if (isTaken) this.#tokens.keep(lockId, token);
    return isTaken;
  }

  /** Deletes only the version that it read, so that a lock that changes hands in between stays. */
  async #delete(lockId: string, token: string): Promise<boolean> {
    const version = await this.#versionOf(lockId, token);
    if (version === null) return false;
    const { header } = await this.#ask('delete', lockId, (sequence) => deleteRequest(lockId, sequence, version));
    return header.status === MEMCACHED_STATUS.ok;
  }

  /** The version of a lock that is held under that token; null if it is not. */
  async #versionOf(lockId: string, token: string): Promise<Uint8Array | null> {
    const { header, val } = await this.#ask('get', lockId, (sequence) => getRequest(lockId, sequence));
    return header.status === MEMCACHED_STATUS.ok && val.toString() === token ? header.cas : null;
  }

  async #ask(command: string, lockId: string, request: (sequence: number) => Buffer): Promise<MemcachedResponse> {
    const response = await this.#perform(lockId, request);
    const { status } = response.header;
    if (EXPECTED_STATUSES.has(status)) return response;
    throw new Error(`memcached answered ${command} with status ${status}: ${response.val.toString()}`);
  }

  #perform(lockId: string, request: (sequence: number) => Buffer): Promise<MemcachedResponse> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`memcached did not answer within ${this.#answerTimeoutMs} ms`)),
        this.#answerTimeoutMs,
      );
      this.#client.incrSeq();
      const sequence = this.#client.seq;
      this.#client.perform(lockId, request(sequence), sequence, (error, response) => {
        clearTimeout(timer);
        if (error === null) resolve(response);
        // memjs reports some failures as a plain string.
        else reject(error instanceof Error ? error : new Error(String(error)));
      });
    });
  }
}

function checkKey(lockId: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that a key must not have.
  if (Buffer.byteLength(lockId) <= MAX_KEY_BYTES && !/[\s\u0000-\u001f\u007f]/.test(lockId)) return;
  throw new RangeError(
    `lockId is ${JSON.stringify(lockId)}; expected at most ${MAX_KEY_BYTES} bytes of UTF-8 without white space or control characters`,
  );
}
