/** What can be wrong with what a peer sends: something to answer and go on, or something to answer and close. */

import type { ErrorStatus } from './statuses.ts';

/** One request cannot be served; the connection goes on. A handler may throw it to answer its caller with an error. */
export class RequestError extends Error {
  override readonly name: string = 'RequestError';
  readonly status: ErrorStatus;

  constructor(status: ErrorStatus, message: string) {
    super(message);
    this.status = status;
  }
}

/** The byte stream cannot be understood any further: the peer is told, then the connection is closed. */
export class ProtocolError extends Error {
  override readonly name: string = 'ProtocolError';
  readonly status: ErrorStatus;

  constructor(status: ErrorStatus, message: string) {
    super(message);
    this.status = status;
  }
}
