/** Why there is no connection: whether to try again, and what callers are told. */

import { LockError, LockInvalidError, LockUnreachableError } from './lock-error.ts';

/**
 * What Node says of a certificate that is not trusted, or is for another host: the codes of OpenSSL's
 * `X509_STORE_CTX_get_error` and of `node:tls`.
 */
const CERTIFICATE_CODE =
  /^(CERT_|ERR_TLS_CERT_|UNABLE_TO_(GET|VERIFY)_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_|INVALID_(CA|PURPOSE)|PATH_LENGTH_)/;

/** Whether no further attempt can succeed: options that make no sense, a certificate that is not trusted, a refused greeting. */
export function isPermanent(error: unknown): boolean {
  if (error instanceof LockError) return error.code !== 'draining' && error.code !== 'unreachable';
  return isMistake(error) || CERTIFICATE_CODE.test(String((error as { readonly code?: unknown })?.code));
}

/** What a call rejects with that had no connection: never `timeout`, which says that somebody else has the lock. */
export function noConnection(error: unknown): LockError {
  if (error instanceof LockError) return error;
  if (isMistake(error)) return new LockInvalidError(error.message, { cause: error });
  return new LockUnreachableError(error);
}

/** What a dialer throws when it cannot even try. */
function isMistake(error: unknown): error is Error {
  return error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError;
}
