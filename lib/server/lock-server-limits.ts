/** The limits of a lock server, and which of them clients are told. */

import type { TableLimits } from '../locks/types.ts';
import { DEFAULT_MESSAGE_LIMITS, type MessageLimits } from '../message/message-limits.ts';
import type { SessionLimits } from '../sessions/kept-sessions.ts';
import { defaultBytes } from './default-memory.ts';
import type { PageLimits } from './lock-manager.ts';
import type { TextLimits } from './lock-requests.ts';

/** The limits of a lock server; lengths are bytes of UTF-8. */
export interface LockServerLimits extends MessageLimits, TableLimits, PageLimits, TextLimits, SessionLimits {
  /** How many listings are kept between two `list` requests. Further listings begin again. */
  readonly maxKeptListings: number;
}

/** The limits by default. */
export const DEFAULT_LOCK_SERVER_LIMITS: LockServerLimits = {
  ...DEFAULT_MESSAGE_LIMITS,
  totalOutputBytes: defaultBytes('output'),
  totalInputBytes: defaultBytes('input'),
  maxLocks: 2_000_000,
  maxLocksPerSession: 10_000,
  maxWaitersPerLock: 10_000,
  maxLocksPerRequest: 1_000,
  maxTableBytes: defaultBytes('table'),
  maxBytesPerSession: 16_777_216,
  maxNameBytes: 60_000,
  maxOwnerBytes: 256,
  maxClientNameBytes: 256,
  maxPageEntries: 1_000,
  maxPageBytes: 1_048_576,
  maxKeptListings: 16,
  minSessionTimeoutMs: 10_000,
  maxSessionTimeoutMs: 30_000,
  maxSuspendedSessions: 10_000,
};

/** The limits that a client is told. */
export const TOLD_LIMITS: readonly (keyof LockServerLimits)[] = [
  'maxMessageBytes',
  'maxMessageValues',
  'maxPendingRequests',
  'maxNameBytes',
  'maxOwnerBytes',
  'maxClientNameBytes',
  'maxLocksPerSession',
  'maxBytesPerSession',
  'maxWaitersPerLock',
  'maxLocksPerRequest',
  'maxPageEntries',
];
