/** The errors of asking for a lock and of holding one: a class for each reason, each with a stable code. */

import type { RpcResult } from '../message/message-client.ts';
import { MessageError } from '../message/message-error.ts';
import { show } from '../message/show.ts';
import type { DeadlockStep, NamedLockHolder } from '../protocol.ts';

/** Stable, for callers to match on. */
export type LockErrorCode =
  /** The lock was not granted within `waitMs`: somebody else has it. */
  | 'timeout'
  /** No server could be asked, or it can grant nothing for now. */
  | 'unreachable'
  /** The wait was ended on the server. */
  | 'cancelled'
  /** Waiting would have closed a cycle of owners that wait for each other. */
  | 'deadlock'
  /** The request is wrong, such as a name that is no string. */
  | 'invalid'
  /** A limit of the server forbids it. */
  | 'limit'
  /** The server is set not to allow it. */
  | 'denied'
  /** The server is about to stop and grants nothing more. */
  | 'draining'
  /** The client was closed. */
  | 'closed'
  /** The server answered with something that this client does not know. */
  | 'protocol'
  | LockLostCode;

/** Why a lock was lost. */
export type LockLostCode =
  /** The connection to the server broke: the server frees what the client held. */
  | 'connectionLost'
  /** The server could not be asked in time whether it is still held. */
  | 'unconfirmed'
  /** The client was closed by its own side. */
  | 'closed'
  /** The lease was over. */
  | 'leaseOver'
  /** An administrator took it away. */
  | 'forced'
  /** Another took it with `steal`. */
  | 'stolen';

/** A lock was not granted, or was lost; `code` says why. */
export class LockError extends Error {
  override readonly name: string = 'LockError';
  readonly code: LockErrorCode;

  constructor(code: LockErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** `timeout`: the lock was not granted within `waitMs`. */
export class LockTimeoutError extends LockError {
  override readonly name: string = 'LockTimeoutError';
  /** The holders of the lock when the time was over, up to ten; empty if the server does not tell. */
  readonly holders: readonly NamedLockHolder[];

  constructor(message: string, holders: readonly NamedLockHolder[] = [], options?: ErrorOptions) {
    super('timeout', message, options);
    this.holders = holders;
  }
}

/**
 * `unreachable`: there was no connection, or no answer, in time, or the server can grant nothing for now. Whether the lock is free is not
 * known.
 */
export class LockUnreachableError extends LockError {
  override readonly name: string = 'LockUnreachableError';

  /** `cause` is the last failure. */
  constructor(message: string, cause?: unknown) {
    super('unreachable', message, { cause });
  }
}

/** `cancelled`: the wait was ended on the server, by `unlockAll` or `cancel`. */
export class LockCancelledError extends LockError {
  override readonly name: string = 'LockCancelledError';

  constructor(message: string) {
    super('cancelled', message);
  }
}

/** `deadlock`: waiting would have closed a cycle of owners that wait for each other. */
export class LockDeadlockError extends LockError {
  override readonly name: string = 'LockDeadlockError';
  /** The owners in the cycle and the lock that each waits for, this request first. Each waits for the next, the last for the first. */
  readonly cycle: readonly DeadlockStep[];

  constructor(message: string, cycle: readonly DeadlockStep[]) {
    super('deadlock', message);
    this.cycle = cycle;
  }
}

/** `invalid`: the request is wrong; the message names the field, its value and the expected values. */
export class LockInvalidError extends LockError {
  override readonly name: string = 'LockInvalidError';

  constructor(message: string, options?: ErrorOptions) {
    super('invalid', message, options);
  }
}

/** `limit`: a limit of the server forbids it. */
export class LockLimitError extends LockError {
  override readonly name: string = 'LockLimitError';
  /** The setting, such as `maxLocksPerSession`, and its value. */
  readonly limit: string;
  readonly value: number;

  constructor(message: string, limit: string, value: number) {
    super('limit', message);
    this.limit = limit;
    this.value = value;
  }
}

/** `denied`: the server is set not to allow it. */
export class LockDeniedError extends LockError {
  override readonly name: string = 'LockDeniedError';

  constructor(message: string) {
    super('denied', message);
  }
}

/** `draining`: the server is about to stop and grants nothing more. */
export class LockDrainingError extends LockError {
  override readonly name: string = 'LockDrainingError';

  constructor(message: string) {
    super('draining', message);
  }
}

/** `closed`: the client was closed. */
export class LockClosedError extends LockError {
  override readonly name: string = 'LockClosedError';

  constructor(options?: ErrorOptions) {
    super('closed', 'the client was closed', options);
  }
}

/** A lock was lost while it was held; `code` says why. It is also the reason with which a handle's signal aborts. */
export class LockLostError extends LockError {
  override readonly name: string = 'LockLostError';
  declare readonly code: LockLostCode;
  readonly lockName: string;
  /** From `locked`: the value that the function returned although its lock was lost meanwhile. */
  readonly result: unknown;

  constructor(code: LockLostCode, lockName: string, options: { readonly result?: unknown } = {}) {
    super(code, `the lock ${show(lockName)} was lost: ${EXPLANATIONS[code]}`);
    this.lockName = lockName;
    this.result = options.result;
  }
}

const EXPLANATIONS: Readonly<Record<LockLostCode, string>> = {
  connectionLost: 'the connection to the server broke',
  unconfirmed: 'the server could not be asked in time',
  closed: 'the client was closed',
  leaseOver: 'its lease was over',
  forced: 'it was taken away',
  stolen: 'another took it',
};

const LOSSES: Readonly<Record<string, LockLostCode>> = { lease: 'leaseOver', stolen: 'stolen' };

/** The code for the reason that the server tells. */
export function lossCode(reason: unknown): LockLostCode {
  return LOSSES[String(reason)] ?? 'forced';
}

const MS_A_SECOND = 1_000;

interface OwnLock {
  readonly name: string;
  readonly owner: string;
}

/** The errors that have nothing but a text. */
const PLAIN_ERRORS = new Map<string, new (text: string) => LockError>([
  ['cancelled', LockCancelledError],
  ['invalid', LockInvalidError],
  ['denied', LockDeniedError],
  ['draining', LockDrainingError],
]);

const NOTHING_NOW = 'the server grants nothing for now';

/** Why a request is `unavailable` that is no try-lock, by the reason that the server tells. */
const WHY_UNAVAILABLE: Readonly<Record<string, string>> = {
  grace: 'the server was started again and waits for the clients of before',
  ledger: 'the server cannot record the session',
  noLeader: 'no server leads the cluster',
  noQuorum: 'the server has lost touch with etcd',
  notJoined: 'the server has not joined the cluster',
  setBack: 'etcd has lost data',
  notClustered: 'the server is not one of several',
};

/**
 * The error for a result that is not `ok`. Its text begins with `asked`. `own` is a lock that this client holds itself and that
 * is in the way.
 */
export function refusal(result: RpcResult, asked: string, own?: OwnLock): LockError {
  const { status, message, limit, value } = result;
  if (status === 'timeout') return timeout(asked, result, own);
  if (status === 'unavailable')
    return new LockUnreachableError(`${asked}: ${WHY_UNAVAILABLE[String(result.reason)] ?? NOTHING_NOW}`);
  if (status === 'deadlock') return deadlock(asked, result);
  const text = `${asked}: ${typeof message === 'string' ? message : status}`;
  if (status === 'limit') {
    return new LockLimitError(`${text} (${String(limit)}, ${String(value)})`, String(limit), Number(value));
  }
  const PlainError = PLAIN_ERRORS.get(status);
  return PlainError === undefined ? new LockError('protocol', text) : new PlainError(text);
}

function timeout(asked: string, { holders }: RpcResult, own: OwnLock | undefined): LockTimeoutError {
  const known = Array.isArray(holders) ? (holders as readonly NamedLockHolder[]) : [];
  const held = known.map((holder) => {
    const heldSeconds = (holder.heldMs / MS_A_SECOND).toFixed(1);
    return `${party(holder)} holds ${show(holder.lockName)} ${holder.mode} for ${heldSeconds} s`;
  });
  const hint = own === undefined ? [] : [tellOwn(own)];
  return new LockTimeoutError(`${asked}: ${['timeout', ...held, ...hint].join('; ')}`, known);
}

/** The hint for callers who wait for themselves. */
export function tellOwn({ name, owner }: OwnLock): string {
  return `this very client holds ${show(name)}, as owner ${owner}`;
}

function deadlock(asked: string, { cycle }: RpcResult): LockDeadlockError {
  const steps = Array.isArray(cycle) ? (cycle as readonly DeadlockStep[]) : [];
  const lines = steps.map((step, index) => {
    const next = steps[(index + 1) % steps.length] as DeadlockStep;
    const verb = step.blockedBy === 'holder' ? 'which is held by' : 'where ahead of it waits';
    return `\n  ${party(step)} waits for ${show(step.lockName)} (${step.mode}), ${verb} ${party(next)}`;
  });
  const text = `${asked}: it would wait for an owner that waits for it${lines.length > 0 ? ':' : ''}${lines.join('')}`;
  return new LockDeadlockError(text, steps);
}

/** A client and its owner, for people. */
function party({ name, address, owner }: Pick<NamedLockHolder, 'name' | 'address' | 'owner'>): string {
  return `${name === '' ? '' : `${name} at `}${address}${owner === '' ? '' : `, owner ${owner}`}`;
}

/** Recognizes the errors with which a transport says that the server is of another kind, or refuses this client for good. */
export type IsRefusal = (failure: Error) => boolean;

/** Whether no further attempt can succeed: options that make no sense, a refusal, a greeting that was not accepted. */
export function isPermanent(error: unknown, isRefusal: IsRefusal): boolean {
  const failure = failureOf(error);
  if (failure instanceof LockError) return failure.code !== 'draining' && failure.code !== 'unreachable';
  return isMistake(failure) || (failure instanceof Error && isRefusal(failure));
}

/** The codes of a system where no process listens at an address. */
const NOBODY_LISTENS: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ENOENT']);

/** Whether the attempt failed since no process listens there: the one that did has ended. */
export function nobodyListens(failure: Error): boolean {
  return NOBODY_LISTENS.has((failure as { readonly code?: unknown }).code);
}

/** The error of a call that had no connection: never `timeout`, which says that somebody else has the lock. */
export function noConnection(error: unknown): LockError {
  if (error instanceof LockError) return error;
  if (isMistake(error)) return new LockInvalidError(error.message, { cause: error });
  const text = error instanceof Error ? error.message : String(error);
  return new LockUnreachableError(`no server could be asked: ${text}`, failureOf(error));
}

/** The error of `connect()`: the one of the attempt, unless that is a mistake or only says that time was over. */
export function failedToConnect(error: unknown): unknown {
  const isLate = error instanceof MessageError && error.code === 'timeout';
  return isLate || isMistake(error) ? noConnection(error) : error;
}

/** The cause of an error that tells only how the call ended. */
function failureOf(error: unknown): unknown {
  return error instanceof MessageError && error.cause instanceof Error ? failureOf(error.cause) : error;
}

/** Dialers throw such errors when they cannot even try. */
function isMistake(error: unknown): error is Error {
  return error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError;
}

/** The reason of a caller's signal may be any error, and is passed on as it is. */
export function isReasonOf(signal: AbortSignal | undefined, error: unknown): boolean {
  return signal?.aborted === true && signal.reason === error;
}
