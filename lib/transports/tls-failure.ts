/** Why a TLS handshake failed, in words. The system has codes for that, which are many. */

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ConnectionRefusalReason, RefusalCause } from '../message/refusals.ts';

type Cause = RefusalCause<ConnectionRefusalReason>;

/** What a client that speaks without TLS is taken for. */
const NOT_TLS = [
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_HTTPS_PROXY_REQUEST',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
];

/** What a client sends that does not accept the server's certificate. */
const NOT_ACCEPTED = /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE)$/;

/** Undefined for a client that went away without a word, as those do that look whether somebody listens. */
export function causeOfFailure(error: NodeJS.ErrnoException, socket: TLSSocket): Cause | undefined {
  const { code = error.message } = error;
  // The system closes the connection before it tells of a certificate, so the error is not about it.
  const certificateError: unknown = socket.authorizationError;
  if (certificateError) {
    const why = `its certificate was not accepted (${String(certificateError)})`;
    const remedy = 'give it a valid one of an authority in the file "tls.ca" of the settings';
    return { reason: 'clientCertificate', why, remedy };
  }
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') {
    const remedy = 'give it a certificate, or leave "tls.ca" out of the settings';
    return { reason: 'clientCertificateMissing', why: 'it showed no certificate', remedy };
  }
  if (NOT_TLS.includes(code)) {
    const remedy = 'connect with TLS, or leave "tls" out of the settings';
    return { reason: 'tlsExpected', why: 'it does not speak TLS, as this port does', remedy };
  }
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') {
    return { reason: 'handshakeTimeout', why: 'its TLS handshake did not end in time' };
  }
  if (code === 'ECONNRESET' && rawSocketOf(socket).bytesRead === 0) return undefined;
  const remedy = NOT_ACCEPTED.test(code) ? 'have it trust the authority of the file "tls.cert"' : undefined;
  return { reason: 'tlsHandshake', why: `its TLS handshake failed (${code})`, remedy };
}

/** The socket below, which still knows of a closed connection where it came from. It is no public member. */
export function rawSocketOf(socket: TLSSocket): Socket {
  return (socket as unknown as { readonly _parent?: Socket })._parent ?? socket;
}
