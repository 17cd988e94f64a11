/** A lock in Redis as its documentation has it, through the package `redis`: one key, a random value, a time to live. */

import { randomUUID } from 'node:crypto';
import { createClient, type RedisClientType } from 'redis';

const TIME_TO_LIVE_MS = 30_000;
/** Deletes the key if it still has the value of the one who took it. */
const RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";

/** One connection, for any number of locks. */
export class RedisLocks {
  readonly #client: RedisClientType;
  readonly #releaseScript: string;

  private constructor(client: RedisClientType, releaseScript: string) {
    this.#client = client;
    this.#releaseScript = releaseScript;
  }

  /** Connects, and gives the script of the release to the server. */
  static async connect(port: number): Promise<RedisLocks> {
    const client: RedisClientType = createClient({ socket: { host: '127.0.0.1', port, reconnectStrategy: false } });
    // Calls that fail tell of it.
    client.on('error', () => {});
    await client.connect();
    return new RedisLocks(client, await client.scriptLoad(RELEASE));
  }

  /** Takes a lock; resolves to the value to release it with, or to undefined when another has it. */
  async tryLock(name: string): Promise<string | undefined> {
    const value = randomUUID();
    const expiration = { type: 'PX', value: TIME_TO_LIVE_MS } as const;
    const reply = await this.#client.set(name, value, { condition: 'NX', expiration });
    return reply === null ? undefined : value;
  }

  /** Gives a lock back; rejects if another had it. */
  async unlock(name: string, value: string): Promise<void> {
    const deleted = await this.#client.evalSha(this.#releaseScript, { keys: [name], arguments: [value] });
    if (deleted !== 1) throw new Error(`the lock ${name} was not held when it was released: ${deleted}`);
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}
