/** Errors in the input of a peer: the server answers and goes on, or answers and closes. */

import type { ErrorStatus } from './statuses.ts';

/** An error that the peer is told of. */
abstract class WireError extends Error {
  readonly status: ErrorStatus;

  constructor(status: ErrorStatus, message: string) {
    super(message);
    this.status = status;
  }
}

/** One request cannot be served; the connection goes on. A handler may throw it to answer its caller with an error. */
export class RequestError extends WireError {
  override readonly name: string = 'RequestError';
}

/** The byte stream cannot be understood any further: the peer is told, then the connection is closed. */
export class ProtocolError extends WireError {
  override readonly name: string = 'ProtocolError';
}
