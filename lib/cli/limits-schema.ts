/** The schema of the limits. docs/limits.md tells what happens at each. */

import type { JsonSchema } from '../message/validation.ts';
import { DEFAULT_LOCK_SERVER_LIMITS, type LockServerLimits } from '../server/lock-server-limits.ts';
import { fromOne, group } from './schema-parts.ts';

/** Limits that may be `auto`: the server takes them from the heap of the process. */
const AUTO_LIMITS = ['maxTableBytes', 'totalOutputBytes', 'totalInputBytes'] as const;

export type AutoLimit = (typeof AUTO_LIMITS)[number];

/** What each limit bounds. */
const TITLES: Readonly<Record<keyof LockServerLimits, string>> = {
  maxConnections: 'Connections, those included whose handshake is not over.',
  maxConnectionsPerAddress: 'Connections of one address.',
  maxMessageBytes: 'Bytes of one message, line or frame.',
  maxMessageValues: 'Lists, objects, items and members in one message.',
  messageTimeoutMs: 'Milliseconds from the first byte of a message to its last.',
  maxPendingRequests: 'Requests of a session that wait.',
  maxPendingListings: 'Listings of a session that are not answered yet.',
  softOutputBytes: 'Bytes that a client has not read when the server stops reading from it.',
  hardOutputBytes: 'Bytes that a client has not read when it is cut off.',
  totalOutputBytes: 'Bytes that all clients together have not read.',
  totalInputBytes: 'Bytes of all messages that have begun and are not whole.',
  closeTimeoutMs: 'Milliseconds in which a client must read the rest and close its side.',
  maxLocks: 'Locks held or waited for.',
  maxLocksPerSession: 'Locks that one session holds or waits for.',
  maxWaitersPerLock: 'Requests that wait for one lock.',
  maxLocksPerRequest: 'Locks in one request.',
  maxTableBytes: 'Bytes of memory for locks, holders and waiting requests.',
  maxBytesPerSession: 'The same, of one session.',
  maxNameBytes: 'Bytes in the name of a lock.',
  maxOwnerBytes: 'Bytes in the tag of an owner.',
  maxClientNameBytes: 'Bytes in the name of a client.',
  maxPageEntries: 'Entries in one page of a listing.',
  maxPageBytes: 'Bytes in one page of a listing, about.',
  maxKeptListings: 'Listings that the next page goes on with.',
  maxWatchers: 'Connections that watch locks.',
  minSessionTimeoutMs: 'Milliseconds of the shortest time-out of a session.',
  maxSessionTimeoutMs: 'Milliseconds of the longest time-out of a session.',
  maxSuspendedSessions: 'Sessions that wait for their client to come back.',
};

const autoLimit: JsonSchema = {
  anyOf: [{ type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER }, { const: 'auto' }],
  default: 'auto',
  description: `a whole number from 1 to ${Number.MAX_SAFE_INTEGER}, or "auto"`,
};

export const limitsSchema: JsonSchema = group(
  Object.fromEntries(
    Object.entries(DEFAULT_LOCK_SERVER_LIMITS).map(([name, value]) => {
      const bounds = AUTO_LIMITS.some((each) => each === name) ? autoLimit : fromOne(value);
      return [name, { ...bounds, title: TITLES[name as keyof LockServerLimits] }];
    }),
  ),
);
