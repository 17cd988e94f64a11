/**
 * The same work under a lock in any datastore: in the memory of this process, on holdfast, on Redis or on Memcached.
 *
 *     node dist/examples/dlock.js memory
 *     node dist/examples/dlock.js holdfast 20934
 *     node dist/examples/dlock.js redis 6379
 *     node dist/examples/dlock.js memcached 11211
 */

import { LockClient } from 'holdfast';
import {
  type Datastore,
  HoldfastDatastore,
  Lock,
  LockNotAcquiredError,
  MemcachedDatastore,
  MemoryDatastore,
  RedisDatastore,
} from 'holdfast/datastores';

/** A datastore, and what closes the client that was made for it. */
interface OpenDatastore {
  readonly datastore: Datastore;
  close(): unknown;
}

const [kind = 'memory', port = ''] = process.argv.slice(2);
const { datastore, close } = await open(kind, port);
const lock = new Lock(datastore, 'nightly-report');

try {
  const total = await lock.locked(async () => {
    console.log(`${lock.getId()} is locked on ${kind}`);
    return await sumUp();
  }, 10);
  console.log(`total: ${total}`);
} catch (error) {
  if (!(error instanceof LockNotAcquiredError)) throw error;
  console.error('not now: another works on it');
  process.exitCode = 1;
} finally {
  await close();
}

/** The packages `redis` and `memjs` are loaded only where they are used. */
async function open(kind: string, port: string): Promise<OpenDatastore> {
  switch (kind) {
    case 'memory':
      return { datastore: new MemoryDatastore(), close: () => {} };
    case 'holdfast': {
      const client = await LockClient.connect({ port: Number(port) });
      return { datastore: new HoldfastDatastore(client), close: () => client.close() };
    }
    case 'redis': {
      const { createClient } = await import('redis');
      const client = createClient({ url: `redis://127.0.0.1:${port}`, disableOfflineQueue: true });
      client.on('error', (error: Error) => console.error(`redis: ${error.message}`));
      await client.connect();
      return { datastore: new RedisDatastore(client, { ttlSeconds: 600 }), close: () => client.close() };
    }
    case 'memcached': {
      const { Client } = await import('memjs');
      const client = Client.create(`127.0.0.1:${port}`);
      return { datastore: new MemcachedDatastore(client, { ttlSeconds: 600 }), close: () => client.close() };
    }
    default:
      throw new Error(`the datastore is ${kind}; expected memory, holdfast, redis or memcached`);
  }
}

/** Stands for the work. */
async function sumUp(): Promise<number> {
  let total = 0;
  for (let day = 1; day <= 31; day += 1) total += await Promise.resolve(day);
  return total;
}
