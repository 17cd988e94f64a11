/** The clients to compare: holdfast's, and locks in Redis, Postgres and etcd, each as its documentation recommends. */

import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { LockClient, type LockHandle } from 'holdfast';
import pg from 'pg';
import { createClient, type RedisClientType } from 'redis';

/** A client of one application. Locks have numbers. Calls reject when an answer is wrong. */
export interface ComparedClient {
  /** Waits for the lock without a time limit. */
  lock(lock: number): Promise<void>;
  unlock(lock: number): Promise<void>;
  close(): Promise<void>;
}

/** A client that can tell that it waits. */
export interface WaitingClient extends ComparedClient {
  /** Resolves once the call of `lock` waits on the server. */
  whenWaiting(lock: number): Promise<void>;
}

/** A lock in Redis has no queue: the client asks again after `delayMs`, give or take up to `jitterMs`. */
interface Polling {
  readonly delayMs: number;
  readonly jitterMs: number;
}

const LIKE_REDLOCK: Polling = { delayMs: 200, jitterMs: 100 };
const REDIS_TIME_TO_LIVE_MS = 30_000;
/** Deletes the key if it still has the value of the client that took it. */
const REDIS_RELEASE =
  "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";

const ETCD_TIME_TO_LIVE_SECONDS = 300;
/** Etcd takes up new watches every 100 ms only, so a waiter that came later may get its lock that much later. */
const ETCD_SETTLING_MS = 150;

/** `LockClient`, which also checks that tokens grow. */
export async function connectHoldfast(port: number): Promise<WaitingClient> {
  const client = await LockClient.connect({ port });
  const held = new Map<number, LockHandle>();
  let lastToken = 0;
  return {
    lock: async (lock) => {
      const handle = await client.lock(`lock-${lock}`, { waitMs: Number.POSITIVE_INFINITY });
      if (handle.token <= lastToken)
        throw new Error(`token ${handle.token} after ${lastToken}; expected a greater one`);
      lastToken = handle.token;
      held.set(lock, handle);
    },
    unlock: async (lock) => {
      expectHeld(await held.get(lock)?.release(), true, lock);
    },
    // The server answers it behind the request for the lock.
    whenWaiting: async () => {
      await client.rpc('ping');
    },
    close: () => client.close(),
  };
}

/** The package `redis`: one key with a random value and a time to live. */
export async function connectRedis(port: number, polling: Polling = LIKE_REDLOCK): Promise<WaitingClient> {
  const client: RedisClientType = createClient({ socket: { host: '127.0.0.1', port, reconnectStrategy: false } });
  // Calls that fail reject, too.
  client.on('error', () => {});
  await client.connect();
  const script = await client.scriptLoad(REDIS_RELEASE);
  const values = new Map<number, string>();
  const refusals = new Map<number, () => void>();
  const tryLock = async (lock: number, value: string): Promise<boolean> => {
    const expiration = { type: 'PX', value: REDIS_TIME_TO_LIVE_MS } as const;
    return (await client.set(`lock-${lock}`, value, { condition: 'NX', expiration })) !== null;
  };
  return {
    lock: async (lock) => {
      const value = randomUUID();
      while (!(await tryLock(lock, value))) {
        refusals.get(lock)?.();
        await pause(polling.delayMs + (Math.random() * 2 - 1) * polling.jitterMs);
      }
      values.set(lock, value);
    },
    unlock: async (lock) => {
      const value = values.get(lock) ?? '';
      expectHeld(await client.evalSha(script, { keys: [`lock-${lock}`], arguments: [value] }), 1, lock);
    },
    // Waits for a random time, so that the release is equally likely at any moment between two attempts.
    whenWaiting: async (lock) => {
      await new Promise<void>((resolve) => refusals.set(lock, resolve));
      refusals.delete(lock);
      await pause(Math.random() * 2 * polling.delayMs);
    },
    close: () => client.close(),
  };
}

/** The package `pg`, with one connection: its advisory locks belong to the connection that took them. */
export async function connectPostgres(port: number): Promise<WaitingClient> {
  const client = await openPostgres(port);
  let observer: pg.Client | undefined;
  return {
    lock: (lock) => lockAdvisory(client, lock),
    unlock: (lock) => unlockAdvisory(client, lock),
    whenWaiting: async (lock) => {
      observer ??= await openPostgres(port);
      while (!(await hasWaiter(observer, lock)));
    },
    close: async () => {
      await Promise.all([client.end(), observer?.end()]);
    },
  };
}

/** The package `pg`, with a pool: each lock keeps one of its connections. */
export async function connectPostgresPool(port: number, max: number): Promise<ComparedClient> {
  const pool = new pg.Pool({ ...postgresAt(port), max });
  // Calls that fail reject, too.
  pool.on('error', () => {});
  const holders = new Map<number, pg.PoolClient>();
  return {
    lock: async (lock) => {
      const client = await pool.connect();
      holders.set(lock, client);
      await lockAdvisory(client, lock);
    },
    unlock: async (lock) => {
      const client = holders.get(lock) as pg.PoolClient;
      await unlockAdvisory(client, lock);
      client.release();
    },
    close: () => pool.end(),
  };
}

/** The lock of etcd, version 3, through its JSON gateway. The locks of a client end with its lease. */
export async function connectEtcd(port: number): Promise<WaitingClient> {
  const post = async (path: string, body: object): Promise<Readonly<Record<string, unknown>>> => {
    const response = await fetch(`http://127.0.0.1:${port}/v3/${path}`, { method: 'POST', body: JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`etcd answered ${path} with ${response.status}: ${text}`);
    return JSON.parse(text);
  };
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const { ID: lease } = await post('lease/grant', { TTL: ETCD_TIME_TO_LIVE_SECONDS });
  const keys = new Map<number, unknown>();
  return {
    lock: async (lock) => {
      const { key } = await post('lock/lock', { name: base64(`lock-${lock}`), lease });
      keys.set(lock, key);
    },
    unlock: async (lock) => {
      await post('lock/unlock', { key: keys.get(lock) });
    },
    // Each client that holds the lock or waits for it has a key below its name, which ends before the next character.
    whenWaiting: async (lock) => {
      const range = { key: base64(`lock-${lock}/`), range_end: base64(`lock-${lock}0`), count_only: true };
      while (Number((await post('kv/range', range)).count) < 2);
      await pause(ETCD_SETTLING_MS);
    },
    close: async () => {
      await post('lease/revoke', { ID: lease });
    },
  };
}

function expectHeld(actual: unknown, expected: unknown, lock: number): void {
  if (actual !== expected) throw new Error(`lock ${lock} was not held when it was released: ${actual}`);
}

function postgresAt(port: number): pg.ClientConfig {
  return { host: '127.0.0.1', port, user: 'postgres', database: 'postgres' };
}

async function openPostgres(port: number): Promise<pg.Client> {
  const client = new pg.Client(postgresAt(port));
  // Calls that fail reject, too.
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** With a name, the server parses a statement once for each connection. */
async function lockAdvisory(client: pg.ClientBase, lock: number): Promise<void> {
  await client.query({ name: 'lock', text: 'SELECT pg_advisory_lock($1)', values: [lock] });
}

async function unlockAdvisory(client: pg.ClientBase, lock: number): Promise<void> {
  const text = 'SELECT pg_advisory_unlock($1) AS done';
  const { rows } = await client.query({ name: 'unlock', text, values: [lock] });
  expectHeld(rows[0]?.done, true, lock);
}

async function hasWaiter(client: pg.ClientBase, lock: number): Promise<boolean> {
  const text =
    "SELECT count(*) AS waiting FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND classid = 0 AND NOT granted";
  const { rows } = await client.query({ name: 'waiters', text, values: [lock] });
  return Number(rows[0]?.waiting) > 0;
}
