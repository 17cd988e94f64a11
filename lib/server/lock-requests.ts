/** Turns the lock requests of clients into requests to the lock manager, or refuses them. */

import { KIND_OF } from '../locks/lock.ts';
import type { LockAllRequest, LockRequest } from '../locks/types.ts';
import type { MessageId } from '../message/message-session.ts';
import { show } from '../message/show.ts';
import type { LockMode, RequestedLock } from '../protocol.ts';
import { encodedLength } from '../wire/text.ts';
import type { LockAllParameters, LockParameters } from './lock-commands.ts';

const MS_A_SECOND = 1_000;

/** The greatest lengths of texts, in bytes of UTF-8. */
export interface TextLimits {
  readonly maxNameBytes: number;
  readonly maxOwnerBytes: number;
  readonly maxClientNameBytes: number;
}

/** Why a request does not reach the lock manager. */
export type Refusal =
  | { readonly status: 'limit'; readonly limit: string; readonly value: number }
  | { readonly status: 'invalid'; readonly message: string };

/** The lock requests that a server allows. */
export interface LockRequestsOptions {
  readonly limits: TextLimits;
  /** The holds that a `steal` may take: only those marked `stealable`, or any. */
  readonly steal: 'stealable' | 'any';
}

/** Checks and converts the requests of one server. */
export class LockRequests {
  readonly #limits: TextLimits;
  readonly #steal: 'stealable' | 'any';

  constructor({ limits, steal }: LockRequestsOptions) {
    this.#limits = limits;
    this.#steal = steal;
  }

  /** Converts a request for one lock. */
  ofLock(parameters: LockParameters, id: MessageId): LockRequest | Refusal {
    const { lockName, mode = 'exclusive', limit, timeLimit = false, owner = '' } = parameters;
    const { lease, steal = false, stealable } = parameters;
    const refusal =
      refuseLength(this.#limits, 'maxNameBytes', lockName) ?? refuseLength(this.#limits, 'maxOwnerBytes', owner);
    if (refusal !== undefined) return refusal;
    if (limit !== undefined && mode !== 'permit') return limitWithoutPermit('parameters', mode, limit);
    if (steal && mode !== 'exclusive') {
      return invalidParameters(`parameters.steal is true; expected none, since mode is ${show(mode)}`);
    }
    return {
      name: lockName,
      mode,
      limit,
      tag: owner,
      waitMs: timeLimit === false ? Number.POSITIVE_INFINITY : timeLimit * MS_A_SECOND,
      leaseMs: lease === undefined ? undefined : lease * MS_A_SECOND,
      id,
      steal: steal ? this.#steal : undefined,
      isStealable: stealable,
    };
  }

  /** Converts a request for several locks. */
  ofLockAll(parameters: LockAllParameters, id: MessageId): LockAllRequest | Refusal {
    const { locks, timeLimit = false, owner = '', lease } = parameters;
    const ownerRefusal = refuseLength(this.#limits, 'maxOwnerBytes', owner);
    const requested: RequestedLock[] = [];
    const seen = { readerWriter: new Map<string, number>(), permit: new Map<string, number>() };
    for (const [index, { lockName, mode = 'exclusive', limit }] of locks.entries()) {
      const at = `parameters.locks[${index}]`;
      const refusal = refuseLength(this.#limits, 'maxNameBytes', lockName) ?? ownerRefusal;
      if (refusal !== undefined) return refusal;
      if (limit !== undefined && mode !== 'permit') return limitWithoutPermit(at, mode, limit);
      const ofKind = seen[KIND_OF[mode]];
      const first = ofKind.get(lockName);
      if (first !== undefined) {
        const isTwice = `${at}.lockName is ${show(lockName)}, as parameters.locks[${first}].lockName is`;
        return invalidParameters(`${isTwice}; expected each lock once`);
      }
      ofKind.set(lockName, index);
      requested.push({ name: lockName, mode, limit });
    }
    return {
      locks: requested,
      tag: owner,
      waitMs: timeLimit === false ? Number.POSITIVE_INFINITY : timeLimit * MS_A_SECOND,
      leaseMs: lease === undefined ? undefined : lease * MS_A_SECOND,
      id,
    };
  }
}

/** Refuses a text that is longer than the limit. A UTF-16 unit takes at most three bytes, so short texts are not measured. */
export function refuseLength(limits: TextLimits, limit: keyof TextLimits, text: string): Refusal | undefined {
  const value = limits[limit];
  if (text.length * 3 <= value || encodedLength(text) <= value) return undefined;
  return { status: 'limit', limit, value };
}

/** Refuses the first name, or beginning of a name, that no lock can have. */
export function refuseNames(limits: TextLimits, ...names: readonly (string | undefined)[]): Refusal | undefined {
  const refusals = names.map((name = '') => refuseLength(limits, 'maxNameBytes', name));
  return refusals.find((refusal) => refusal !== undefined);
}

/** Refuses parameters that contradict each other. The message names the field, its value and the expected value. */
export function invalidParameters(message: string): Refusal {
  return { status: 'invalid', message };
}

function limitWithoutPermit(at: string, mode: LockMode, limit: number): Refusal {
  return invalidParameters(`${at}.limit is ${limit}; expected none, since mode is ${show(mode)}`);
}
