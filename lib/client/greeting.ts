/** Whether a server took a `hello`, and the errors of one that did not. */

import type { RpcResult } from '../message/message-client.ts';
import { MessageError } from '../message/message-error.ts';
import { LockError, refusal } from './lock-error.ts';

/** The version of the protocol that this client speaks. */
export const PROTOCOL = 1;

/** @throws LockError when the server did not accept the greeting, or speaks another protocol. */
export function requireGreeting(result: RpcResult): void {
  if (result.status === 'ok' && result.protocol === PROTOCOL) return;
  throw refusal(result.status === 'ok' ? { status: 'protocol' } : result, 'the server did not accept the greeting');
}

/** Why a greeting had no answer: the reason for which the connection was left, or the error as it is. */
export function greetingFailure(error: unknown): Error {
  const { cause, code } = error as MessageError;
  if (cause instanceof LockError) return cause;
  return error instanceof MessageError && code === 'invalid' ? anotherProtocol(error) : (error as Error);
}

/** The error for what no lock server sends. */
export function anotherProtocol(cause: Error): LockError {
  return new LockError('protocol', `the server does not speak this protocol: ${cause.message}`, { cause });
}
