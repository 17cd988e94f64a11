/** Advisory locks of Postgres through the package `pg`: each belongs to the connection that took it. */

import type { ClientConfig, QueryConfig } from 'pg';
import pg from 'pg';

/** What runs statements: a client of its own, or one of a pool. */
export interface Session {
  query(statement: QueryConfig): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
}

/** Where the server is, for both clients and pools. */
export function postgresAt(port: number): ClientConfig {
  return { host: '127.0.0.1', port, user: 'postgres', database: 'postgres' };
}

/** A connection of its own. */
export async function connectToPostgres(port: number): Promise<pg.Client> {
  const client = new pg.Client(postgresAt(port));
  // Calls that fail tell of it.
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** Waits for the lock of that key; resolves when this session has it. */
export async function lockAdvisory(session: Session, key: bigint): Promise<void> {
  // With a name it is parsed once for each connection.
  await session.query({ name: 'lock', text: 'SELECT pg_advisory_lock($1)', values: [key] });
}

/** Gives a lock back; rejects if this session did not have it. */
export async function unlockAdvisory(session: Session, key: bigint): Promise<void> {
  const { rows } = await session.query({
    name: 'unlock',
    text: 'SELECT pg_advisory_unlock($1) AS done',
    values: [key],
  });
  if (rows[0]?.done !== true) throw new Error(`the lock ${key} was not held when it was released`);
}

/** How many sessions wait for an advisory lock of that key. */
export async function countWaiters(session: Session, key: bigint): Promise<number> {
  const text =
    "SELECT count(*) AS waiting FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND classid = 0 AND NOT granted";
  const { rows } = await session.query({ name: 'waiters', text, values: [key] });
  return Number(rows[0]?.waiting);
}
