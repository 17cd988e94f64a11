/** What went wrong, for people and as an exit code. */

import { LockError, type LockErrorCode } from '../../client/lock-error.ts';
import { MessageError } from '../../message/message-error.ts';
import { HOLDFAST_CODES } from './exit-codes.ts';

/** Ends the program with a message and an exit code. */
export class Failure extends Error {
  override readonly name: string = 'Failure';
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

const CODES: Partial<Record<LockErrorCode, number>> = {
  timeout: HOLDFAST_CODES.notGranted,
  cancelled: HOLDFAST_CODES.notGranted,
  limit: HOLDFAST_CODES.notGranted,
  draining: HOLDFAST_CODES.notGranted,
  deadlock: HOLDFAST_CODES.notGranted,
  invalid: HOLDFAST_CODES.usage,
  denied: HOLDFAST_CODES.denied,
};

/** The server refuses the certificate of this side, or misses it. */
const REFUSED = /^ERR_SSL_.*ALERT_(?:\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED)/;

/** An error of the client, or of the system's sockets. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Failure) return error.exitCode;
  if (error instanceof LockError) return CODES[error.code] ?? HOLDFAST_CODES.noServer;
  const isOfConnection = error instanceof MessageError || (error instanceof Error && 'code' in error);
  if (isOfConnection && isRefused(error)) return HOLDFAST_CODES.denied;
  return isOfConnection ? HOLDFAST_CODES.noServer : HOLDFAST_CODES.failure;
}

/** The client may tell it as the cause of a lost connection. */
function isRefused(error: Error): boolean {
  const causes = [error, error.cause].filter((each) => each instanceof Error);
  return causes.some((each) => 'code' in each && REFUSED.test(String(each.code)));
}
