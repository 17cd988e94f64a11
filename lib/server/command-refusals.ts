/** Reasons to refuse a command. Protocols that cannot name them have them logged: line commands and pkLockServer's messages. */

import { DRAINING } from '../message/refusal-causes.ts';
import type { RefusalCause } from '../message/refusals.ts';
import type { LockResult } from './lock-manager.ts';

/** Every reason to refuse a command, or to end a session with its connection, with its meaning. The documents repeat them. */
export const COMMAND_REFUSALS = {
  maxNameBytes: 'The name of a lock was longer than `maxNameBytes`.',
  maxOwnerBytes: 'The owner tag was longer than `maxOwnerBytes`.',
  maxClientNameBytes: 'The name of a client was longer than `maxClientNameBytes`.',
  maxLocks: 'There were `maxLocks` already.',
  maxLocksPerSession:
    'The session had `maxLocksPerSession` already, or as many as its client could list when it comes back.',
  maxTableBytes: 'All locks and waiting requests counted `maxTableBytes` already.',
  maxBytesPerSession: 'The locks and waiting requests of the connection counted `maxBytesPerSession` already.',
  maxWaitersPerLock: 'There were `maxWaitersPerLock` waiting for the lock already.',
  maxLocksPerRequest: 'A `lockAll` named more than `maxLocksPerRequest`.',
  maxPendingRequests: 'The connection had `maxPendingRequests` waiting already.',
  maxPendingListings:
    'The connection had `maxPendingListings` waiting already, or listings with 131,072 characters in their names.',
  maxWatchers: 'There were `maxWatchers` connections that watch locks already.',
  maxMessageValues: 'A message had more values than `maxMessageValues`.',
  maxSuspendedSessions:
    'A session ended with its connection, since `maxSuspendedSessions` waited for their clients already.',
} as const;

/** A limit that can be the reason for a refusal. */
export type CommandLimit = keyof typeof COMMAND_REFUSALS;

/** Called for each refused command. */
export type OnRefused<Session> = (session: Session, cause: RefusalCause) => void;

/** Explains that a command, or what else is refused, would exceed a limit. */
export function atLimit(
  limit: CommandLimit,
  value: number,
  refused: NonNullable<RefusalCause['refused']> = 'a command',
): RefusalCause {
  const remedy = `raise "limits.${limit}" in the settings`;
  return { reason: limit, refused, why: `it would pass ${limit}, ${value}`, remedy };
}

/** Explains a result if the server itself refused the lock, because it drains or a limit was reached. */
export function causeOf(result: LockResult): RefusalCause | undefined {
  if (result.status === 'draining') return { ...DRAINING, refused: 'a command' };
  return result.status === 'limit' ? atLimit(result.limit as CommandLimit, result.value) : undefined;
}
