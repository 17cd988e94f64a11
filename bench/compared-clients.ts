/** One lock with its unlock through the client of each server: what bench/client-comparison.ts measures. */

import { LockClient } from 'holdfast';
import pg from 'pg';
import { connectToPostgres, lockAdvisory, postgresAt, unlockAdvisory } from './postgres-lock.ts';
import { RedisLocks } from './redis-lock.ts';

/** A client as one application would have it. */
export interface ComparedClient {
  /** Takes the lock of one flow, which no other wants, and gives it back. Rejects if either was wrongly answered. */
  pair(flow: number): Promise<void>;
  close(): Promise<void>;
}

/** How to connect each of them to its server on 127.0.0.1. */
export const COMPARED_CLIENTS: Readonly<Record<string, (port: number) => Promise<ComparedClient>>> = {
  holdfast: connectHoldfast,
  redis: connectRedis,
  'pg, one client': connectPostgres,
  'pg, pool of 100': (port) => connectPool(port, 100),
  'pg, pool of 10': (port) => connectPool(port, 10),
};

async function connectHoldfast(port: number): Promise<ComparedClient> {
  const client = await LockClient.connect({ port });
  let lastToken = 0;
  const pair = async (flow: number): Promise<void> => {
    const lock = await client.lock(`flow-${flow}`);
    if (lock.token <= lastToken) throw new Error(`token ${lock.token} after ${lastToken}; expected a greater one`);
    lastToken = lock.token;
    if (!(await lock.release())) throw new Error(`the lock ${lock.name} was not held when it was released`);
  };
  return { pair, close: () => client.close() };
}

async function connectRedis(port: number): Promise<ComparedClient> {
  const locks = await RedisLocks.connect(port);
  const pair = async (flow: number): Promise<void> => {
    const name = `flow-${flow}`;
    const value = await locks.tryLock(name);
    if (value === undefined) throw new Error(`the lock ${name} was not granted; expected it to be free`);
    await locks.unlock(name, value);
  };
  return { pair, close: () => locks.close() };
}

async function connectPostgres(port: number): Promise<ComparedClient> {
  const client = await connectToPostgres(port);
  const pair = async (flow: number): Promise<void> => {
    await lockAdvisory(client, BigInt(flow));
    await unlockAdvisory(client, BigInt(flow));
  };
  return { pair, close: () => client.end() };
}

/** A lock belongs to its connection: each flow keeps one of the pool as long as it has the lock. */
async function connectPool(port: number, max: number): Promise<ComparedClient> {
  const pool = new pg.Pool({ ...postgresAt(port), max });
  // Calls that fail tell of it.
  pool.on('error', () => {});
  const pair = async (flow: number): Promise<void> => {
    const client = await pool.connect();
    try {
      await lockAdvisory(client, BigInt(flow));
      await unlockAdvisory(client, BigInt(flow));
    } finally {
      client.release();
    }
  };
  return { pair, close: () => pool.end() };
}
