/** Why requests for locks are refused. */

import type { Invalid, LimitReached, LockMode, RequestId } from '../protocol.ts';
import type { AllTableLimits, Claim, Session, TableLimits } from './types.ts';

/** A limit of the table forbids the request. */
export function limitReached(limits: TableLimits, limit: keyof TableLimits): LimitReached {
  return { status: 'limit', limit, value: limits[limit] };
}

/** The session would have too many locks with `further` ones; undefined if it would not. */
export function locksReached(limits: AllTableLimits, session: Session, further: number): LimitReached | undefined {
  const { maxLocksPerSession, maxLocksPerKeptSession = maxLocksPerSession } = limits;
  const value = session.client.keptId === undefined ? maxLocksPerSession : maxLocksPerKeptSession;
  return session.claimCount + further > value ? { status: 'limit', limit: 'maxLocksPerSession', value } : undefined;
}

/** A session, or all together, have used up their memory; undefined if they have not. */
export function bytesReached(limits: TableLimits, session: Session, tableBytes: number): LimitReached | undefined {
  if (session.bytes >= limits.maxBytesPerSession) return limitReached(limits, 'maxBytesPerSession');
  return tableBytes >= limits.maxTableBytes ? limitReached(limits, 'maxTableBytes') : undefined;
}

/** The request makes no sense where it is made. */
export function invalid(message: string): Invalid {
  return { status: 'invalid', message };
}

/** Another request with that id waits. */
export function idInFlight(id: RequestId | undefined): Invalid {
  return invalid(`id ${JSON.stringify(id)} is in flight`);
}

/** An owner with a claim on a lock asks for more than the claim is for; undefined if it does not. */
export function upgradeRefused({ mode, state }: Claim, wanted: LockMode): Invalid | undefined {
  if (mode !== 'shared' || wanted !== 'exclusive') return undefined;
  const verb = state === 'held' ? 'holds' : 'awaits';
  return invalid(`the owner ${verb} the lock shared and cannot ask for it exclusive`);
}

/** An owner asks for a lock alone that it awaits with others; undefined if it does not. */
export function awaitedInGroup({ group }: Claim): Invalid | undefined {
  if (group === undefined) return undefined;
  return invalid('the owner awaits the lock together with others and cannot ask for it alone meanwhile');
}
