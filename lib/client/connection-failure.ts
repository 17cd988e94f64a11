/** Why there is no connection: whether to try again, and what callers are told. */

import { MessageError } from '../message/message-error.ts';
import { LockError, LockInvalidError, LockUnreachableError } from './lock-error.ts';

/**
 * What Node says of a certificate that is not trusted, or is for another host: the codes of OpenSSL's
 * `X509_STORE_CTX_get_error` and of `node:tls`.
 */
const CERTIFICATE_CODE =
  /^(CERT_|ERR_TLS_CERT_|ERROR_IN_CERT_|UNABLE_TO_(DEC|GET|VERIFY)|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_|INVALID_(CA|PURPOSE)|PATH_LENGTH_)/;

/** What the server's alert says of a certificate that it demands or refuses; the words before depend on OpenSSL's version. */
const ALERT_CODE =
  /^ERR_SSL_.*ALERT_(?:\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE|PROTOCOL_VERSION)$/;
/** The other side speaks no TLS, or no version of it that this one does. Node tells some of it by the text only. */
const NO_TLS = /wrong[ _]version[ _]number|unsupported[ _]protocol|no[ _]protocols[ _]available/i;
/** How the package `ws` tells of an answer by HTTP: a page, or a refusal that is not for now only. */
const NO_WEB_SOCKET = /^Unexpected server response: (?:[23]\d\d|40[0135]|426)$/;

/**
 * Whether no further attempt can succeed: options that make no sense, a certificate that is not trusted or is refused, a
 * server of another kind, a refused greeting.
 */
export function isPermanent(error: unknown): boolean {
  const failure = failureOf(error);
  if (failure instanceof LockError) return failure.code !== 'draining' && failure.code !== 'unreachable';
  return isMistake(failure) || isRefusal(failure);
}

/** What a call rejects with that had no connection: never `timeout`, which says that somebody else has the lock. */
export function noConnection(error: unknown): LockError {
  if (error instanceof LockError) return error;
  if (isMistake(error)) return new LockInvalidError(error.message, { cause: error });
  const text = error instanceof Error ? error.message : String(error);
  return new LockUnreachableError(text, failureOf(error));
}

/** What `connect()` rejects with: what the attempt failed with, unless that is a mistake or only says that time was over. */
export function failedToConnect(error: unknown): unknown {
  const isLate = error instanceof MessageError && error.code === 'timeout';
  return isLate || isMistake(error) ? noConnection(error) : error;
}

/** What is behind an error that says only what became of the call. */
function failureOf(error: unknown): unknown {
  return error instanceof MessageError && error.cause instanceof Error ? failureOf(error.cause) : error;
}

/** What a dialer throws when it cannot even try. */
function isMistake(error: unknown): error is Error {
  return error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError;
}

function isRefusal(failure: unknown): boolean {
  if (!(failure instanceof Error)) return false;
  const code = 'code' in failure ? String(failure.code) : '';
  const isOfTls = CERTIFICATE_CODE.test(code) || ALERT_CODE.test(code) || NO_TLS.test(failure.message);
  return isOfTls || NO_WEB_SOCKET.test(failure.message);
}
