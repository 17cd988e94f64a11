/** Turns what the server answers instead of a lock into the error that the caller sees. */

import type { RpcResult } from '../message/message-client.ts';
import { show } from '../message/show.ts';
import type { Hold } from './hold.ts';
import {
  LockCancelledError,
  LockDeadlockError,
  LockDeniedError,
  LockDrainingError,
  LockError,
  LockInvalidError,
  LockLimitError,
  LockTimeoutError,
} from './lock-error.ts';
import type { DeadlockStep, NamedLockHolder } from './lock-information.ts';

const MS_A_SECOND = 1_000;

/** The error for a result that is not `ok`; `what` begins its message, and `own` is a hold of this client that is in the way. */
export function refusal(result: RpcResult, what: string, own?: Hold): LockError {
  const { status, message, limit, value } = result;
  const text = `${what}: ${typeof message === 'string' ? message : status}`;
  switch (status) {
    case 'timeout':
    case 'unavailable':
      return timeout(what, result, own);
    case 'cancelled':
      return new LockCancelledError(text);
    case 'deadlock':
      return deadlock(what, result);
    case 'invalid':
      return new LockInvalidError(text);
    case 'limit':
      return new LockLimitError(`${text} (${String(limit)}, ${String(value)})`, String(limit), Number(value));
    case 'denied':
      return new LockDeniedError(text);
    case 'draining':
      return new LockDrainingError(text);
    default:
      return new LockError('protocol', text);
  }
}

function timeout(what: string, { holders }: RpcResult, own: Hold | undefined): LockTimeoutError {
  const known = Array.isArray(holders) ? (holders as readonly NamedLockHolder[]) : [];
  const held = known.map((holder) => {
    const heldSeconds = (holder.heldMs / MS_A_SECOND).toFixed(1);
    return `${party(holder)} holds ${show(holder.lockName)} ${holder.mode} for ${heldSeconds} s`;
  });
  const hint = own === undefined ? [] : [`this very client holds ${show(own.grant.name)}, as owner ${own.grant.owner}`];
  return new LockTimeoutError(`${what}: ${['timeout', ...held, ...hint].join('; ')}`, known);
}

function deadlock(what: string, { cycle }: RpcResult): LockDeadlockError {
  const steps = Array.isArray(cycle) ? (cycle as readonly DeadlockStep[]) : [];
  const lines = steps.map((step, index) => {
    const next = steps[(index + 1) % steps.length] as DeadlockStep;
    const verb = step.blockedBy === 'holder' ? 'which is held by' : 'where ahead of it waits';
    return `\n  ${party(step)} waits for ${show(step.lockName)} (${step.mode}), ${verb} ${party(next)}`;
  });
  const text = `${what}: it would wait for an owner that waits for it${lines.length > 0 ? ':' : ''}${lines.join('')}`;
  return new LockDeadlockError(text, steps);
}

/** A client and its owner, for people. */
function party({ name, address, owner }: Pick<NamedLockHolder, 'name' | 'address' | 'owner'>): string {
  return `${name === '' ? '' : `${name} at `}${address}${owner === '' ? '' : `, owner ${owner}`}`;
}
