/** The limits of a lock server, and which of them clients are told. */

import type { AllTableLimits, TableLimits } from '../locks/types.ts';
import { requireKnownOptions } from '../message/known-options.ts';
import { DEFAULT_MESSAGE_LIMITS, type MessageLimits } from '../message/message-limits.ts';
import type { SessionLimits } from '../sessions/kept-sessions.ts';
import { defaultBytes } from './default-memory.ts';
import type { PageLimits } from './lock-manager.ts';
import type { TextLimits } from './lock-requests.ts';

/** The limits of a lock server; lengths are bytes of UTF-8. */
export interface LockServerLimits extends MessageLimits, TableLimits, PageLimits, TextLimits, SessionLimits {
  /** How many listings are kept between two `list` requests. Further listings begin again. */
  readonly maxKeptListings: number;
  /** How many connections may watch locks. */
  readonly maxWatchers: number;
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
  maxWatchers: 32,
  minSessionTimeoutMs: 10_000,
  maxSessionTimeoutMs: 30_000,
  maxSuspendedSessions: 10_000,
};

/** Limits that do not change while a server runs: the locks of a session must fit into a message by which its client comes back. */
export const FIXED_LIMITS: readonly (keyof LockServerLimits)[] = ['maxMessageBytes', 'maxMessageValues'];

/** What a `hello` that resumes a session takes of a message: for each lock a token of 16 digits and a comma, and for the rest. */
const VALUES_OF_RESUME = 20;
const BYTES_OF_RESUME = 1_000;
const BYTES_OF_LOCK = 17;

/** With the locks that a session may have when its client must be able to list them in one message. */
export function withResumes(limits: LockServerLimits): LockServerLimits & AllTableLimits {
  const { maxLocksPerSession, maxMessageValues, maxMessageBytes } = limits;
  const mostByBytes = Math.floor((maxMessageBytes - BYTES_OF_RESUME) / BYTES_OF_LOCK);
  const mostListed = Math.max(0, Math.min(maxMessageValues - VALUES_OF_RESUME, mostByBytes));
  return { ...limits, maxLocksPerKeptSession: Math.min(maxLocksPerSession, mostListed) };
}

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

/** The limits of one server, which may change while it runs: all who need them read these objects each time. */
export class ChangingLimits {
  readonly current: LockServerLimits;
  /** Those of the lock table. */
  readonly ofTable: LockServerLimits & AllTableLimits;

  /** Those that are left out have their defaults. @throws TypeError for an unknown limit. */
  constructor(given: Partial<LockServerLimits>) {
    this.current = { ...DEFAULT_LOCK_SERVER_LIMITS, ...requireKnown(given) };
    this.ofTable = withResumes(this.current);
  }

  /** Those that are left out stay. @throws TypeError for an unknown limit, or another value of one of the `FIXED_LIMITS`. */
  change(given: Partial<LockServerLimits>): void {
    requireKnown(given);
    for (const limit of FIXED_LIMITS) {
      const { [limit]: value = this.current[limit] } = given;
      if (value === this.current[limit]) continue;
      throw new TypeError(`limits.${limit} is ${value}; expected ${this.current[limit]}, since it cannot change`);
    }
    Object.assign(this.current, given);
    Object.assign(this.ofTable, withResumes(this.current));
  }
}

function requireKnown(given: Partial<LockServerLimits>): Partial<LockServerLimits> {
  return requireKnownOptions(given, Object.keys(DEFAULT_LOCK_SERVER_LIMITS), 'limits');
}
