/// <reference lib="esnext.disposable" preserve="true" />
/// <reference types="node" preserve="true" />
/** The entry point `holdfast/datastores`. */

export { type Datastore, MemoryDatastore } from './datastore.ts';
export { HoldfastDatastore } from './holdfast-datastore.ts';
export { type DatastoreLockOptions, Lock, LockNotAcquiredError } from './lock.ts';
export {
  type MemcachedClient,
  MemcachedDatastore,
  type MemcachedDatastoreOptions,
  type MemcachedResponse,
} from './memcached-datastore.ts';
export { type RedisClient, RedisDatastore, type RedisEvalOptions, type RedisSetOptions } from './redis-datastore.ts';
export type { TimeToLiveOptions } from './time-to-live.ts';
