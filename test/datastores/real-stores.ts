/** The servers behind the datastores, started for one test each, and users of them. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'memjs';
import { createClient } from 'redis';
import {
  type Datastore,
  HoldfastDatastore,
  MemcachedDatastore,
  MemoryDatastore,
  type RedisClient,
  RedisDatastore,
} from '../../lib/datastores/index.ts';
import { SystemProgram } from '../foreign/system-program.ts';
import { makeFolder, whenTestEnds } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { startServer } from '../server/running-server.ts';
import { freePort } from '../support/free-port.ts';

/** A store that runs. */
export interface RunningStore {
  /** A datastore as in another process; the same instance if the store is within one process. */
  open(options?: { readonly ttlSeconds: number }): Promise<Datastore>;
}

/** A kind of store that locks can be kept in. */
export interface StoreKind {
  readonly name: string;
  /** The programs of the system that it needs. */
  readonly programs: readonly string[];
  readonly isShared: boolean;
  /** The shortest time to live, where locks have one. */
  readonly shortestTtlSeconds?: number;
  start(): Promise<RunningStore>;
}

/** A server that is a process, at a port of 127.0.0.1. */
export interface StoreServer {
  readonly program: SystemProgram;
  readonly port: number;
}

/** The part of a client of the package `redis` that tests use. */
export interface RedisConnection extends RedisClient {
  sendCommand(args: readonly string[]): Promise<unknown>;
}

/** The stores of `holdfast/datastores`. */
export const STORE_KINDS: readonly StoreKind[] = [
  { name: 'memory', programs: [], isShared: false, start: startMemory },
  { name: 'Redis', programs: ['redis-server'], isShared: true, shortestTtlSeconds: 0.02, start: startRedisStore },
  { name: 'Memcached', programs: ['memcached'], isShared: true, shortestTtlSeconds: 1, start: startMemcachedStore },
  { name: 'holdfast', programs: [], isShared: true, start: startHoldfast },
];

/** Starts a Redis that keeps nothing on disk, with these further arguments. */
export async function startRedis(...args: readonly string[]): Promise<StoreServer> {
  // Redis cannot choose a port itself; another process may take the one that was free a moment ago.
  for (;;) {
    const port = await freePort();
    const folder = makeFolder();
    const own = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--save', '', '--appendonly', 'no'];
    const program = new SystemProgram('redis-server', [...own, ...args]);
    if (await isReady(program)) return { program, port };
  }
}

/** A connected client of the package `redis` that fails at once when its connection is gone. */
export async function connectToRedis(port: number): Promise<RedisConnection> {
  const options = { disableOfflineQueue: true, socket: { host: '127.0.0.1', port, reconnectStrategy: false } } as const;
  const client = createClient(options);
  client.on('error', () => {});
  await client.connect();
  whenTestEnds(() => (client.isOpen ? client.destroy() : undefined));
  return client;
}

/** Starts a Memcached at a port that it chooses. */
export async function startMemcached(): Promise<StoreServer> {
  const portFile = join(makeFolder(), 'port');
  const args = ['-l', '127.0.0.1', '-p', '-1', '-U', '0', '-u', 'root'];
  const program = new SystemProgram('memcached', args, { MEMCACHED_PORT_FILENAME: portFile });
  let port = 0;
  const listens = until(async () => {
    const text = await readFile(portFile, 'utf8').catch(() => '');
    port = Number(/^TCP INET: (\d+)$/m.exec(text)?.[1] ?? 0);
    return port > 0;
  });
  const ends = program.exit.then(({ code }) => {
    throw new Error(`memcached ended (${code}): ${program.errorOutput}`);
  });
  // The server ends with its test; that is no failure.
  ends.catch(() => {});
  await Promise.race([listens, ends]);
  return { program, port };
}

/** A client of the package `memjs`, which connects when it is first used and tries twice. */
export function connectToMemcached(port: number): Client {
  const logger = { log: (): void => {} };
  const client = Client.create(`127.0.0.1:${port}`, { logger, retry_delay: 0.01 });
  whenTestEnds(() => client.close());
  return client;
}

async function startMemory(): Promise<RunningStore> {
  const datastore = new MemoryDatastore();
  return { open: async () => datastore };
}

async function startRedisStore(): Promise<RunningStore> {
  const { port } = await startRedis();
  return { open: async (options) => new RedisDatastore(await connectToRedis(port), options) };
}

async function startMemcachedStore(): Promise<RunningStore> {
  const { port } = await startMemcached();
  return { open: async (options) => new MemcachedDatastore(connectToMemcached(port), options) };
}

async function startHoldfast(): Promise<RunningStore> {
  const server = await startServer();
  return { open: async () => new HoldfastDatastore(await server.client()) };
}

/** Whether it came up; false when its port was taken. */
async function isReady(program: SystemProgram): Promise<boolean> {
  for (;;) {
    const line = await program.nextLine();
    if (line.includes('Ready to accept connections')) return true;
    if (line.includes('Address already in use')) return false;
  }
}
