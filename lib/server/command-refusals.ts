/** Why commands are refused whose protocol has no word for it: those of lines, and of pkLockServer's messages. */

import { DRAINING } from '../message/refusal-causes.ts';
import type { RefusalCause } from '../message/refusals.ts';
import type { LockResult } from './lock-manager.ts';

/** Every reason beside those for connections, with its meaning. The documents repeat it. */
export const COMMAND_REFUSALS = {
  maxNameBytes: 'The name of a lock was longer than `maxNameBytes`.',
  maxClientNameBytes: 'The name of a client was longer than `maxClientNameBytes`.',
  maxLocks: 'There were `maxLocks` already.',
  maxLocksPerSession: 'The connection had `maxLocksPerSession` already.',
  maxWaitersPerLock: 'There were `maxWaitersPerLock` waiting for the lock already.',
  maxPendingRequests: 'The connection had `maxPendingRequests` waiting already.',
} as const;

/** A limit that can be the reason. */
export type CommandLimit = keyof typeof COMMAND_REFUSALS;

/** Is told of each such refusal. */
export type OnRefused<Session> = (session: Session, cause: RefusalCause) => void;

/** A command that would pass a limit. */
export function atLimit(limit: CommandLimit, value: number): RefusalCause {
  const remedy = `raise "limits.${limit}" in the settings`;
  return { reason: limit, refused: 'a command', why: `it would pass ${limit}, ${value}`, remedy };
}

/** What a lock manager did not do, where that is for a reason of the server's. */
export function causeOf(result: LockResult): RefusalCause | undefined {
  if (result.status === 'draining') return { ...DRAINING, refused: 'a command' };
  return result.status === 'limit' ? atLimit(result.limit as CommandLimit, result.value) : undefined;
}
