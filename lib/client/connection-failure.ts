/** Why there is no connection: whether to try again, and the error that callers get. */

import { MessageError } from '../message/message-error.ts';
import { LockError, LockInvalidError, LockUnreachableError } from './lock-error.ts';

/** Recognizes the errors with which a transport says that the server is of another kind, or refuses this client for good. */
export type IsRefusal = (failure: Error) => boolean;

/** Whether no further attempt can succeed: options that make no sense, a refusal, a greeting that was not accepted. */
export function isPermanent(error: unknown, isRefusal: IsRefusal): boolean {
  const failure = failureOf(error);
  if (failure instanceof LockError) return failure.code !== 'draining' && failure.code !== 'unreachable';
  return isMistake(failure) || (failure instanceof Error && isRefusal(failure));
}

/** The error of a call that had no connection: never `timeout`, which says that somebody else has the lock. */
export function noConnection(error: unknown): LockError {
  if (error instanceof LockError) return error;
  if (isMistake(error)) return new LockInvalidError(error.message, { cause: error });
  const text = error instanceof Error ? error.message : String(error);
  return new LockUnreachableError(text, failureOf(error));
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
