/** Explains in words why a TLS handshake failed, since the system only has many codes for it. */

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ConnectionRefusalReason, RefusalCause } from '../message/refusals.ts';

type Cause = RefusalCause<ConnectionRefusalReason>;

/** Why a client is refused that begins no handshake, or does not end it. */
export const HANDSHAKE_LATE: Cause = { reason: 'handshakeTimeout', why: 'its TLS handshake did not end in time' };

/** The codes for a client that does not speak TLS. */
const NOT_TLS = [
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_HTTPS_PROXY_REQUEST',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
];

/** The codes for a client that rejects the server's certificate. */
const NOT_ACCEPTED = /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE)$/;

/**
 * Returns undefined for a client that left without sending a byte behind `headerBytes`, as a client that only probes the port
 * does.
 */
export function causeOfFailure(
  error: NodeJS.ErrnoException,
  socket: TLSSocket,
  headerBytes: number,
): Cause | undefined {
  const { code = error.message } = error;
  // The system closes the connection before it reports a wrong certificate, so the error does not mention it.
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
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return HANDSHAKE_LATE;
  if (code === 'ECONNRESET' && rawSocketOf(socket).bytesRead === headerBytes) return undefined;
  const remedy = NOT_ACCEPTED.test(code) ? 'have it trust the authority of the file "tls.cert"' : undefined;
  return { reason: 'tlsHandshake', why: `its TLS handshake failed (${code})`, remedy };
}

/** The socket below TLS, which still knows the peer's address after the connection closed. Not public in Node. */
export function rawSocketOf(socket: Socket): Socket {
  return (socket as unknown as { readonly _parent?: Socket | null })._parent ?? socket;
}
